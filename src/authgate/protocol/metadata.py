"""The discovery documents: what authorization server and protected resource say of themselves.

RFC 8414 section 2, RFC 9728 section 2, RFC 9207 section 3. Made from settings once; never from a
request, so no Host header can reach them. Members without a value are left out, never null.
"""

from __future__ import annotations

from collections.abc import Sequence

from authgate.protocol.elsewhere import SCOPES as SCOPES_ELSEWHERE
from authgate.protocol.registration import AUTH_METHODS, GRANT_TYPES
from authgate.protocol.scopes import OFFLINE_ACCESS


def authorization_server(issuer: str, scopes: Sequence[str]) -> dict[str, object]:
    """The authorization server metadata of `issuer` (an exact string without trailing slash).

    The same document answers the OpenID Connect Discovery addresses for clients that look only
    there; it claims no OpenID Connect feature.
    """
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "registration_endpoint": f"{issuer}/oauth/register",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": [*_of_resource(scopes), OFFLINE_ACCESS],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": [
            method for method in AUTH_METHODS if method != "none"
        ],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


def protected_resource(
    resource: str, issuer: str, scopes: Sequence[str], name: str
) -> dict[str, object]:
    """The protected resource metadata of `resource`; `offline_access` is no scope of a resource."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": _of_resource(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    }


def protected_resource_elsewhere(resource: str, issuer: str, name: str) -> dict[str, object]:
    """The same where tokens are issued elsewhere: the issuer's scopes, and all of them.

    Clients ask for whatever is listed here. One of ours would be an error at AuthKit, and without
    `offline_access` it gives no refresh token: everybody would sign in every few minutes.
    """
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": sorted(SCOPES_ELSEWHERE),
        "bearer_methods_supported": ["header"],
        "resource_name": name,
    }


def _of_resource(scopes: Sequence[str]) -> list[str]:
    return [name for name in scopes if name != OFFLINE_ACCESS]
