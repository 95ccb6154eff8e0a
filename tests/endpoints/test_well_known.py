"""The discovery documents from outside (RFC 8414, RFC 9728)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate


async def get(gate: Gate, path: str) -> Any:
    async with gate.http() as http:
        return await http.get(path)


@clause("RFC 8414", "3.1")
@pytest.mark.parametrize("name", ["oauth-authorization-server", "openid-configuration"])
@pytest.mark.parametrize("form", ["/.well-known/{}", "/.well-known/{}/mcp", "/mcp/.well-known/{}"])
async def test_the_server_metadata_is_wherever_clients_look(
    gate: Gate, name: str, form: str
) -> None:
    answer = await get(gate, form.format(name))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    told = answer.json()
    assert told["issuer"] == gate.url
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert "none" in told["token_endpoint_auth_methods_supported"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert not [name for name, value in told.items() if value in (None, [], "")]


@clause("RFC 8414", "3.1")
async def test_an_issuer_with_a_path(open_gate: OpenGate) -> None:
    gate = await open_gate(AUTHGATE_PUBLIC_URL="https://host.example/auth")
    for path in (
        "/.well-known/oauth-authorization-server/auth",
        "/.well-known/openid-configuration/auth",
        "/auth/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ):
        told = (await get(gate, path)).json()
        assert told["issuer"] == "https://host.example/auth"
        assert told["token_endpoint"] == "https://host.example/auth/oauth/token"
    resource = (await get(gate, "/.well-known/oauth-protected-resource/auth/mcp")).json()
    assert resource["resource"] == "https://host.example/auth/mcp"
    assert resource["authorization_servers"] == ["https://host.example/auth"]
    async with gate.http() as http:
        challenge = (await http.post("/auth/mcp")).headers["www-authenticate"]
    assert (
        'resource_metadata="https://host.example/.well-known/oauth-protected-resource/auth/mcp"'
        in challenge
    )


@clause("RFC 9728", "3.1")
@pytest.mark.parametrize(
    "path",
    ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"],
)
async def test_the_resource_metadata(gate: Gate, path: str) -> None:
    told = (await get(gate, path)).json()
    assert told["resource"] == gate.url + "/mcp"
    assert told["authorization_servers"] == [gate.url]
    assert told["scopes_supported"] == ["mcp:use"]
    assert told["bearer_methods_supported"] == ["header"]
    assert told["resource_name"]


@clause("RFC 9728", "3.1")
@pytest.mark.parametrize("path", ["/other", "/mcp/", "/mcp/x", "/api/mcp", "/"])
async def test_the_metadata_of_an_unknown_resource_is_404(gate: Gate, path: str) -> None:
    answer = await get(gate, "/.well-known/oauth-protected-resource" + path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"


@clause("RFC 7517", "5")
async def test_the_key_set_holds_public_keys_only(gate: Gate) -> None:
    keys = (await get(gate, "/.well-known/jwks.json")).json()["keys"]
    assert keys
    for key in keys:
        assert key["alg"] == "ES256"
        assert key["use"] == "sig"
        assert not {"d", "p", "q", "k"} & key.keys()


async def test_preflights_are_answered(gate: Gate) -> None:
    async with gate.http() as http:
        for path in ("/.well-known/oauth-authorization-server", "/.well-known/jwks.json"):
            answer = await http.options(path, headers={"origin": "https://app.example"})
            assert answer.status_code == 204
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "mcp-protocol-version" in answer.headers["access-control-allow-headers"].lower()


async def test_every_route_is_public_by_list_or_asks_for_a_token(gate: Gate) -> None:
    """CVE-2026-32211: a transport that nobody guarded."""
    public = {
        "/authorize", "/register", "/token", "/healthz", "/readyz", "/api/mcp",
        "/oauth/authorize", "/oauth/register", "/oauth/token", "/oauth/revoke",
        "/oauth/introspect", "/oauth/continue", "/oauth/sign-in", "/oauth/factor",
        "/oauth/consent", "/oauth/sign-out", "/oauth/signed-out", "/oauth/start/github",
        "/oauth/start/google", "/oauth/start/authkit", "/oauth/callback", "/oauth/hand-over",
    }  # fmt: skip
    for path in gate.app.table:
        if path in public or "/.well-known/" in path or path.startswith("/oauth/static/"):
            continue
        async with gate.http() as http:
            for method in ("GET", "POST", "DELETE", "PUT"):
                assert (await http.request(method, path)).status_code == 401, (method, path)
