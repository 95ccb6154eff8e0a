"""Dynamic client registration from outside (RFC 7591)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import REDIRECT, Gate


async def post(gate: Gate, document: Any) -> Any:
    async with gate.http() as http:
        return await http.post("/oauth/register", json=document)


@clause("RFC 7591", "3.2.1")
async def test_everything_registered_is_echoed_with_the_defaults(gate: Gate) -> None:
    answer = await post(gate, {"redirect_uris": [REDIRECT], "client_name": "My MCP Client"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["token_endpoint_auth_method"] == "client_secret_basic"
    assert body["grant_types"] == ["authorization_code"]
    assert body["response_types"] == ["code"]
    assert body["client_name"] == "My MCP Client"
    assert body["redirect_uris"] == [REDIRECT]
    assert body["scope"] == "mcp:use"
    assert body["client_secret_expires_at"] == 0
    assert isinstance(body["client_id_issued_at"], int)
    assert not body["client_id"].startswith("https://")
    assert None not in body.values()


async def test_public_clients_get_no_secret(gate: Gate) -> None:
    body = await gate.register()
    assert "client_secret" not in body
    assert "client_secret_expires_at" not in body


@clause("RFC 7591", "2")
async def test_unknown_members_are_ignored_and_known_ones_kept(gate: Gate) -> None:
    body = await gate.register(
        client_uri="https://client.example",
        logo_uri="https://client.example/logo.png",
        contacts=["dev@client.example"],
        software_id="4NRB1",
        code_challenge_method="S256",
        registration_access_token="smuggled",
        client_id="client_mine",
        client_secret="mine",
        self_registered=False,
        application_type="native",
    )
    assert body["client_uri"] == "https://client.example"
    assert body["contacts"] == ["dev@client.example"]
    assert body["client_id"] != "client_mine"
    assert not {"client_secret", "registration_access_token", "self_registered"} & body.keys()
    assert "code_challenge_method" not in body


async def test_an_unlisted_private_scheme_costs_only_its_own_uri(gate: Gate) -> None:
    uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "vscode://vscode.mcp/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]
    body = await gate.register(redirect_uris=uris)
    assert body["redirect_uris"] == [uris[0], uris[2], uris[3]]


@clause("RFC 7591", "3.2.2")
@pytest.mark.parametrize(
    "uri",
    [
        "http://evil.example/cb",
        "http://evil.example/cb#frag",
        "https://client.example/cb#frag",
        "https://user@client.example/cb",
        "https://*.client.example/cb",
        "https://client.example/a/../b",
        "https://client.example/a/%2e%2e/b",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://127.0.0.1.evil.example/cb",
        "https://",
        "/relative",
        "",
        "https://client.example/ space",
        "https://client.example/\\back",
        "vscode://only.this/one",
    ],
)
async def test_bad_redirect_uris_refuse_the_registration(gate: Gate, uri: str) -> None:
    good = [] if uri.startswith("vscode") else [REDIRECT]
    answer = await post(gate, {"redirect_uris": [*good, uri]})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")
    assert "redirect URI" in answer.json()["error_description"]


@clause("RFC 7591", "3.2.2")
@pytest.mark.parametrize(
    ("member", "value", "error"),
    [
        ("redirect_uris", None, "invalid_redirect_uri"),
        ("redirect_uris", [], "invalid_redirect_uri"),
        ("redirect_uris", REDIRECT, "invalid_redirect_uri"),
        ("redirect_uris", [1], "invalid_redirect_uri"),
        ("redirect_uris", [REDIRECT] * 21, "invalid_redirect_uri"),
        ("token_endpoint_auth_method", "private_key_jwt", "invalid_client_metadata"),
        ("token_endpoint_auth_method", ["none"], "invalid_client_metadata"),
        ("grant_types", ["implicit"], "invalid_client_metadata"),
        ("grant_types", "authorization_code", "invalid_client_metadata"),
        ("response_types", ["token"], "invalid_client_metadata"),
        ("scope", ["mcp:use"], "invalid_client_metadata"),
        ("client_name", "x" * 200, "invalid_client_metadata"),
        ("client_name", "Evil\u202egnp.exe", "invalid_client_metadata"),
        ("client_name", "line\nbreak", "invalid_client_metadata"),
        ("client_name", {"en": "x"}, "invalid_client_metadata"),
        ("client_uri", "javascript:alert(1)", "invalid_client_metadata"),
        ("logo_uri", "data:image/png;base64,x", "invalid_client_metadata"),
        ("application_type", "desktop", "invalid_client_metadata"),
        ("jwks_uri", "http://client.example/jwks", "invalid_client_metadata"),
        ("jwks", {"keys": [{"kty": "EC", "d": "secret"}]}, "invalid_client_metadata"),
        ("software_statement", "not a jwt", "invalid_software_statement"),
        ("software_statement", "e30.e30.", "unapproved_software_statement"),
    ],
)
async def test_bad_metadata_is_told_by_its_name(
    gate: Gate, member: str, value: Any, error: str
) -> None:
    answer = await post(gate, {"redirect_uris": [REDIRECT], member: value})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["hint"]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 5000])
async def test_bodies_that_are_no_object(gate: Gate, body: bytes) -> None:
    async with gate.http() as http:
        answer = await http.post(
            "/oauth/register", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_client_metadata", "invalid_redirect_uri")


async def test_bodies_over_64_kib_are_413(gate: Gate) -> None:
    answer = await post(gate, {"redirect_uris": [REDIRECT], "junk": "x" * 70_000})
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


async def test_a_flood_from_one_address_is_slowed(open_gate: OpenGate) -> None:
    gate = await open_gate(AUTHGATE_LIMIT_REGISTRATION="3/5 seconds")
    codes = [(await post(gate, {"redirect_uris": [REDIRECT]})).status_code for _ in range(4)]
    assert codes == [201, 201, 201, 429]
    blocked = await post(gate, {"redirect_uris": [REDIRECT]})
    assert 1 <= int(blocked.headers["retry-after"]) <= 5


async def test_one_registration_leaves_a_bounded_trace(gate: Gate) -> None:
    """Every member is within its own bound; together they are too much for a stranger to leave."""
    uris = [f"https://client.example/{number}/{'x' * 1900}" for number in range(9)]
    answer = await post(gate, {"redirect_uris": uris})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert (await post(gate, {"redirect_uris": uris[:8]})).status_code == 201
