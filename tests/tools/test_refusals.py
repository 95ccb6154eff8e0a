"""Every way a tool call can go wrong has its own reason; nothing wrong costs what was right."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.security.limits import LimitPolicy
from authgate.steps import consent, sign_in
from authgate.steps.authorize import Asker, Opened, open_request
from authgate.steps.parts import Parts
from authgate.tools.catalogue import TOOLS
from tests.tools.flow import (
    ADDRESS,
    REDIRECT,
    asking,
    call,
    challenged,
    coded,
    exchanging,
    registered,
    signing_in,
)
from tests.tools.serving import EMAIL, PASSWORD, Clock, parts_in


async def refused(parts: Parts, tool: object, given: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call(parts, tool, given, ADDRESS)
    return caught.value


# --- calling -----------------------------------------------------------------------------------


async def test_unknown_tool_lists_the_four(parts: Parts) -> None:
    for name in ("oauth_regster_client", "", 5, None, ["oauth_token"], {}):
        refusal = await refused(parts, name, {})
        assert refusal.reason is Reason.TOOL_UNKNOWN
        assert all(tool in refusal.hint for tool in TOOLS)


async def test_arguments_must_be_an_object(parts: Parts) -> None:
    for tool, given in itertools.product(TOOLS, ["text", 5, [], [{}], True]):
        refusal = await refused(parts, tool, given)
        assert refusal.reason is Reason.PARAMETER_TYPE
        assert refusal.sentence == "The parameter params is not a JSON object."


async def test_a_wrong_type_is_named(parts: Parts) -> None:
    for tool in TOOLS.values():
        names = [argument.name for argument in tool.takes if argument.kind == "string"]
        for name, value in itertools.product(names, [5, 1.5, True, ["x"], {"x": 1}]):
            refusal = await refused(parts, tool.name, {name: value})
            assert refusal.reason is Reason.PARAMETER_TYPE
            assert f" {name} " in refusal.sentence
            assert refusal.hint == f"Send {name} as a string."


@pytest.mark.parametrize(
    ("tool", "name"),
    [("oauth_authorize", "state"), ("oauth_authenticate", "password"), ("oauth_token", "code")],
)
async def test_a_long_value_is_refused_by_name(parts: Parts, tool: str, name: str) -> None:
    refusal = await refused(parts, tool, {name: "a" * 10_000})
    assert refusal.reason is Reason.PARAMETER_TOO_LONG
    assert name in refusal.sentence


async def test_unknown_arguments_and_nulls_are_ignored(parts: Parts) -> None:
    client = await registered(parts)
    # `prompt=none` would be refused and `request` unsupported, if a rule ever saw them.
    given = asking(client["client_id"], prompt="none", request="eyJ", nonce=5)
    opened = await call(parts, "oauth_authorize", {**given, "scope": None, "resource": ""}, ADDRESS)
    assert opened["challenge_id"]


# --- oauth_register_client -----------------------------------------------------------------------


async def test_client_data_must_be_an_object(parts: Parts) -> None:
    for value in (5, [], "text", "[]", "{broken", True):
        refusal = await refused(parts, "oauth_register_client", {"client_data": value})
        assert refusal.reason is Reason.PARAMETER_TYPE
        assert "client_data" in refusal.sentence


async def test_client_data_is_missing(parts: Parts) -> None:
    for given in ({}, {"client_data": None}, {"redirect_uris": [REDIRECT]}):
        refusal = await refused(parts, "oauth_register_client", given)
        assert refusal.reason is Reason.PARAMETER_MISSING


async def test_client_data_as_json_text(parts: Parts) -> None:
    text = f'{{"redirect_uris": ["{REDIRECT}"]}}'
    answer = await call(parts, "oauth_register_client", {"client_data": text}, ADDRESS)
    assert answer["redirect_uris"] == [REDIRECT]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://evil.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [REDIRECT], "client_name": "a\u202eb"}, "invalid_client_metadata"),
        (
            {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": ["none"]},
            "invalid_client_metadata",
        ),
        ({"redirect_uris": [REDIRECT], "software_statement": "x"}, "invalid_software_statement"),
    ],
)
async def test_bad_metadata(parts: Parts, data: object, code: str) -> None:
    assert (await refused(parts, "oauth_register_client", {"client_data": data})).code == code


# --- oauth_authorize -----------------------------------------------------------------------------


AUTHORIZE: tuple[tuple[dict[str, Any], Reason], ...] = (
    ({"client_id": None}, Reason.CLIENT_MISSING),
    ({"client_id": "client_nobody"}, Reason.CLIENT_UNKNOWN),
    ({"redirect_uri": None}, Reason.REDIRECT_URI_MISSING),
    ({"redirect_uri": REDIRECT + "/x"}, Reason.REDIRECT_URI_UNREGISTERED),
    ({"state": None}, Reason.STATE_MISSING),
    ({"state": ""}, Reason.STATE_MISSING),
    ({"state": "a\nb"}, Reason.STATE_MALFORMED),
    ({"code_challenge": None}, Reason.PKCE_MISSING),
    ({"code_challenge": "short"}, Reason.PKCE_CHALLENGE_MALFORMED),
    ({"code_challenge_method": None}, Reason.PKCE_METHOD),
    ({"code_challenge_method": "plain"}, Reason.PKCE_METHOD),
    ({"scope": 'a"b'}, Reason.SCOPE_MALFORMED),
    ({"resource": "https://elsewhere.example/mcp"}, Reason.RESOURCE_UNKNOWN),
)


async def test_authorize_refuses(parts: Parts) -> None:
    client = await registered(parts)
    for changes, reason in AUTHORIZE:
        refusal = await refused(parts, "oauth_authorize", asking(client["client_id"], **changes))
        assert refusal.reason is reason, changes


# --- oauth_authenticate --------------------------------------------------------------------------


AUTHENTICATE: tuple[tuple[dict[str, Any], Reason, str], ...] = (
    ({"challenge_id": None}, Reason.PARAMETER_MISSING, "challenge_id"),
    ({"challenge_id": "unknown"}, Reason.CHALLENGE_UNKNOWN, "challenge_id"),
    ({"username": None}, Reason.PARAMETER_MISSING, "username"),
    ({"password": None}, Reason.PARAMETER_MISSING, "password"),
    ({"username": None, "password": None}, Reason.TOOL_SIGN_IN_UNCLEAR, "username"),
    ({"provider": "github"}, Reason.TOOL_SIGN_IN_UNCLEAR, "provider"),
    ({"mfa_code": "123456"}, Reason.TOOL_SIGN_IN_UNCLEAR, "mfa_code"),
    (
        {"username": None, "password": None, "mfa_code": "123456"},
        Reason.TOOL_SIGN_IN_UNCLEAR,
        "factor",
    ),
    (
        {"username": None, "password": None, "oauth_code": "x"},
        Reason.PARAMETER_MISSING,
        "provider",
    ),
    (
        {"username": None, "password": None, "provider": "github", "oauth_code": "x"},
        Reason.PROVIDER_NOT_OFFERED,
        "GitHub",
    ),
)


async def test_authenticate_refuses(parts: Parts) -> None:
    _, challenge_id = await challenged(parts)
    for changes, reason, word in AUTHENTICATE:
        given = signing_in(challenge_id, **changes)
        refusal = await refused(parts, "oauth_authenticate", given)
        assert refusal.reason is reason, changes
        assert word in refusal.sentence
    answered = await call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS)
    assert answered["code"]  # none of this used the challenge up


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody@example.com"}])
async def test_wrong_credentials_leave_the_challenge_usable(
    parts: Parts, changes: dict[str, Any]
) -> None:
    _, challenge_id = await challenged(parts)
    refusal = await refused(parts, "oauth_authenticate", signing_in(challenge_id, **changes))
    assert refusal.reason is Reason.SIGN_IN_WRONG
    assert EMAIL not in refusal.sentence + refusal.hint
    answered = await call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS)
    assert answered["code"]


async def test_an_answered_and_an_expired_challenge_are_told_apart(parts: Parts) -> None:
    _, challenge_id = await challenged(parts)
    await call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS)
    again = await refused(parts, "oauth_authenticate", signing_in(challenge_id))
    assert again.reason is Reason.CHALLENGE_ANSWERED
    _, late = await challenged(parts)
    clock = parts.clock
    assert isinstance(clock, Clock)
    clock.ahead = 600
    expired = await refused(parts, "oauth_authenticate", signing_in(late))
    assert expired.reason is Reason.CHALLENGE_UNKNOWN
    assert again.sentence != expired.sentence


async def test_a_dead_challenge_tries_no_password(parts: Parts) -> None:
    """Neither the hash nor the throttles are reached: this is no way to guess."""
    for _ in range(12):
        refusal = await refused(
            parts, "oauth_authenticate", signing_in("unknown", password="wrong")
        )
        assert refusal.reason is Reason.CHALLENGE_UNKNOWN
    _, challenge_id = await challenged(parts)
    assert await call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS)


async def test_a_challenge_of_a_browser_is_not_one_for_tools(parts: Parts) -> None:
    client = await registered(parts)
    asked = Parameters({**asking(client["client_id"]), "response_type": "code"})
    opened = await open_request(parts, asked, Asker("browser", browser_digest="00"))
    assert isinstance(opened, Opened)
    refusal = await refused(parts, "oauth_authenticate", signing_in(opened.handle))
    assert refusal.reason is Reason.CHALLENGE_UNKNOWN


async def test_passwords_through_tools_can_be_turned_off(tmp_path: Path) -> None:
    async with parts_in(tmp_path, tool_passwords=False) as parts:
        _, challenge_id = await challenged(parts)
        refusal = await refused(parts, "oauth_authenticate", signing_in(challenge_id))
    assert refusal.reason is Reason.TOOL_PASSWORDS_OFF
    assert "authorization_url" in refusal.hint


async def test_two_answers_at_once_give_one_code(parts: Parts) -> None:
    _, challenge_id = await challenged(parts)
    outcomes = await asyncio.gather(
        *(call(parts, "oauth_authenticate", signing_in(challenge_id), ADDRESS) for _ in range(8)),
        return_exceptions=True,
    )
    codes = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(codes) == 1
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert {refusal.reason for refusal in refusals} == {Reason.CHALLENGE_ANSWERED}
    assert len(refusals) == 7


async def test_tools_and_pages_share_their_throttle(tmp_path: Path) -> None:
    limits = LimitPolicy(sign_in_account="4/minute")
    async with parts_in(tmp_path, limits=limits) as parts:
        _, challenge_id = await challenged(parts)
        request = await consent.load_challenge(parts, challenge_id)
        wrong = signing_in(challenge_id, password="wrong")
        for _ in range(2):
            with pytest.raises(Refusal, match="sign_in_wrong"):  # as the sign-in page calls it
                await sign_in.with_password(parts, request, EMAIL.upper(), "wrong", "198.51.100.9")
            assert (await refused(parts, "oauth_authenticate", wrong)).reason is (
                Reason.SIGN_IN_WRONG
            )
        refusal = await refused(parts, "oauth_authenticate", signing_in(challenge_id))
        assert refusal.reason is Reason.SIGN_IN_THROTTLED
        assert 1 <= (refusal.retry_after or 0) <= 60
        with pytest.raises(Refusal, match="sign_in_throttled"):
            await sign_in.with_password(parts, request, EMAIL, PASSWORD, "198.51.100.9")


async def test_registrations_are_throttled_by_address(tmp_path: Path) -> None:
    async with parts_in(tmp_path, limits=LimitPolicy(registration="2/minute")) as parts:
        await registered(parts)
        await registered(parts)
        given = {"client_data": {"redirect_uris": [REDIRECT]}}
        assert (await refused(parts, "oauth_register_client", given)).reason is Reason.THROTTLED
        assert await call(parts, "oauth_register_client", given, "198.51.100.9")


# --- oauth_token ---------------------------------------------------------------------------------


TOKEN: tuple[tuple[dict[str, Any], Reason], ...] = (
    ({"grant_type": None}, Reason.GRANT_TYPE_MISSING),
    ({"grant_type": "password"}, Reason.GRANT_TYPE_UNKNOWN),
    ({"client_id": None}, Reason.CLIENT_MISSING),
    ({"client_id": "client_nobody"}, Reason.CLIENT_UNKNOWN),
    ({"client_secret": "secret"}, Reason.CLIENT_AUTH_METHOD),
    ({"code": None}, Reason.PARAMETER_MISSING),
    ({"code": "wrong"}, Reason.CODE_UNKNOWN),
    ({"code_verifier": None}, Reason.PKCE_VERIFIER_MISSING),
    ({"code_verifier": "short"}, Reason.PKCE_VERIFIER_MALFORMED),
    ({"code_verifier": "a" * 43}, Reason.PKCE_FAILED),
    ({"redirect_uri": REDIRECT + "/x"}, Reason.CODE_REDIRECT_URI),
    ({"resource": "https://elsewhere.example/mcp"}, Reason.RESOURCE_BEYOND_GRANT),
)


async def test_token_refuses(parts: Parts) -> None:
    client, code = await coded(parts)
    for changes, reason in TOKEN:
        given = exchanging(client["client_id"], code, **changes)
        refusal = await refused(parts, "oauth_token", given)
        assert refusal.reason is reason, changes
        assert refusal.www_authenticate is None
    assert await call(parts, "oauth_token", exchanging(client["client_id"], code), ADDRESS)


async def test_a_code_works_once(parts: Parts) -> None:
    client, code = await coded(parts)
    given = exchanging(client["client_id"], code)
    await call(parts, "oauth_token", given, ADDRESS)
    assert (await refused(parts, "oauth_token", given)).reason is Reason.CODE_REPLAYED


async def test_refreshing(parts: Parts) -> None:
    client, code = await coded(parts, grant_types=["authorization_code", "refresh_token"])
    first = await call(parts, "oauth_token", exchanging(client["client_id"], code), ADDRESS)
    given = {
        "grant_type": "refresh_token",
        "client_id": client["client_id"],
        "refresh_token": first["refresh_token"],
    }
    second = await call(parts, "oauth_token", given, ADDRESS)
    assert second["refresh_token"] != first["refresh_token"]
    beyond = await refused(parts, "oauth_token", {**given, "scope": "mcp:other"})
    assert beyond.reason is Reason.SCOPE_BEYOND_GRANT


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", None])
async def test_a_client_with_a_secret_uses_the_argument(parts: Parts, method: str | None) -> None:
    """Whichever way it registered: a tool call has neither a header nor a form of its own."""
    client, code = await coded(parts, token_endpoint_auth_method=method)
    given = exchanging(client["client_id"], code)
    without = await refused(parts, "oauth_token", given)
    assert without.reason is Reason.CLIENT_AUTH_METHOD
    wrong = await refused(parts, "oauth_token", {**given, "client_secret": "wr ong:%é"})
    assert wrong.reason is Reason.CLIENT_SECRET_WRONG
    assert wrong.www_authenticate is None
    answer = await call(
        parts, "oauth_token", {**given, "client_secret": client["client_secret"]}, ADDRESS
    )
    assert answer["access_token"]
