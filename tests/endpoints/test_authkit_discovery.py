"""Where AuthKit issues: what the discovery documents say, and whom the guard lets in."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from authgate.directories.people import disable_person, enable_person
from authgate.issuers import documents
from tests.clauses import clause
from tests.endpoints.authkit import ALICE, AuthKitHouse, authkit_house
from tests.endpoints.conftest import OpenGate
from tests.standins.workos import WorkOSStandIn

FORMS = ("/.well-known/{}", "/.well-known/{}/mcp", "/mcp/.well-known/{}")
METADATA = "GET /.well-known/oauth-authorization-server"


@pytest.fixture
async def house(open_gate: OpenGate) -> AsyncIterator[AuthKitHouse]:
    async with authkit_house(open_gate) as opened:
        yield opened


async def get(house: AuthKitHouse, path: str) -> Any:
    async with house.gate.http() as http:
        return await http.get(path)


async def token_of(house: AuthKitHouse, **claims: Any) -> str:
    """An access token that AuthKit signs for Alice."""
    async with house.browser() as browser:
        await browser.connect()
        await browser.sign_in(ALICE)
        await browser.allow()
        token: str = (await browser.token())["access_token"]
    return (
        house.workos.authkit_keys.sign({**claims_of(house, token), **claims}) if claims else token
    )


def claims_of(house: AuthKitHouse, token: str) -> dict[str, Any]:
    found = house.workos.authkit_keys.read(token, 0)
    assert found is not None
    return found


def challenge_of(answer: Any) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', answer.headers["www-authenticate"]))


# --- documents ------------------------------------------------------------------------------------


@clause("RFC 9728", "2")
@pytest.mark.parametrize("form", FORMS)
async def test_the_resource_names_authkit_and_its_four_scopes(
    house: AuthKitHouse, form: str
) -> None:
    answer = await get(house, form.format("oauth-protected-resource"))
    assert answer.json() == {
        "resource": house.resource,
        "authorization_servers": [house.workos.authkit_url],
        "scopes_supported": ["email", "offline_access", "openid", "profile"],
        "bearer_methods_supported": ["header"],
        "resource_name": "authgate",
    }
    assert answer.headers["access-control-allow-origin"] == "*"


@clause("RFC 8414", "3.2")
@pytest.mark.parametrize("name", ["oauth-authorization-server", "openid-configuration"])
@pytest.mark.parametrize("form", FORMS)
async def test_authkits_own_metadata_is_passed_on_untouched(
    house: AuthKitHouse, name: str, form: str
) -> None:
    answer = await get(house, form.format(name))
    async with house.browser() as browser:
        theirs = await browser.http.get(
            f"{house.workos.authkit_url}/.well-known/oauth-authorization-server"
        )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json() == theirs.json()
    assert answer.json()["issuer"] == house.workos.authkit_url


async def test_a_thousand_clients_cost_one_request(house: AuthKitHouse) -> None:
    await asyncio.gather(
        *(get(house, "/.well-known/oauth-authorization-server") for _ in range(50))
    )
    assert len(house.workos.called(METADATA)) == 1


async def test_under_a_path(open_gate: OpenGate) -> None:
    public = {"AUTHGATE_PUBLIC_URL": "https://host.example/auth"}
    async with authkit_house(open_gate, public) as house:
        resource = await get(house, "/.well-known/oauth-protected-resource/auth/mcp")
        assert resource.json()["resource"] == "https://host.example/auth/mcp"
        server = await get(house, "/.well-known/oauth-authorization-server/auth")
        assert server.json()["issuer"] == house.workos.authkit_url


async def test_what_authkit_does_itself_is_not_here(house: AuthKitHouse) -> None:
    async with house.gate.http() as http:
        for path in (
            *("/oauth/register", "/oauth/authorize", "/oauth/token", "/oauth/revoke"),
            *("/oauth/introspect", "/register", "/authorize", "/token", "/oauth/consent"),
            *("/oauth/hand-over", "/.well-known/jwks.json"),
        ):
            for method in ("GET", "POST"):
                answer = await http.request(method, path)
                assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), path


async def test_every_route_is_public_by_list_or_asks_for_a_token(house: AuthKitHouse) -> None:
    public = {
        "/healthz", "/readyz", "/api/mcp", "/oauth/continue", "/oauth/sign-in", "/oauth/factor",
        "/oauth/sign-out", "/oauth/signed-out", "/oauth/start/github", "/oauth/start/google",
        "/oauth/start/authkit", "/oauth/callback", "/oauth/login",
    }  # fmt: skip
    for path in house.gate.app.table:
        if path in public or "/.well-known/" in path or path.startswith("/oauth/static/"):
            continue
        async with house.gate.http() as http:
            for method in ("GET", "POST", "DELETE", "PUT"):
                assert (await http.request(method, path)).status_code == 401, (method, path)


async def test_keys_of_our_own_are_there_where_they_sign_something(open_gate: OpenGate) -> None:
    upstream = {
        "AUTHGATE_UPSTREAM": "http://127.0.0.1:9/mcp",
        "AUTHGATE_UPSTREAM_IDENTITY": "jwt",
    }
    async with authkit_house(open_gate, upstream) as house:
        assert (await get(house, "/.well-known/jwks.json")).json()["keys"]


# --- trouble at AuthKit ---------------------------------------------------------------------------


async def broken(open_gate: OpenGate, answer: dict[str, Any]) -> Any:
    """What is told of AuthKit while its metadata is answered like this from the start."""
    async with WorkOSStandIn() as workos:
        workos.fail(METADATA, times=99, **answer)
        gate = await open_gate(
            AUTHGATE_ISSUER="authkit",
            WORKOS_AUTHKIT_DOMAIN=workos.authkit_url,
            WORKOS_API_KEY=workos.api_key,
            WORKOS_API_URL=workos.api_url,
        )
        async with gate.http() as http:
            told = await http.get("/.well-known/oauth-authorization-server")
        await gate.stop()
    return told


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "body": {"error": "server_error"}},
        {"status": 404, "body": {"error": "not_found"}},
        {"status": 302, "headers": {"Location": "https://evil.example/"}},
        {"garbage": True},
        {"cut": True},
        {"status": 200, "body": ["no", "object"]},
        {"status": 200, "body": {"issuer": "https://evil.example"}},
        {"status": 200, "body": {"issuer": "x" * 300_000}},
    ],
)
async def test_without_its_metadata_the_answer_is_to_come_back(
    open_gate: OpenGate, answer: dict[str, Any]
) -> None:
    told = await broken(open_gate, answer)
    assert (told.status_code, told.json()["error"]) == (503, "temporarily_unavailable")
    assert int(told.headers["retry-after"]) > 0
    assert "evil" not in told.text


async def test_a_silent_authkit_is_not_waited_for_long(
    open_gate: OpenGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "TOTAL", 0.2)
    assert (await broken(open_gate, {"delay": 1})).status_code == 503


async def test_an_outage_later_on_is_not_noticed(house: AuthKitHouse) -> None:
    before = await get(house, "/.well-known/oauth-authorization-server")
    house.workos.fail("*", status=503, times=99)
    after = await get(house, "/.well-known/oauth-authorization-server")
    assert after.status_code == 200
    assert after.content == before.content


# --- the guard ------------------------------------------------------------------------------------


async def test_the_challenge_names_no_scope_of_ours(house: AuthKitHouse) -> None:
    told = challenge_of(await house.gate.call(None))
    assert told == {
        "resource_metadata": f"{house.gate.url}/.well-known/oauth-protected-resource/mcp"
    }


async def test_a_token_of_authkit_opens_and_needs_no_scope(house: AuthKitHouse) -> None:
    token = await token_of(house)
    assert (await house.gate.call(token)).status_code == 200
    bare = await token_of(house, scope="")
    assert (await house.gate.call(bare)).status_code == 200
    assert await house.whoami(token) == ALICE


async def test_a_rotation_at_authkit_is_seen_at_the_next_call(house: AuthKitHouse) -> None:
    old = await token_of(house)
    assert (await house.gate.call(old)).status_code == 200
    await asyncio.sleep(1.1)  # the keys were looked for at the first call
    house.workos.rotate_keys()
    new = house.workos.authkit_keys.sign({**claims_of(house, old), "jti": "another"})
    assert (await house.gate.call(new)).status_code == 200
    assert (await house.gate.call(old)).status_code == 200


async def test_a_session_token_of_user_management_opens_nothing(house: AuthKitHouse) -> None:
    good = claims_of(house, await token_of(house))
    before = len(house.workos.called("GET /oauth2/jwks"))
    for issued_by in ("https://api.workos.com", house.workos.api_url):
        token = house.workos.session_keys.sign({**good, "iss": issued_by, "sid": "session_1"})
        answer = await house.gate.call(token)
        assert answer.status_code == 401
        assert issued_by in answer.json()["error_description"]
    assert len(house.workos.called("GET /oauth2/jwks")) == before
    posing = await house.gate.call(house.workos.session_keys.sign(good))
    assert (posing.status_code, challenge_of(posing)["error"]) == (401, "invalid_token")


async def test_made_up_key_names_cost_one_request_a_second(house: AuthKitHouse) -> None:
    good = claims_of(house, await token_of(house))
    before = len(house.workos.called("GET /oauth2/jwks"))
    began = time.monotonic()
    while time.monotonic() < began + 1.5:
        answers = await asyncio.gather(
            *(house.gate.call(house.workos.session_keys.sign(good)) for _ in range(3))
        )
        assert {answer.status_code for answer in answers} == {401}
    asked = len(house.workos.called("GET /oauth2/jwks")) - before
    assert 1 <= asked <= 1 + (time.monotonic() - began)


async def test_an_outage_of_the_keys_ends_no_connection(house: AuthKitHouse) -> None:
    token = await token_of(house)
    assert (await house.gate.call(token)).status_code == 200
    await asyncio.sleep(1.1)
    house.workos.fail("GET /oauth2/jwks", status=503, times=99)
    assert (await house.gate.call(token)).status_code == 200
    house.workos.rotate_keys()
    good = claims_of(house, token)
    unknown = await house.gate.call(house.workos.authkit_keys.sign(good))
    assert (unknown.status_code, unknown.json()["error"]) == (503, "temporarily_unavailable")
    assert int(unknown.headers["retry-after"]) > 0
    house.workos.mend()
    await asyncio.sleep(1.1)
    assert (await house.gate.call(house.workos.authkit_keys.sign(good))).status_code == 200


async def test_a_resource_that_is_not_registered_is_told_with_the_remedy(
    house: AuthKitHouse,
) -> None:
    """The most frequent trouble of all: `aud` is the environment's client id then."""
    house.workos.resources.clear()
    answer = await house.gate.call(await token_of(house))
    assert answer.status_code == 401
    told = answer.json()
    assert house.workos.client_id in told["error_description"]
    assert house.resource in told["error_description"]
    assert "resource indicator" in told["hint"]
    assert house.workos.client_id in challenge_of(answer)["error_description"]


async def test_unless_the_operator_takes_the_client_id(open_gate: OpenGate) -> None:
    async with authkit_house(open_gate) as first:
        client_id = first.workos.client_id
    settings = {
        "AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE": "true",
        "WORKOS_CLIENT_ID": client_id,
    }
    async with authkit_house(open_gate, settings, client_id=client_id) as house:
        house.workos.resources.clear()
        assert (await house.gate.call(await token_of(house))).status_code == 200
        other = await token_of(house, aud="https://other.example/mcp")
        assert (await house.gate.call(other)).status_code == 401


@pytest.mark.parametrize("client_id_claim", [True, False])
async def test_a_token_may_not_say_its_client(house: AuthKitHouse, client_id_claim: bool) -> None:
    house.workos.client_id_claim = client_id_claim
    assert await house.whoami(await token_of(house)) == ALICE


async def test_a_person_who_is_disabled_is_out_at_once_and_back_after_a_sign_in(
    house: AuthKitHouse,
) -> None:
    token = await token_of(house)
    assert (await house.gate.call(token)).status_code == 200
    # Five seconds ago: a bar of this very second would also undo the sign-in below.
    await disable_person(house.gate.core.store, ALICE, int(time.time()) - 5)
    refused = await house.gate.call(token)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert "sign in again" in refused.json()["error_description"]
    await enable_person(house.gate.core.store, ALICE, int(time.time()))
    assert (await house.gate.call(token)).status_code == 401  # until they come back
    assert (await house.gate.call(await token_of(house))).status_code == 200


async def test_somebody_nobody_knows(house: AuthKitHouse) -> None:
    token = await token_of(house, sub="user_01STRANGER")
    answer = await house.gate.call(token)
    assert answer.status_code == 401
    assert "user_01STRANGER" in answer.json()["error_description"]


async def test_an_expired_token_and_a_foreign_origin(house: AuthKitHouse) -> None:
    old = await token_of(house, exp=int(time.time()) - 60)
    assert "expired" in (await house.gate.call(old)).json()["error_description"]
    token = await token_of(house)
    assert (await house.gate.call(token, origin="https://evil.example")).status_code == 403
