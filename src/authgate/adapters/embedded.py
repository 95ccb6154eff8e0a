"""A whole authgate within another ASGI application: one process, one set of settings.

It is what `authgate serve` runs, with the application in place of an upstream: everything that the
settings can do works here too (the rollout, scopes per tool, Supabase, AuthKit). The application
must answer at the root of its host, since that is where clients look for metadata. One process:
several workers share the store, as those of `authgate serve` do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from authgate.app import build
from authgate.gateway.caller import Caller
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.settings import Settings
from authgate.web.request import App, Message, Receive, Scope, Send

_INSIDE = "authgate.inside"


class Embedded:
    """An authgate whose protected MCP server is at `path` of the application around it.

    `path` begins with the public URL's own, if that has one. Raises `ValueError` if it does not, or
    if the settings name an upstream besides.
    """

    def __init__(self, settings: Settings, path: str) -> None:
        log.as_library()
        if settings.upstream is not None or settings.upstream_command is not None:
            raise ValueError(
                "AUTHGATE_UPSTREAM and AUTHGATE_UPSTREAM_COMMAND name another MCP server than the "
                "one that authgate is in; unset them."
            )
        prefix = settings.public.partition("://")[2].partition("/")
        below = path.removeprefix(prefix[1] + prefix[2])
        if below == path and prefix[2]:
            raise ValueError(
                f"AUTHGATE_PUBLIC_URL ends with /{prefix[2]}, so the MCP server must be below it: "
                f"/{prefix[2]}/mcp and not {path}."
            )
        self.path = path
        self._application = build(settings, _Inside(), below)
        self._whole = _Whole(self)
        self._ready = False
        self._starting = asyncio.Lock()
        self.issuer = settings.public
        self.resource = settings.public + below

    @property
    def routes(self) -> Mapping[str, App]:
        """Everything of authgate but the protected MCP server, by exact path."""
        return {path: self._whole for path in self._application.table if path != self.path}

    async def caller(self, token: str) -> Caller:
        """Whom a token speaks for; raises `Refusal`. By way of the guard, so that nothing it asks
        can be forgotten here."""
        seen: list[Caller] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope["authgate.caller"])

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 500:
                raise Refusal(Reason.STORE_UNAVAILABLE, retry_after=5)

        headers = [(b"authorization", b"Bearer " + token.encode("latin-1", "replace"))]
        await self.guarded(app)(_request(self.path, headers), receive, send)
        if not seen or not seen[0].known:
            raise Refusal(Reason.TOKEN_MALFORMED)
        return seen[0]

    def guarded(self, app: App) -> App:
        """`app` behind the guard, whatever path it was asked at."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            inner = {**scope, "path": self.path, _INSIDE: (app, scope["path"])}
            await self._whole(inner, receive, send)

        return guarded

    async def start(self) -> None:
        """Open the store, load the keys, begin the background jobs. Once, whoever asks first."""
        async with self._starting:
            if not self._ready:
                await self._application.start()
                self._ready = True

    async def close(self) -> None:
        """End all that; a later request starts nothing again."""
        if self._ready:
            await self._application.stop()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for any of authgate's paths, the guarded one included."""
        # Where the application is mounted in another one, nobody tells it of its start.
        if not self._ready:
            await self.start()
        await self._application(scope, receive, send)


class _Whole:
    """The same as an object: Starlette takes a method for a view, and calls it with a request."""

    def __init__(self, authgate: Embedded) -> None:
        self._authgate = authgate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._authgate.serve(scope, receive, send)


class _Inside:
    """What stands behind the guard: whichever application handed the request in."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app, path = scope[_INSIDE]
        await app({**scope, "path": path}, receive, send)

    async def close(self) -> None:
        """It ends with the application around."""


def _request(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """A request that asks nothing but who it is from."""
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "client": None,
    }
