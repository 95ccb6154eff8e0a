"""The official MCP SDK's servers: a token verifier, and the settings that belong to it.

    verifier = AuthgateVerifier(issuer="https://auth.example.com", resource="https://…/mcp")
    server = MCPServer("weather", token_verifier=verifier, auth=verifier.settings)

The SDK checks no audience unless it is told to, and prints issuers with a slash that nobody wrote;
both are settled here. What it answers is its own: `error="invalid_token"` also where no token came,
no `scope` in a challenge, and 500 where the authgate cannot be asked. Where that matters, put
`adapters.starlette.protect` around `server.streamable_http_app()` instead, without these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter

from authgate.adapters.remote import SCOPES, RemoteGuard
from authgate.gateway.caller import Caller
from authgate.issuers.remote import Introspection
from authgate.observe import log
from authgate.protocol.errors import Refusal

__all__ = ["AuthgateVerifier", "Caller", "Introspection", "get_access_token"]

_EXACT: TypeAdapter[AnyHttpUrl] = TypeAdapter(
    AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True)
)


class AuthgateVerifier:
    """An `mcp.server.auth.provider.TokenVerifier` for the tokens of an authgate elsewhere.

    `async with` it around the server to end its connections in order.
    """

    def __init__(
        self,
        *,
        issuer: str,
        resource: str,
        required_scopes: Sequence[str] = SCOPES,
        introspection: Introspection | None = None,
    ) -> None:
        self._guard = RemoteGuard(issuer, resource, required_scopes, introspection=introspection)

    @property
    def settings(self) -> AuthSettings:
        """For `MCPServer(auth=…)`: the SDK compares the audience too, and asks for the scopes."""
        return AuthSettings(
            issuer_url=exact(self._guard.issuer),
            resource_server_url=exact(self._guard.resource),
            required_scopes=list(self._guard.required_scopes),
            validate_token_resource=True,
        )

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the SDK knows of a token; None if it is not good (401).

        Raises `Refusal` where nobody can be asked: None would have the client throw it away.
        """
        try:
            caller = await self._guard.caller(token)
        except Refusal as refusal:
            if refusal.face.status >= 500:
                raise
            log.info("token.refused", reason=refusal.reason.value)
            return None
        return AccessToken(**facts(caller, self._guard.issuer, self._guard.resource, token))

    async def __aenter__(self) -> Self:
        await self._guard.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._guard.close()


def exact(url: str) -> AnyHttpUrl:
    """A URL as pydantic's type that prints as it was written, without a slash at the end."""
    return _EXACT.validate_python(url)


def facts(caller: Caller, issuer: str, resource: str, token: str) -> dict[str, Any]:
    """A caller as the SDK's `AccessToken` has it; sessions belong to client, issuer and subject."""
    return {
        "token": token,
        "client_id": caller.client_id,
        "scopes": list(caller.scopes),
        "expires_at": caller.expires_at or None,
        "resource": resource,
        "subject": caller.sub,
        "claims": {
            "iss": issuer,
            "sub": caller.sub,
            "aud": resource,
            "client_id": caller.client_id,
            "scope": " ".join(caller.scopes),
            "exp": caller.expires_at,
        },
    }
