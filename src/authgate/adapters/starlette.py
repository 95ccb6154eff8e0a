"""Any ASGI application behind a guard: Starlette, an MCP SDK's application, or one by hand.

    app = protect(app, issuer="https://auth.example.com", resource="https://api.example.com/mcp")

Everything in it is protected but the paths named `public`: a path that somebody forgets to name is
closed and not open. The token goes no further than this; what is behind knows the `Caller`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from authgate.adapters.remote import SCOPES, RemoteGuard
from authgate.gateway.caller import Caller
from authgate.gateway.credentials import AUTHORIZATION
from authgate.gateway.guarded import CORS, PREFLIGHT
from authgate.issuers.remote import Introspection
from authgate.observe import log
from authgate.protocol.errors import Refusal
from authgate.web.answers import Answer
from authgate.web.request import App, Message, Receive, Request, Scope, Send

__all__ = ["Caller", "Introspection", "Protected", "caller_of", "protect"]


def protect(  # noqa: PLR0913 (each is an option)
    app: Any,
    *,
    issuer: str,
    resource: str,
    required_scopes: Sequence[str] = SCOPES,
    public: Collection[str] = (),
    introspection: Introspection | None = None,
    allowed_origins: Sequence[str] = (),
) -> Protected:
    """`app`, callable only with a token of `issuer` for exactly `resource`.

    `public` are exact paths that anybody may call. The metadata that leads clients to the issuer is
    served here too. For the rest see `adapters.remote.RemoteGuard`.
    """
    guard = RemoteGuard(
        issuer,
        resource,
        required_scopes,
        introspection=introspection,
        allowed_origins=allowed_origins,
    )
    return Protected(app, guard, public=public)


def caller_of(request: Any) -> Caller:
    """Who calls: of a request or a WebSocket of Starlette, or of an ASGI scope.

    Raises `LookupError` where nothing stands before the application, rather than name nobody.
    """
    scope = request if isinstance(request, dict) else request.scope
    caller = scope.get("authgate.caller")
    if not isinstance(caller, Caller):
        raise LookupError("no guard of authgate stands before this application")
    return caller


class Protected:
    """An ASGI application behind a `RemoteGuard`; `public` paths and its lifespan pass."""

    def __init__(self, app: App, guard: RemoteGuard, *, public: Collection[str] = ()) -> None:
        self._app = app
        self._guard = guard
        self._open: dict[str, App] = {**dict.fromkeys(public, app), **guard.documents()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                app = self._open.get(scope["path"], self._guarded)
                await app(scope, receive, send)
            case "lifespan":
                await self._lifespan(scope, receive, send)
            case _:
                # A WebSocket brings no header of ours from a browser, and no MCP client needs one.
                await receive()
                await send({"type": "websocket.close", "code": 1008})

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await Answer(204, b"", [*CORS, *PREFLIGHT]).send(send)
            return
        try:
            caller = await self._guard.admit(Request(scope))
        except Refusal as refusal:
            log.refused(scope, refusal)
            await self._guard.answer(refusal).send(send)
            return
        headers = [item for item in scope["headers"] if item[0] != AUTHORIZATION]
        inner = {**scope, "headers": headers, "authgate.caller": caller}
        await self._app(inner, receive, _readable(send))

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guard.start()
        try:
            await self._app(scope, receive, send)
        finally:
            await self._guard.close()


def _readable(send: Send) -> Send:
    """Let a browser client read the answer, unless the application has its own word on that."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if not any(name.lower() == b"access-control-allow-origin" for name, _ in headers):
                message = {**message, "headers": [*headers, *CORS]}
        await send(message)

    return sending
