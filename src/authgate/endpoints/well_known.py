"""The discovery documents at every address clients look for them (RFC 8414 3.1, RFC 9728 3.1).

Made once from the settings, or passed on from the issuer elsewhere; nothing of a request reaches
them. Addresses nobody knows are 404.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson

from authgate.issuers.contract import Issuer, IssuerElsewhere
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
    return {
        **_everywhere(server, resource, place, mcp_path),
        **own_keys(issuer, place),
    }


def routes_elsewhere(
    policy: Policy, issuer: IssuerElsewhere, place: Place, mcp_path: str
) -> dict[str, Endpoint]:
    """The same addresses where tokens are issued elsewhere.

    The server's metadata is its own, passed on for older clients, which look for it here and
    nowhere else (MCP 2025-03-26). It names its issuer, and not this address: newer clients, which
    compare the two, follow the resource's metadata instead. Its OpenID Connect document is not
    asked for: it leaves out PKCE and registration, which are what MCP clients need.
    """

    async def passed_on(_: Request) -> Answer:
        return document((await issuer.metadata()).body, METADATA_MAX_AGE)

    resource = metadata.protected_resource_elsewhere(
        policy.default_resource, issuer.identifier, RESOURCE_NAME
    )
    return _everywhere(Endpoint(get=passed_on, cors=True), _fixed(resource), place, mcp_path)


def own_keys(issuer: Issuer, place: Place) -> dict[str, Endpoint]:
    """The keys that sign here (RFC 7517 section 5)."""
    return {f"{place.prefix}/.well-known/jwks.json": Endpoint(get=_jwks(issuer), cors=True)}


def _everywhere(
    server: Endpoint, resource: Endpoint, place: Place, mcp_path: str
) -> dict[str, Endpoint]:
    table: dict[str, Endpoint] = {}
    mcp = place.prefix + mcp_path
    for name in AS_DOCUMENTS:
        for path in _addresses(name, place.prefix, mcp):
            table[path] = server
    for path in _addresses("oauth-protected-resource", "", mcp):
        table[path] = resource
    table[f"{place.prefix}/.well-known/oauth-protected-resource"] = resource
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
