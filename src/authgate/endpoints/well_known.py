"""The discovery documents at every address clients look for them (RFC 8414 3.1, RFC 9728 3.1).

Made once from the settings; nothing of a request reaches them. Addresses nobody knows are 404.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson

from authgate.issuers.contract import Issuer
from authgate.protocol import metadata
from authgate.protocol.policy import Policy
from authgate.web.answers import Answer, document
from authgate.web.endpoint import Endpoint, Handler
from authgate.web.request import Request

METADATA_MAX_AGE = 300
JWKS_MAX_AGE = 300
RESOURCE_NAME = "authgate"

_Any = TypeVar("_Any")

AS_DOCUMENTS = ("oauth-authorization-server", "openid-configuration")


@dataclass(frozen=True, slots=True)
class Place:
    """Where this authgate lives: `origin` without path, `prefix` the path of the public URL."""

    origin: str
    prefix: str

    @classmethod
    def of(cls, public_url: str) -> Place:
        scheme, _, rest = public_url.partition("://")
        host, slash, path = rest.partition("/")
        return cls(f"{scheme}://{host}", slash + path)

    def resource_metadata_url(self, mcp_path: str) -> str:
        """The protected resource metadata's address, path inserted (RFC 9728 section 3.1)."""
        return f"{self.origin}/.well-known/oauth-protected-resource{self.prefix}{mcp_path}"

    def within(self, paths: Mapping[str, _Any]) -> dict[str, _Any]:
        """Paths below the public URL's own."""
        return {self.prefix + path: app for path, app in paths.items()}


def routes(policy: Policy, issuer: Issuer, place: Place, mcp_path: str) -> dict[str, Endpoint]:
    """Every discovery address with its document.

    For an issuer with a path: inserted, appended and at the root. The MCP path inserted or appended
    works too, for clients that derive the address from the URL they were given.
    """
    server = _fixed(metadata.authorization_server(policy.issuer, policy.scopes))
    resource = _fixed(
        metadata.protected_resource(
            policy.default_resource, policy.issuer, policy.scopes, RESOURCE_NAME
        )
    )
    table: dict[str, Endpoint] = {}
    mcp = place.prefix + mcp_path
    for name in AS_DOCUMENTS:
        for path in _addresses(name, place.prefix, mcp):
            table[path] = server
    for path in _addresses("oauth-protected-resource", "", mcp):
        table[path] = resource
    table[f"{place.prefix}/.well-known/oauth-protected-resource"] = resource
    table[f"{place.prefix}/.well-known/jwks.json"] = Endpoint(get=_jwks(issuer), cors=True)
    return table


def _addresses(name: str, prefix: str, mcp: str) -> tuple[str, ...]:
    known = f"/.well-known/{name}"
    return (known, known + prefix, prefix + known, known + mcp, mcp + known)


def _fixed(content: dict[str, object]) -> Endpoint:
    body = orjson.dumps(content)

    async def get(_: Request) -> Answer:
        return document(body, METADATA_MAX_AGE)

    return Endpoint(get=get, cors=True)


def _jwks(issuer: Issuer) -> Handler:
    async def get(_: Request) -> Answer:
        return document(issuer.jwks(), JWKS_MAX_AGE)

    return get
