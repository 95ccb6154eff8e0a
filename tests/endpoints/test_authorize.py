"""The authorization endpoint from outside (reference: OAuth 2.1 sections 4.1.1 and 4.1.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import REDIRECT, Gate, Pkce, answer_of

HOSTED = "https://client.example/callback"


async def ask(gate: Gate, client: dict[str, Any], **changes: Any) -> Any:
    async with gate.http() as http:
        return await http.get("/oauth/authorize", params=gate.question(client, Pkce(), **changes))


@clause("RFC 6749", "4.1.2")
@clause("RFC 9207", "2")
async def test_success_carries_code_state_and_iss(gate: Gate) -> None:
    client = await gate.register()
    state = "x y+z/=&?#%20~ \x7e"
    answer = answer_of(await gate.authorize(client, Pkce(), state=state))
    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == state
    assert answer["iss"] == gate.url


async def test_a_request_without_state_is_answered_without_state(gate: Gate) -> None:
    client = await gate.register()
    answer = answer_of(await gate.authorize(client, Pkce(), state=None))
    assert answer.keys() == {"code", "iss"}


@clause("RFC 6749", "4.1.2.1")
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "client_nobody"},
        {"client_id": None},
        {"client_id": ""},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": REDIRECT + "/../steal"},
        {"redirect_uri": REDIRECT + "?x=1"},
        {"redirect_uri": "http://127.0.0.1:3000/oauth/callback"},
        {"redirect_uri": "HTTP://localhost:3000/oauth/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"client_id": ["a", "b"]},
        {"redirect_uri": [REDIRECT, REDIRECT]},
        {"state": "\r\nset-cookie: a=b"},
        {"state": "x" * 5000},
    ],
)
async def test_nothing_is_ever_sent_to_an_unproven_address(
    gate: Gate, changes: dict[str, Any]
) -> None:
    """CVE-2025-4143: the redirect URI must be judged here, not only at the token endpoint."""
    answer = await ask(gate, await gate.register(), **changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "evil.example" not in answer.text


FAULTS = [
    ({"code_challenge": None}, "invalid_request", "PKCE"),
    ({"code_challenge_method": None}, "invalid_request", "S256"),
    ({"code_challenge_method": "plain"}, "invalid_request", "S256"),
    ({"code_challenge_method": "s256"}, "invalid_request", "S256"),
    ({"code_challenge": "short"}, "invalid_request", "PKCE"),
    ({"code_challenge": "=" * 43}, "invalid_request", "PKCE"),
    ({"response_type": None}, "invalid_request", "response_type"),
    ({"response_type": "token"}, "unsupported_response_type", "response_type"),
    ({"response_type": "code token"}, "unsupported_response_type", "response_type"),
    ({"response_mode": "fragment"}, "invalid_request", "response_mode"),
    ({"request": "e30.e30."}, "request_not_supported", "Request objects"),
    ({"scope": 'mcp:use "quoted"'}, "invalid_scope", "scope"),
    ({"resource": "https://elsewhere.example/mcp"}, "invalid_target", "resource"),
    ({"resource": ["http://localhost:8000/mcp"] * 2}, "invalid_target", "resource"),
    ({"scope": ["mcp:use", "mcp:use"]}, "invalid_request", "scope"),
    ({"prompt": "none"}, "interaction_required", "person"),
]


@clause("RFC 6749", "4.1.2.1")
@pytest.mark.parametrize(("changes", "error", "word"), FAULTS)
async def test_faults_go_back_to_a_loopback_client(
    gate: Gate, changes: dict[str, Any], error: str, word: str
) -> None:
    answer = await ask(gate, await gate.register(), **changes)
    assert answer.status_code == 303
    told = answer_of(answer.headers["location"])
    assert answer.headers["location"].startswith(REDIRECT + "?")
    assert told["error"] == error
    assert word in told["error_description"]
    assert (told["state"], told["iss"]) == ("a state", gate.url)


@clause("RFC 9700", "4.11.2")
@pytest.mark.parametrize(("changes", "error", "word"), FAULTS)
async def test_faults_are_not_redirected_to_a_host_that_registered_itself(
    gate: Gate, changes: dict[str, Any], error: str, word: str
) -> None:
    client = await gate.register(redirect_uris=[HOSTED])
    answer = await ask(gate, client, **changes)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert word in answer.text
    assert f'href="{HOSTED}?error={error}' in answer.text


@clause("OAuth 2.1", "3.1")
async def test_unknown_parameters_are_ignored_and_empty_ones_absent(gate: Gate) -> None:
    client = await gate.register()
    answer = await ask(gate, client, unheard_of="yes", scope="", resource="", nonce="n")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/oauth/continue?request=")


@clause("RFC 8252", "7.3")
async def test_the_port_of_a_loopback_redirect_is_free(gate: Gate) -> None:
    client = await gate.register(redirect_uris=["http://127.0.0.1/cb", "http://localhost/cb"])
    for uri in ("http://127.0.0.1:49152/cb", "http://localhost:1/cb", "http://localhost/cb"):
        assert (await ask(gate, client, redirect_uri=uri)).status_code == 303
    for uri in ("http://127.0.0.1:49152/cb2", "http://[::1]:1/cb", "http://127.0.0.1:99999/cb"):
        assert (await ask(gate, client, redirect_uri=uri)).status_code == 400


async def test_a_second_get_of_the_same_url_works(gate: Gate) -> None:
    """FastMCP fetches the authorization URL once before it opens the browser."""
    client, pkce = await gate.register(), Pkce()
    question = gate.question(client, pkce)
    async with gate.http() as first, gate.http() as second:
        assert (await first.get("/oauth/authorize", params=question)).status_code == 303
        assert (await second.get("/oauth/authorize", params=question)).status_code == 303
    assert (await gate.exchange(client, await gate.code(client, pkce), pkce)).status_code == 200


@clause("RFC 9207", "2")
async def test_iss_is_ours_and_once_even_if_the_registered_uri_has_one(gate: Gate) -> None:
    uri = "http://localhost:3000/cb?tenant=a%2Fb&iss=https://evil.example&code=x"
    client = await gate.register(redirect_uris=[uri])
    answer = answer_of(await gate.authorize(client, Pkce()))
    assert answer["iss"] == gate.url
    assert answer["tenant"] == "a/b"
    assert answer["code"] != "x"


async def test_no_cross_origin_script_may_read_it(gate: Gate) -> None:
    async with gate.http() as http:
        answer = await http.options("/oauth/authorize", headers={"origin": "https://a.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_documents_and_answers_never_follow_the_host_header(open_gate: OpenGate) -> None:
    gate = await open_gate(AUTHGATE_PUBLIC_URL="https://auth.example")
    async with gate.http() as http:
        for path in gate.app.table:
            answer = await http.get(
                path, headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
            )
            assert "evil.example" not in answer.text + str(answer.headers)


async def test_a_crafted_link_cannot_put_its_words_on_our_page(gate: Gate) -> None:
    client = await gate.register(redirect_uris=[HOSTED])
    words = "your account is locked, call 555-0100"
    answer = await ask(gate, client, **{words: ["1", "2"], "scope": ["a", "b"]})
    assert answer.status_code == 400
    assert "locked" not in answer.text


async def test_addresses_that_do_not_exist(gate: Gate) -> None:
    async with gate.http() as http:
        person = await http.get("/nowhere", headers={"accept": "text/html,*/*;q=0.8"})
        program = await http.get("/nowhere", headers={"accept": "application/json"})
        posted = await http.post("/nowhere", headers={"accept": "text/html"}, content=b"x")
        slash = await http.post("/mcp/", headers={"accept": "application/json"})
    assert person.status_code == 404
    assert "<h1>" in person.text
    assert "frame-ancestors 'none'" in person.headers["content-security-policy"]
    assert program.json()["error"] == "not_found"
    assert posted.json()["error"] == "not_found"
    assert slash.status_code == 404  # and never a redirect, on which clients drop their token


async def test_a_flood_of_requests_from_one_address_is_slowed(open_gate: OpenGate) -> None:
    """Each leaves a row that no person has to sign in for; pages and tools share the count."""
    gate = await open_gate(AUTHGATE_LIMIT_AUTHORIZATION="3/5 seconds")
    client = await gate.register()
    assert [(await ask(gate, client)).status_code for _ in range(4)] == [303, 303, 303, 429]
    blocked = await ask(gate, client)
    assert 1 <= int(blocked.headers["retry-after"]) <= 5
    assert "<h1>" in blocked.text
    params = {**gate.question(client, Pkce()), "client_id": client["client_id"]}
    async with gate.http() as http:
        tool = await http.post("/api/mcp", json={"method": "oauth_authorize", "params": params})
    assert (tool.status_code, tool.json()["error"]["code"]) == (429, "slow_down")
