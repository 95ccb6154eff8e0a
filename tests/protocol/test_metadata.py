"""The discovery documents: complete, true, and nothing in them a strict client trips over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authgate.protocol.metadata import (
    authorization_server,
    protected_resource,
    protected_resource_elsewhere,
)
from tests.clauses import clause
from tests.protocol.making import RESOURCE

ISSUERS = ("https://auth.example.com", "http://localhost:8000", "https://example.com/tenant/a")
SCOPES = ("mcp:use", "mcp:admin")
FOR_EACH = pytest.mark.parametrize("issuer", ISSUERS)


def values(document: object) -> Iterator[object]:
    yield document
    if isinstance(document, dict):
        for value in document.values():
            yield from values(value)
    if isinstance(document, list):
        for value in document:
            yield from values(value)


@FOR_EACH
@clause("RFC 8414", "2")
def test_the_required_members_are_there_and_the_issuer_is_exact(issuer: str) -> None:
    document = authorization_server(issuer, SCOPES)
    assert document["issuer"] == issuer
    assert document["response_types_supported"] == ["code"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token"]
    for name, value in document.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert str(value).startswith(issuer + "/")
            assert "#" not in str(value)
    assert {"authorization_endpoint", "token_endpoint", "registration_endpoint"} <= document.keys()
    assert {"revocation_endpoint", "introspection_endpoint", "jwks_uri"} <= document.keys()


@FOR_EACH
@clause("RFC 8414", "3.2")
def test_nothing_is_null_or_empty(issuer: str) -> None:
    for document in (
        authorization_server(issuer, SCOPES),
        protected_resource(RESOURCE, issuer, SCOPES, "authgate"),
    ):
        assert not any(value in (None, "", [], {}) for value in values(document))


@clause("MCP authorization", "Authorization Code Protection")
def test_pkce_is_announced_with_s256_only() -> None:
    document = authorization_server(ISSUERS[0], SCOPES)
    assert document["code_challenge_methods_supported"] == ["S256"]


@clause("RFC 9207", "3")
def test_the_issuer_parameter_is_announced() -> None:
    document = authorization_server(ISSUERS[0], SCOPES)
    assert document["authorization_response_iss_parameter_supported"] is True


@clause("RFC 8414", "2")
def test_the_authentication_methods_are_said_and_introspection_is_not_for_public_clients() -> None:
    document = authorization_server(ISSUERS[0], SCOPES)
    every = ["none", "client_secret_post", "client_secret_basic"]
    assert document["token_endpoint_auth_methods_supported"] == every
    assert document["revocation_endpoint_auth_methods_supported"] == every
    assert document["introspection_endpoint_auth_methods_supported"] == every[1:]


@clause("MCP authorization", "Refresh Tokens")
def test_offline_access_is_the_servers_scope_and_never_the_resources() -> None:
    for listed in (SCOPES, (*SCOPES, "offline_access")):
        document = authorization_server(ISSUERS[0], listed)
        assert document["scopes_supported"] == [*SCOPES, "offline_access"]
        resource = protected_resource(RESOURCE, ISSUERS[0], listed, "authgate")
        assert resource["scopes_supported"] == list(SCOPES)


@clause("RFC 8414", "2")
def test_nothing_is_claimed_that_is_not_offered() -> None:
    """No OpenID Connect, no PAR, no device flow, no client metadata documents: not yet."""
    document = authorization_server(ISSUERS[0], SCOPES)
    for name in (
        *("userinfo_endpoint", "id_token_signing_alg_values_supported", "end_session_endpoint"),
        *("pushed_authorization_request_endpoint", "device_authorization_endpoint"),
        "client_id_metadata_document_supported",
    ):
        assert name not in document


@FOR_EACH
@clause("RFC 9728", "2")
def test_the_resource_names_itself_and_its_one_authorization_server(issuer: str) -> None:
    assert protected_resource(RESOURCE, issuer, SCOPES, "authgate") == {
        "resource": RESOURCE,
        "authorization_servers": [issuer],
        "scopes_supported": ["mcp:use", "mcp:admin"],
        "bearer_methods_supported": ["header"],
        "resource_name": "authgate",
    }


@clause("RFC 9728", "3.3")
def test_both_documents_spell_the_issuer_alike() -> None:
    for issuer in ISSUERS:
        resource = protected_resource(issuer + "/mcp", issuer, SCOPES, "authgate")
        assert resource["authorization_servers"] == [authorization_server(issuer, SCOPES)["issuer"]]


@clause("RFC 9728", "2")
def test_an_issuer_elsewhere_is_named_with_its_own_scopes() -> None:
    """With `offline_access`, without which AuthKit gives no refresh token."""
    assert protected_resource_elsewhere(RESOURCE, "https://t.authkit.app", "authgate") == {
        "resource": RESOURCE,
        "authorization_servers": ["https://t.authkit.app"],
        "scopes_supported": ["email", "offline_access", "openid", "profile"],
        "bearer_methods_supported": ["header"],
        "resource_name": "authgate",
    }
