"""FastMCP 4: `FastMCP("weather", auth=AuthgateProvider(...))`, or with the whole issuer inside.

    AuthgateProvider(issuer="https://auth.example.com", resource="https://api.example.com/mcp")
    AuthgateProvider.embedded()

The guard stands before FastMCP's own check, which then finds the caller already known: so refusals
are authgate's (403 and not 401 for a scope, 503 where nobody can be asked, what browsers need to
read them), and FastMCP's `get_access_token()`, `require_scopes` and session binding work as ever.
Tools know who calls and never the token: it opens this server and must go nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from pydantic import AnyHttpUrl
from starlette.authentication import AuthCredentials
from starlette.middleware import Middleware
from starlette.routing import Route

from authgate.adapters import missing
from authgate.adapters.mcp_sdk import exact, facts
from authgate.adapters.remote import SCOPES, RemoteGuard
from authgate.adapters.starlette import Protected
from authgate.gateway.caller import Caller
from authgate.issuers.remote import Introspection
from authgate.observe import log
from authgate.protocol.errors import Refusal
from authgate.settings import Settings, load
from authgate.web.listener import DeadlineProtocol
from authgate.web.request import App, Receive, Scope, Send

try:
    from fastmcp.server.auth import AccessToken, AuthProvider
except ModuleNotFoundError as error:
    raise missing("fastmcp", error) from error

__all__ = ["UVICORN", "AuthgateProvider", "Caller", "Introspection"]

# For `mcp.run(uvicorn_config=UVICORN)` where authgate is embedded: what `authgate serve` tells
# uvicorn. Its access log would write down the queries of sign-in pages, it would believe forwarded
# headers of anybody on this machine, and wait without end for half a request.
UVICORN: dict[str, Any] = {
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "http": DeadlineProtocol,
    "timeout_keep_alive": 75,
}

WITHHELD = "withheld"  # what tools see in place of the token


class Gate(Protocol):
    """What the provider needs of a guard, wherever the issuer is."""

    @property
    def issuer(self) -> str: ...

    @property
    def resource(self) -> str: ...

    @property
    def routes(self) -> Mapping[str, App]: ...

    async def caller(self, token: str) -> Caller: ...

    def guarded(self, app: App) -> App: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class AuthgateProvider(AuthProvider):
    """`auth=` of a FastMCP server whose callers have tokens of an authgate.

    `issuer` is that authgate's public URL, `resource` the exact URL that clients call; name it in
    the authgate's AUTHGATE_RESOURCES. A token must have all of `required_scopes`. With
    `introspection` what is revoked ends at the next call, without it with the token.
    """

    def __init__(
        self,
        *,
        issuer: str,
        resource: str,
        required_scopes: Sequence[str] = SCOPES,
        introspection: Introspection | None = None,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        guard = RemoteGuard(
            issuer,
            resource,
            required_scopes,
            introspection=introspection,
            allowed_origins=allowed_origins,
        )
        self._with(lambda _: _Remote(guard), list(required_scopes))

    @classmethod
    def embedded(cls, settings: Settings | None = None) -> Self:
        """A whole authgate inside the server's own process, with all its URLs.

        `settings` come from the environment and `.env` unless given (`authgate.settings.load`);
        raises `SettingsError` with everything that is wrong with them. The resource is the public
        URL with the path that the server is run at.
        """
        from authgate.adapters.embedded import Embedded  # and with it all of authgate

        chosen = load() if settings is None else settings
        provider = cls.__new__(cls)
        provider._with(lambda path: Embedded(chosen, path), list(chosen.scopes))
        return provider

    def _with(self, gate_at: Callable[[str], Gate], scopes: list[str]) -> None:
        # Not `required_scopes`, which FastMCP would check once more, and by another rule.
        super().__init__()
        self._gate_at = gate_at
        self._gate: Gate | None = None
        self._offered = scopes

    # --- what FastMCP asks ------------------------------------------------------------------

    @property
    def gate(self) -> Gate:
        """The guard, made when the path of the MCP server is known."""
        if self._gate is None:
            self.set_mcp_path("/mcp")
        assert self._gate is not None
        return self._gate

    @property
    def scopes_supported(self) -> list[str]:
        """What the protected resource metadata offers."""
        return self._offered

    def get_challenge_scopes(self, required_scopes: list[str] | None = None) -> list[str]:
        """What a challenge of FastMCP's own asks for; those of the guard come first."""
        return self._offered if required_scopes is None else required_scopes

    def set_mcp_path(self, mcp_path: str | None) -> None:
        """FastMCP tells where the MCP server will be."""
        path = mcp_path or "/mcp"
        if self._gate is None or path != self._mcp_path:
            self._gate = self._gate_at(path)
            if not self._gate.resource.endswith(path):
                log.warning("adapter.resource_path", resource=self._gate.resource, path=path)
        super().set_mcp_path(path)

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """The documents that lead clients to the issuer; of an embedded one, all its URLs."""
        self.set_mcp_path(mcp_path)
        return [Route(path, app, include_in_schema=False) for path, app in self.gate.routes.items()]

    def get_middleware(self) -> list[Any]:
        """The guard before the MCP server's path, and then the SDK's context of the caller."""
        return [
            Middleware(_Gatekeeper, provider=self),
            Middleware(AuthContextMiddleware),
        ]

    async def verify_token(self, token: str) -> AccessToken | None:
        """The caller behind a token, None if it is not good; for code that asks by itself.

        Raises `Refusal` where nobody can be asked.
        """
        try:
            caller = await self.gate.caller(token)
        except Refusal as refusal:
            if refusal.face.status >= 500:
                raise
            return None
        return self.access_token(caller, token)

    def access_token(self, caller: Caller, token: str = WITHHELD) -> AccessToken:
        """A caller as FastMCP knows one."""
        return AccessToken(**facts(caller, self.gate.issuer, self.gate.resource, token))

    def _get_resource_url(self, path: str | None = None) -> AnyHttpUrl | None:
        return exact(self.gate.resource)


class _Remote:
    """A `RemoteGuard` as a `Gate`."""

    def __init__(self, guard: RemoteGuard) -> None:
        self.issuer = guard.issuer
        self.resource = guard.resource
        self.routes: Mapping[str, App] = guard.documents()
        self.start = guard.start
        self.close = guard.close
        self._guard = guard

    async def caller(self, token: str) -> Caller:
        # With the scopes: whoever asks this way (FastMCP's MultiAuth) may ask nothing else.
        return self._guard.may(await self._guard.caller(token))

    def guarded(self, app: App) -> App:
        return Protected(app, self._guard)


class _Gatekeeper:
    """Stands before a whole FastMCP application: its MCP path is guarded, its life is shared.

    FastMCP's custom routes stay as open as FastMCP makes them.
    """

    def __init__(self, app: App, provider: AuthgateProvider) -> None:
        self._app = app
        self._provider = provider
        self._guarded: tuple[Gate, App] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http" and _path(scope) == self._provider._mcp_path:
            await self._behind_gate()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _behind_gate(self) -> App:
        gate = self._provider.gate
        if self._guarded is None or self._guarded[0] is not gate:
            self._guarded = gate, gate.guarded(self._known)
        return self._guarded[1]

    async def _known(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Past the guard: tell FastMCP and the SDK who calls, in their own words."""
        token = self._provider.access_token(scope["authgate.caller"])
        # FastMCP reads from the header whether a token came at all. This one says no more than yes.
        headers = [*scope["headers"], (b"authorization", f"Bearer {WITHHELD}".encode())]
        inner = {
            **scope,
            "headers": headers,
            "user": AuthenticatedUser(token),
            "auth": AuthCredentials(token.scopes),
        }
        await self._app(inner, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self._provider.gate
        try:
            await gate.start()
        except Exception as trouble:  # told to the server, which ends with a failure
            log.error("start.failed", error=type(trouble).__name__, detail=str(trouble))
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(trouble)})
            return
        try:
            await self._app(scope, receive, send)
        finally:
            await gate.close()


def _path(scope: Scope) -> str:
    """The path within this application, wherever it is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"
