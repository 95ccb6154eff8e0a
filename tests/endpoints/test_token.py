"""The token endpoint from outside (reference: OAuth 2.1 sections 3.2, 4.1.3 and 4.3)."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote_plus

import pytest

from authgate import app as application
from authgate.app import building
from authgate.directories.contract import Gone
from authgate.directories.embedded import EmbeddedDirectory
from authgate.directories.people import disable_person
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate, Pkce

CONFIDENTIAL = {"token_endpoint_auth_method": "client_secret_basic"}


def claims_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, payload, _ = token.split(".")
    return tuple(
        json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        for part in (head, payload)
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seconds that a gate opened after this runs ahead of the real clock."""
    ahead = [0]
    real = application.now
    monkeypatch.setattr(building, "now", lambda: real() + ahead[0])
    return ahead


@clause("RFC 6749", "5.1")
@clause("RFC 9068", "2.2")
async def test_a_code_buys_an_access_token_of_the_profile(gate: Gate) -> None:
    client, pkce = await gate.register(), Pkce()
    answer = await gate.exchange(client, await gate.code(client, pkce), pkce)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert body["scope"] == "mcp:use"
    header, claims = claims_of(body["access_token"])
    assert header["typ"] == "at+jwt"
    assert header["alg"] == "ES256"
    assert claims["iss"] == gate.url
    assert claims["aud"] == gate.url + "/mcp"
    assert claims["client_id"] == client["client_id"]
    assert claims["scope"] == "mcp:use"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["sub"].startswith("ag_")
    assert {"jti", "auth_time"} <= claims.keys()


async def test_only_clients_that_registered_for_it_get_a_refresh_token(gate: Gate) -> None:
    without = await gate.register(grant_types=["authorization_code"])
    assert "refresh_token" not in await gate.tokens(without)
    assert "refresh_token" in await gate.tokens(await gate.register())


@clause("RFC 6749", "4.1.2")
async def test_fifty_at_once_and_one_wins(gate: Gate) -> None:
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    answers = await asyncio.gather(*(gate.exchange(client, code, pkce) for _ in range(50)))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {answer.json()["error"] for answer in answers if answer not in won} == {"invalid_grant"}
    # Forty-nine of them were replays, so what the winner got is dead (RFC 9700 section 4.5).
    assert (await gate.call(won[0].json()["access_token"])).status_code == 401
    assert (await gate.refresh(client, won[0].json()["refresh_token"])).status_code == 400


@clause("RFC 9700", "4.5")
async def test_a_replay_ends_what_the_code_gave_and_a_guess_does_not(gate: Gate) -> None:
    client, pkce = await gate.register(), Pkce()
    other = await gate.register()
    code = await gate.code(client, pkce)
    tokens = (await gate.exchange(client, code, pkce)).json()
    for guess in (
        await gate.exchange(client, code, Pkce()),
        await gate.exchange(client, code, pkce, redirect_uri="https://evil.example"),
        await gate.exchange(other, code, pkce),
        await gate.exchange(client, code + "x", pkce),
    ):
        assert guess.json()["error"] == "invalid_grant"
        assert (await gate.call(tokens["access_token"])).status_code == 200
    assert (await gate.exchange(client, code, pkce)).json()["error"] == "invalid_grant"
    assert (await gate.call(tokens["access_token"])).status_code == 401


BAD_EXCHANGES = [
    ({"code_verifier": None}, "invalid_grant", "PKCE verification failed"),
    ({"code_verifier": "short"}, "invalid_grant", "PKCE verification failed"),
    ({"code_verifier": "x" * 43}, "invalid_grant", "PKCE verification failed"),
    ({"code_verifier": "x" * 129}, "invalid_grant", "PKCE verification failed"),
    ({"code": None}, "invalid_request", "code"),
    ({"code": "unknown"}, "invalid_grant", "code"),
    ({"redirect_uri": "http://localhost:3001/oauth/callback"}, "invalid_grant", "redirect URI"),
    ({"grant_type": None}, "invalid_request", "grant_type"),
    ({"grant_type": "password"}, "unsupported_grant_type", "grant type"),
    ({"grant_type": "client_credentials"}, "unsupported_grant_type", "grant type"),
    ({"resource": "https://elsewhere.example/mcp"}, "invalid_target", "resource"),
    ({"code": ["a", "b"]}, "invalid_request", "code"),
    ({"client_id": ["a", "b"]}, "invalid_request", "client_id"),
]


@clause("RFC 6749", "5.2")
@pytest.mark.parametrize(("changes", "error", "word"), BAD_EXCHANGES)
async def test_a_bad_exchange_is_told_and_leaves_the_code_usable(
    gate: Gate, changes: dict[str, Any], error: str, word: str
) -> None:
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    refused = await gate.exchange(client, code, pkce, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert word in refused.json()["error_description"]
    assert refused.json()["hint"]
    assert refused.headers["cache-control"] == "no-store"
    assert (await gate.exchange(client, code, pkce)).status_code == 200


async def test_redirect_uri_is_optional_at_the_token_endpoint(gate: Gate) -> None:
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    assert (await gate.exchange(client, code, pkce, redirect_uri=None)).status_code == 200


async def test_five_wrong_verifiers_spend_a_code(gate: Gate) -> None:
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    for _ in range(5):
        answer = await gate.exchange(client, code, Pkce())
        assert "PKCE verification failed" in answer.json()["error_description"]
    assert "too often" in (await gate.exchange(client, code, pkce)).json()["error_description"]


async def test_a_code_lives_sixty_seconds(open_gate: OpenGate, clock: list[int]) -> None:
    gate = await open_gate()
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    clock[0] = 61
    late = await gate.exchange(client, code, pkce)
    assert "expired" in late.json()["error_description"]


@clause("OAuth 2.1", "3.2.4")
async def test_unknown_clients_are_told_to_register_again(gate: Gate) -> None:
    """Claude and the SDKs register again on 401 invalid_client, and on nothing else."""
    answer = await gate.token(grant_type="authorization_code", client_id="client_gone", code="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "www-authenticate" not in answer.headers
    missing = await gate.token(grant_type="authorization_code", code="x")
    assert (missing.status_code, missing.json()["error"]) == (401, "invalid_client")
    basic = await gate.token(
        auth=("client_gone", "secret"), grant_type="authorization_code", code="x"
    )
    assert basic.status_code == 401
    assert basic.headers["www-authenticate"].startswith("Basic ")


@clause("RFC 6749", "2.3.1")
async def test_confidential_clients_use_the_way_they_registered(gate: Gate) -> None:
    basic = await gate.register(**CONFIDENTIAL)
    post = await gate.register(token_endpoint_auth_method="client_secret_post")
    assert basic["client_secret_expires_at"] == 0

    async def attempt(client: dict[str, Any], auth: Any = None, **form: Any) -> int:
        pkce = Pkce()
        code = await gate.code(client, pkce)
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": pkce.verifier,
            **form,
        }
        return (await gate.token(auth=auth, **sent)).status_code

    name, secret = basic["client_id"], basic["client_secret"]
    assert await attempt(basic, (name, secret)) == 200
    assert await attempt(basic, (name, "wrong")) == 401
    assert await attempt(basic, client_id=name, client_secret=secret) == 401
    assert await attempt(basic, client_id=name) == 401
    assert await attempt(basic, (name, secret), client_id=name, client_secret=secret) == 400
    assert await attempt(basic, (name, secret), client_id="another") == 400
    name, secret = post["client_id"], post["client_secret"]
    assert await attempt(post, client_id=name, client_secret=secret) == 200
    assert await attempt(post, (name, secret)) == 401
    assert await attempt(post, client_id=name, client_secret="") == 401


@clause("RFC 6749", "2.3.1")
async def test_basic_is_form_decoded(gate: Gate) -> None:
    client = await gate.register(**CONFIDENTIAL)
    pkce = Pkce()
    code = await gate.code(client, pkce)
    encoded = quote_plus(client["client_id"]).replace("_", "%5F")
    pair = f"{encoded}:{quote_plus(client['client_secret'])}".encode()
    async with gate.http() as http:
        answer = await http.post(
            "/oauth/token",
            data={
                "grant_type": "authorization_code",
                "code": code,
                "code_verifier": pkce.verifier,
            },
            headers={"authorization": "Basic " + base64.b64encode(pair).decode()},
        )
    assert answer.status_code == 200


async def test_wrong_secrets_are_throttled_and_right_ones_elsewhere_are_not(
    open_gate: OpenGate,
) -> None:
    gate = await open_gate(AUTHGATE_LIMIT_CLIENT="3/minute")
    client = await gate.register(**CONFIDENTIAL)
    other = await gate.register(**CONFIDENTIAL)
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    for _ in range(3):
        assert (await gate.token((client["client_id"], "wrong"), **form)).status_code == 401
    blocked = await gate.token((client["client_id"], client["client_secret"]), **form)
    assert blocked.status_code == 429
    assert 1 <= int(blocked.headers["retry-after"]) <= 60
    free = await gate.token((other["client_id"], other["client_secret"]), **form)
    assert free.json()["error"] == "invalid_grant"


@clause("OAuth 2.1", "4.3.1")
async def test_refresh_rotates_and_a_late_repeat_ends_the_grant(gate: Gate) -> None:
    client = await gate.register()
    first = await gate.tokens(client)
    second = (await gate.refresh(client, first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    # The successor is unused: a client that missed the answer gets the very same one.
    repeat = (await gate.refresh(client, first["refresh_token"])).json()
    assert repeat["refresh_token"] == second["refresh_token"]
    third = (await gate.refresh(client, second["refresh_token"])).json()
    # Now the successor was used, so whoever shows the first one is a thief or his victim.
    replay = await gate.refresh(client, first["refresh_token"])
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert (await gate.call(third["access_token"])).status_code == 401
    assert (await gate.refresh(client, third["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_crowd_of_refreshes_gets_one_successor(gate: Gate) -> None:
    client = await gate.register()
    token = (await gate.tokens(client))["refresh_token"]
    answers = await asyncio.gather(*(gate.refresh(client, token) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


async def test_no_grace_means_no_grace(open_gate: OpenGate, clock: list[int]) -> None:
    gate = await open_gate(AUTHGATE_REFRESH_GRACE="60")
    client = await gate.register()
    token = (await gate.tokens(client))["refresh_token"]
    second = (await gate.refresh(client, token)).json()
    clock[0] = 61
    assert (await gate.refresh(client, token)).json()["error"] == "invalid_grant"
    assert (await gate.refresh(client, second["refresh_token"])).json()["error"] == "invalid_grant"


@clause("RFC 6749", "6")
@clause("RFC 8707", "2.2")
async def test_refresh_narrows_and_never_widens(open_gate: OpenGate) -> None:
    gate = await open_gate(
        AUTHGATE_SCOPES="mcp:use mcp:admin", AUTHGATE_RESOURCES="https://other.example/mcp"
    )
    client = await gate.register()
    tokens = await gate.tokens(client, scope="mcp:use mcp:admin offline_access")
    assert tokens["scope"] == "mcp:use mcp:admin offline_access"
    narrow = (await gate.refresh(client, tokens["refresh_token"], scope="mcp:use")).json()
    assert narrow["scope"] == "mcp:use"
    wide = (await gate.refresh(client, narrow["refresh_token"])).json()
    assert wide["scope"] == "mcp:use mcp:admin offline_access"
    beyond = await gate.refresh(client, wide["refresh_token"], scope="mcp:use root")
    assert beyond.json()["error"] == "invalid_scope"
    foreign = await gate.refresh(
        client, wide["refresh_token"], resource="https://other.example/mcp"
    )
    assert foreign.json()["error"] == "invalid_target"
    assert (await gate.refresh(client, wide["refresh_token"])).status_code == 200


async def test_refresh_belongs_to_its_client(gate: Gate) -> None:
    """GHSA-pw9m-5jxm-xr6h: a confidential client must authenticate, another one gets nothing."""
    client, thief = await gate.register(**CONFIDENTIAL), await gate.register()
    auth = (client["client_id"], client["client_secret"])
    pkce = Pkce()
    code = await gate.code(client, pkce)
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier}
    token = (await gate.token(auth=auth, **form)).json()["refresh_token"]
    assert (await gate.refresh(client, token)).status_code == 401
    assert (await gate.refresh(thief, token)).json()["error"] == "invalid_grant"
    again = await gate.token(auth=auth, grant_type="refresh_token", refresh_token=token)
    assert again.status_code == 200


async def test_a_client_without_the_grant_type_cannot_refresh(gate: Gate) -> None:
    client = await gate.register(grant_types=["authorization_code"])
    answer = await gate.refresh(client, "anything")
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_disabled_people_lose_everything_at_once(gate: Gate) -> None:
    client = await gate.register()
    tokens = await gate.tokens(client)
    account = (await gate.core.store.accounts())[0]
    await disable_person(gate.core.store, account.email, application.now())
    assert (await gate.call(tokens["access_token"])).status_code == 401
    assert (await gate.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


@clause("RFC 8707", "2.2")
async def test_the_audience_is_what_was_consented_to(open_gate: OpenGate) -> None:
    """GHSA-p2fr-6hmx-4528: the audience must not come from the token request."""
    gate = await open_gate(AUTHGATE_RESOURCES="https://other.example/mcp")
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce, resource="https://other.example/mcp/")
    widened = await gate.exchange(client, code, pkce, resource=gate.url + "/mcp")
    assert widened.json()["error"] == "invalid_target"
    tokens = (await gate.exchange(client, code, pkce)).json()
    assert claims_of(tokens["access_token"])[1]["aud"] == "https://other.example/mcp"
    # And the server it was not made for does not take it (CVE-2025-69196).
    assert (await gate.call(tokens["access_token"])).status_code == 401


@clause("OAuth 2.1", "3.2")
async def test_form_and_cors(gate: Gate) -> None:
    async with gate.http() as http:
        as_json = await http.post("/oauth/token", json={"grant_type": "authorization_code"})
        got = await http.get("/oauth/token")
        preflight = await http.options(
            "/oauth/token",
            headers={"origin": "https://app.example", "access-control-request-method": "POST"},
        )
    assert (as_json.status_code, as_json.json()["error"]) == (400, "invalid_request")
    assert "application/x-www-form-urlencoded" in as_json.json()["hint"]
    assert as_json.headers["access-control-allow-origin"] == "*"
    assert got.status_code == 405
    assert "POST" in got.headers["allow"]
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in preflight.headers


async def test_a_code_of_somebody_disabled_meanwhile_buys_nothing(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consent may be committed a moment after the person was disabled, and outlive it."""
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    sub = (await gate.core.store.accounts())[0].sub

    async def gone(_self: Any, asked: str) -> Gone:
        assert asked == sub
        return Gone()

    monkeypatch.setattr(EmbeddedDirectory, "recheck", gone)
    assert (await gate.exchange(client, code, pkce)).json()["error"] == "invalid_grant"
