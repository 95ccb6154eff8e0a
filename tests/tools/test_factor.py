"""The second factor through a tool: the same challenge, first with the password, then the code."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client

from authgate.protocol.errors import Reason, Refusal
from authgate.security.limits import LimitPolicy
from authgate.steps.parts import Parts
from authgate.tools import ToolsEndpoint
from authgate.tools.catalogue import toolbox
from tests.clauses import clause
from tests.second_factor import CODE, STATE, SecondFactor
from tests.tools.asking import post
from tests.tools.flow import ADDRESS, call, challenged, exchanging, signing_in
from tests.tools.serving import EMAIL, PASSWORD, Clock, parts_in, served

DUE = {"mfa_required": True, "factor": {"kind": "phone", "hint": "42"}, "expires_in": 300}


@pytest.fixture
def directory(parts: Parts) -> SecondFactor:
    made = SecondFactor(parts.passwords)
    made.kind, made.hint = "phone", "42"
    return made


@pytest.fixture
def owed(parts: Parts, directory: SecondFactor) -> Parts:
    stand_in: Any = directory
    return replace(parts, passwords=stand_in)


async def authenticate(parts: Parts, challenge_id: str, **given: str) -> dict[str, Any]:
    arguments = {"challenge_id": challenge_id, **given}
    return dict(await call(parts, "oauth_authenticate", arguments, ADDRESS))


async def due(parts: Parts) -> tuple[dict[str, Any], str]:
    """A client, and its challenge after the right password."""
    client, challenge_id = await challenged(parts)
    assert await call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS) == DUE
    return client, challenge_id


async def refused(parts: Parts, challenge_id: str, **given: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await authenticate(parts, challenge_id, **given)
    return caught.value


@clause("ASVS", "6.3.3")
async def test_password_then_code_then_token(owed: Parts) -> None:
    client, challenge_id = await due(owed)
    answered = await authenticate(owed, challenge_id, mfa_code=CODE)
    assert set(answered) == {"mfa_required", "code", "state", "iss", "redirect_to"}
    assert answered["mfa_required"] is False
    token = await call(
        owed, "oauth_token", exchanging(client["client_id"], answered["code"]), ADDRESS
    )
    assert token["access_token"]
    again = await refused(owed, challenge_id, mfa_code=CODE)
    assert again.reason is Reason.CHALLENGE_ANSWERED


@clause("ASVS", "6.3.3")
async def test_a_code_alone_signs_nobody_in(owed: Parts, directory: SecondFactor) -> None:
    _, challenge_id = await challenged(owed)
    refusal = await refused(owed, challenge_id, mfa_code=CODE)
    assert refusal.reason is Reason.TOOL_SIGN_IN_UNCLEAR
    assert "no second factor is due" in refusal.sentence
    _, others = await due(owed)
    assert (await refused(owed, challenge_id, mfa_code=CODE)).reason is refusal.reason
    assert (await refused(owed, "unknown", mfa_code=CODE)).reason is Reason.CHALLENGE_UNKNOWN
    assert directory.asked == 0
    assert (await authenticate(owed, others, mfa_code=CODE))["code"]


@clause("ASVS", "6.6.3")
async def test_a_wrong_code_leaves_the_challenge_usable_up_to_the_limit(owed: Parts) -> None:
    _, challenge_id = await due(owed)
    for _ in range(4):
        refusal = await refused(owed, challenge_id, mfa_code="000000")
        assert (refusal.reason, refusal.code) == (Reason.FACTOR_WRONG, "access_denied")
    refusal = await refused(owed, challenge_id, mfa_code="000000")
    assert refusal.reason is Reason.FACTOR_SPENT
    assert "the challenge stays usable" in refusal.hint
    late = await refused(owed, challenge_id, mfa_code=CODE)
    assert late.reason is Reason.TOOL_SIGN_IN_UNCLEAR
    password = signing_in(challenge_id)
    assert await call(owed, "oauth_authenticate", password, ADDRESS) == DUE
    assert (await authenticate(owed, challenge_id, mfa_code=CODE))["code"]


async def test_a_code_that_comes_too_late_says_begin_again(owed: Parts) -> None:
    _, challenge_id = await due(owed)
    clock = owed.clock
    assert isinstance(clock, Clock)
    clock.ahead = 301
    refusal = await refused(owed, challenge_id, mfa_code=CODE)
    assert refusal.reason is Reason.FACTOR_ENDED
    assert "Sign in again as before" in refusal.hint
    again = await call(owed, "oauth_authenticate", signing_in(challenge_id), ADDRESS)
    assert again == {**DUE, "expires_in": again["expires_in"]}
    left = again["expires_in"]
    assert isinstance(left, int)
    assert 280 < left < 300  # what is left of the challenge


async def test_an_outage_costs_nothing(owed: Parts, directory: SecondFactor) -> None:
    _, challenge_id = await due(owed)
    directory.down = True
    refusal = await refused(owed, challenge_id, mfa_code=CODE)
    assert (refusal.reason, refusal.retry_after) == (Reason.SIGN_IN_UNAVAILABLE, 7)
    directory.down = False
    assert (await authenticate(owed, challenge_id, mfa_code=CODE))["code"]


@clause("ASVS", "6.6.3")
async def test_codes_count_into_the_throttle_of_the_account(tmp_path: Path) -> None:
    async with parts_in(tmp_path, limits=LimitPolicy(sign_in_account="3/minute")) as parts:
        stand_in: Any = SecondFactor(parts.passwords)
        owed = replace(parts, passwords=stand_in)
        _, challenge_id = await challenged(owed)
        await call(owed, "oauth_authenticate", signing_in(challenge_id), ADDRESS)
        for _ in range(3):
            await refused(owed, challenge_id, mfa_code="000000")
        assert (await refused(owed, challenge_id, mfa_code=CODE)).reason is Reason.SIGN_IN_THROTTLED
        password = await refused(owed, challenge_id, username=EMAIL, password=PASSWORD)
        assert password.reason is Reason.SIGN_IN_THROTTLED


async def test_two_right_codes_at_once_give_one_answer(owed: Parts) -> None:
    _, challenge_id = await due(owed)
    outcomes = await asyncio.gather(
        *(authenticate(owed, challenge_id, mfa_code=CODE) for _ in range(8)),
        return_exceptions=True,
    )
    assert len([outcome for outcome in outcomes if isinstance(outcome, dict)]) == 1
    assert {o.reason for o in outcomes if isinstance(o, Refusal)} <= {
        Reason.FACTOR_ENDED,
        Reason.CHALLENGE_ANSWERED,
        Reason.TOOL_SIGN_IN_UNCLEAR,
    }


async def test_codes_are_refused_with_passwords_where_tools_take_neither(owed: Parts) -> None:
    _, challenge_id = await due(owed)
    closed = replace(owed, policy=replace(owed.policy, tool_passwords=False))
    refusal = await refused(closed, challenge_id, mfa_code=CODE)
    assert refusal.reason is Reason.TOOL_PASSWORDS_OFF


async def test_the_plain_face(owed: Parts) -> None:
    endpoint = ToolsEndpoint(toolbox(owed), lambda _: False)
    _, challenge_id = await challenged(owed)

    async def ask(given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        heard = await post(endpoint, {"method": "oauth_authenticate", "params": given})
        return heard.status, heard.json()

    assert await ask(signing_in(challenge_id)) == (200, {"result": DUE})
    status, told = await ask({"challenge_id": challenge_id, "mfa_code": "000000"})
    assert (status, told["error"]["code"]) == (401, "access_denied")
    status, told = await ask({"challenge_id": challenge_id, "mfa_code": CODE})
    assert (status, told["result"]["state"]) == (200, "random_state_value")
    await endpoint.close()


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_mcp_face(owed: Parts, mode: Any) -> None:
    endpoint = ToolsEndpoint(toolbox(owed), lambda _: False)
    _, challenge_id = await challenged(owed)
    async with served(endpoint) as base, Client(base + "/api/mcp", mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        schema = tools["oauth_authenticate"].output_schema
        assert schema is not None
        assert schema["required"] == ["mfa_required"]
        first = await client.call_tool("oauth_authenticate", signing_in(challenge_id))
        assert first.structured_content == DUE
        wrong = await client.call_tool(
            "oauth_authenticate", {"challenge_id": challenge_id, "mfa_code": "000000"}
        )
        assert wrong.is_error
        second = await client.call_tool(
            "oauth_authenticate", {"challenge_id": challenge_id, "mfa_code": CODE}
        )
        for result in (first, second):
            Draft202012Validator(schema).validate(result.structured_content)
            assert STATE not in str(result)
        assert second.structured_content is not None
        assert second.structured_content["code"]
    await endpoint.close()
