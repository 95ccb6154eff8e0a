"""The four tools where AuthKit issues: registered there, consented there, exchanged there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest
from pydantic import TypeAdapter

from authgate.protocol.errors import Reason
from authgate.protocol.faces import FACES
from authgate.tools.elsewhere import TOOLS
from tests.clauses import clause
from tests.endpoints.authkit import ALICE, CALLBACK, AuthKitHouse, authkit_house
from tests.endpoints.conftest import OpenGate, open_gate
from tests.endpoints.gate import PASSWORD, Pkce, answer_of

__all__ = ["open_gate"]

REGISTER, TOKEN = "POST /oauth2/register", "POST /oauth2/token"


@pytest.fixture
async def house(open_gate: OpenGate) -> AsyncIterator[AuthKitHouse]:
    async with authkit_house(open_gate) as opened:
        yield opened


async def asked(house: AuthKitHouse, tool: str, /, **params: Any) -> Any:
    sent = {name: value for name, value in params.items() if value is not None}
    async with house.gate.http() as http:
        return await http.post("/api/mcp", json={"method": tool, "params": sent})


async def called(house: AuthKitHouse, tool: str, /, **params: Any) -> dict[str, Any]:
    answer = await asked(house, tool, **params)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


async def error(house: AuthKitHouse, tool: str, /, **params: Any) -> tuple[int, dict[str, Any]]:
    answer = await asked(house, tool, **params)
    return answer.status_code, answer.json()["error"]


async def registered(house: AuthKitHouse, **metadata: Any) -> dict[str, Any]:
    data = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none", **metadata}
    return await called(house, "oauth_register_client", client_data=data)


def asking(client_id: str, pkce: Pkce, /, **changes: Any) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "state": "a state & more",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        **changes,
    }


async def coded(house: AuthKitHouse, client: dict[str, Any], pkce: Pkce) -> str:
    """The code that the person's browser brings to the client."""
    started = await called(house, "oauth_authorize", **asking(client["client_id"], pkce))
    async with house.browser() as browser:
        await browser.open(started["authorization_url"])
        await browser.sign_in(ALICE)
        await browser.allow()
        answer = answer_of(browser.url)
    assert answer["state"] == "a state & more"
    return answer["code"]


def exchanging(client: dict[str, Any], code: str, pkce: Pkce, /, **changes: Any) -> dict[str, Any]:
    return {
        "grant_type": "authorization_code",
        "client_id": client["client_id"],
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": pkce.verifier,
        **changes,
    }


# --- the whole way --------------------------------------------------------------------------------


async def test_the_four_calls_and_the_browser_between_them(house: AuthKitHouse) -> None:
    client, pkce = await registered(house), Pkce()
    assert client["client_id"] in house.workos.state.applications
    started = await called(house, "oauth_authorize", **asking(client["client_id"], pkce))
    url = started["authorization_url"]
    assert url.startswith(f"{house.workos.authkit_url}/oauth2/authorize?")
    assert parse_qs(urlsplit(url).query)["resource"] == [house.resource]
    assert started["providers"] == {}

    told = await called(
        house,
        "oauth_authenticate",
        challenge_id=started["challenge_id"],
        username=ALICE,
        password=PASSWORD,
    )
    assert told["interaction_required"] is True
    assert told["authorization_url"] == url
    assert 0 < told["expires_in"] <= started["expires_in"]
    assert house.told() == []  # nobody was signed in by that

    code = await coded(house, client, pkce)
    tokens = await called(house, "oauth_token", **exchanging(client, code, pkce))
    assert await house.whoami(tokens["access_token"]) == ALICE
    again = await called(
        house,
        "oauth_token",
        grant_type="refresh_token",
        client_id=client["client_id"],
        refresh_token=tokens["refresh_token"],
    )
    assert await house.whoami(again["access_token"]) == ALICE
    assert again["refresh_token"] != tokens["refresh_token"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_with_a_secret(house: AuthKitHouse, method: str) -> None:
    client, pkce = await registered(house, token_endpoint_auth_method=method), Pkce()
    code = await coded(house, client, pkce)
    form = exchanging(client, code, pkce, client_secret=client["client_secret"])
    assert (await called(house, "oauth_token", **form))["access_token"]


async def test_a_password_goes_nowhere(house: AuthKitHouse) -> None:
    started = await called(house, "oauth_authorize", **asking(house.client_id, Pkce()))
    for extra in ({"password": PASSWORD}, {"oauth_code": "x", "provider": "github"}, {}):
        told = await called(
            house, "oauth_authenticate", challenge_id=started["challenge_id"], **extra
        )
        assert told["interaction_required"] is True
    assert PASSWORD not in str([call.body for call in house.workos.calls])


# --- registering ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seen_before", [True, False])
async def test_registration_that_is_off_names_the_switch(
    house: AuthKitHouse, seen_before: bool
) -> None:
    """By its answer where its metadata was read before, and by the metadata."""
    if seen_before:
        await registered(house)
    house.workos.dcr_enabled = False
    status, told = await error(
        house, "oauth_register_client", client_data={"redirect_uris": [CALLBACK]}
    )
    assert (status, told["code"]) == (403, "access_denied")
    assert "Connect, Configuration, Dynamic Client Registration" in told["hint"]


async def test_what_authkit_does_not_register(house: AuthKitHouse) -> None:
    status, told = await error(
        house, "oauth_register_client", client_data={"redirect_uris": ["http://evil.example/"]}
    )
    assert status == 400
    assert told["code"] in ("invalid_redirect_uri", "invalid_client_metadata")
    assert "AuthKit" in told["message"]


async def test_registrations_are_braked_before_they_leave(open_gate: OpenGate) -> None:
    limit = {"AUTHGATE_LIMIT_REGISTRATION": "2/minute"}
    async with authkit_house(open_gate, limit) as house:
        for _ in range(2):
            await registered(house)
        status, told = await error(
            house, "oauth_register_client", client_data={"redirect_uris": [CALLBACK]}
        )
        assert (status, told["code"]) == (429, "slow_down")
        assert len(house.workos.called(REGISTER)) == 2


# --- starting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_id": None}, "invalid_client"),
        ({"client_id": "a b"}, "invalid_request"),
        ({"client_id": "x" * 2049}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"redirect_uri": "http://evil.example/cb"}, "invalid_redirect_uri"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_redirect_uri"),
        ({"redirect_uri": "https://a.example/cb#x"}, "invalid_redirect_uri"),
        ({"redirect_uri": "vscode://x/cb"}, "invalid_redirect_uri"),
        ({"state": None}, "invalid_request"),
        ({"state": "line\nbreak"}, "invalid_request"),
        ({"state": "&" * 4000}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"scope": 'a"b'}, "invalid_scope"),
    ],
)
async def test_what_would_be_wrong_anywhere_is_told_here(
    house: AuthKitHouse, change: dict[str, Any], code: str
) -> None:
    status, told = await error(house, "oauth_authorize", **asking("client_1", Pkce(), **change))
    assert status in (400, 401)
    assert told["code"] == code
    assert told["hint"]


@clause("RFC 8707", "2")
@pytest.mark.parametrize(
    ("change", "scope"),
    [
        ({}, "openid profile email offline_access"),
        ({"scope": "mcp:use"}, "openid profile email offline_access"),
        ({"scope": "email mcp:use openid"}, "openid email"),
        ({"redirect_uri": "https://app.example/cb"}, "openid profile email offline_access"),
        ({"redirect_uri": "cursor://x/cb"}, "openid profile email offline_access"),
        ({"client_id": "https://app.example/c.json"}, "openid profile email offline_access"),
    ],
)
async def test_the_url_asks_for_our_resource_and_authkits_scopes(
    house: AuthKitHouse, change: dict[str, Any], scope: str
) -> None:
    question = asking("client_1", Pkce(), **change)
    for resource in (None, house.resource, house.resource + "/"):
        started = await called(house, "oauth_authorize", **{**question, "resource": resource})
        query = {n: v[0] for n, v in parse_qs(urlsplit(started["authorization_url"]).query).items()}
        assert query == {
            "response_type": "code",
            **{name: value for name, value in question.items() if name != "scope"},
            "scope": scope,
            "resource": house.resource,
        }


@pytest.mark.parametrize("challenge", ["", "x", "gAAAAABh", "é", "x" * 8000])
async def test_a_challenge_of_nobodys(house: AuthKitHouse, challenge: str) -> None:
    status, told = await error(house, "oauth_authenticate", challenge_id=challenge)
    assert (status, told["code"]) == (400, "invalid_request")


async def test_a_challenge_ends(house: AuthKitHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    started = await called(house, "oauth_authorize", **asking("client_1", Pkce()))
    changed = started["challenge_id"][:-4] + "AAA="
    assert (await error(house, "oauth_authenticate", challenge_id=changed))[0] == 400
    late = time.time() + started["expires_in"]
    monkeypatch.setattr("time.time", lambda: late)
    _, told = await error(house, "oauth_authenticate", challenge_id=started["challenge_id"])
    assert told["message"] == FACES[Reason.CHALLENGE_UNKNOWN].sentence


async def test_one_authgates_challenge_is_nothing_to_another(open_gate: OpenGate) -> None:
    async with authkit_house(open_gate) as one, authkit_house(open_gate) as other:
        started = await called(one, "oauth_authorize", **asking("client_1", Pkce()))
        status, _ = await error(other, "oauth_authenticate", challenge_id=started["challenge_id"])
        assert status == 400


# --- exchanging -----------------------------------------------------------------------------------


async def test_authkits_refusals_in_our_form(house: AuthKitHouse) -> None:
    client, pkce = await registered(house), Pkce()
    code = await coded(house, client, pkce)
    wrong = exchanging(client, code, Pkce())
    status, told = await error(house, "oauth_token", **wrong)
    assert (status, told["code"]) == (400, "invalid_grant")
    assert "AuthKit" in told["message"]
    assert "code_verifier" in told["hint"]
    unknown = exchanging({"client_id": "client_NOBODY"}, code, pkce)
    status, told = await error(house, "oauth_token", **unknown)
    assert (status, told["code"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": None}, "invalid_client"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "r", "scope": '"'}, "invalid_scope"),
    ],
)
async def test_what_needs_no_asking_is_not_asked(
    house: AuthKitHouse, change: dict[str, Any], code: str
) -> None:
    form = exchanging({"client_id": "client_1"}, "c0de", Pkce(), **change)
    status, told = await error(house, "oauth_token", **form)
    assert status in (400, 401)
    assert told["code"] == code
    assert house.workos.called(TOKEN) == []


async def test_wrong_secrets_are_braked_before_they_leave(open_gate: OpenGate) -> None:
    async with authkit_house(open_gate, {"AUTHGATE_LIMIT_CLIENT": "2/minute"}) as house:
        client = await registered(house, token_endpoint_auth_method="client_secret_post")
        form = exchanging(client, "c0de", Pkce(), client_secret="wrong")
        statuses = [(await error(house, "oauth_token", **form))[0] for _ in range(3)]
        assert statuses == [401, 401, 429]
        assert len(house.workos.called(TOKEN)) == 4


async def test_trouble_there_is_trouble_to_repeat(house: AuthKitHouse) -> None:
    client, pkce = await registered(house), Pkce()
    form = exchanging(client, "c0de", pkce)
    house.workos.fail(TOKEN, status=503, headers={"Retry-After": "7"})
    answer = await asked(house, "oauth_token", **form)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    house.workos.fail(TOKEN, garbage=True)
    assert (await error(house, "oauth_token", **form))[0] in (502, 503)
    house.workos.fail(TOKEN, cut=True)
    status, told = await error(house, "oauth_token", **form)
    assert (status, told["code"]) == (503, "temporarily_unavailable")


async def test_nothing_of_an_exchange_is_logged(
    house: AuthKitHouse, capfd: pytest.CaptureFixture[str]
) -> None:
    client, pkce = await registered(house, token_endpoint_auth_method="client_secret_post"), Pkce()
    code = await coded(house, client, pkce)
    secret = client["client_secret"]
    await error(house, "oauth_token", **exchanging(client, "c0de-wrong", pkce, client_secret="s3c"))
    form = exchanging(client, code, pkce, client_secret=secret)
    tokens = await called(house, "oauth_token", **form)
    written = "".join(capfd.readouterr())
    for hidden in (secret, "s3c", code, "c0de-wrong", pkce.verifier, *tokens.values()):
        if isinstance(hidden, str) and len(hidden) > 8:
            assert hidden not in written


# --- as MCP clients see them ----------------------------------------------------------------------


async def test_the_tools_are_told_as_they_are_here(house: AuthKitHouse) -> None:
    async with house.gate.http() as http:
        answer = await http.post(
            "/api/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            headers={"accept": "application/json, text/event-stream"},
        )
    tools = {tool["name"]: tool for tool in answer.json()["result"]["tools"]}
    assert list(tools) == list(TOOLS)
    assert list(tools["oauth_authenticate"]["inputSchema"]["properties"]) == ["challenge_id"]
    assert "interaction_required" in tools["oauth_authenticate"]["outputSchema"]["properties"]
    assert tools["oauth_register_client"]["outputSchema"]["required"] == ["client_id"]
    assert "password" not in str(tools["oauth_authenticate"]["inputSchema"])


async def test_answers_fit_the_schemas_that_are_told(house: AuthKitHouse) -> None:
    client, pkce = await registered(house), Pkce()
    started = await called(house, "oauth_authorize", **asking(client["client_id"], pkce))
    pointed = await called(house, "oauth_authenticate", challenge_id=started["challenge_id"])
    code = await coded(house, client, pkce)
    tokens = await called(house, "oauth_token", **exchanging(client, code, pkce))
    for name, answer in zip(TOOLS, (client, started, pointed, tokens), strict=True):
        jsonschema.validate(answer, TypeAdapter(TOOLS[name].gives).json_schema())
