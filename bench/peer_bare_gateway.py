"""A gateway that passes calls on and does nothing else: bare ASGI with aiohttp as its client.

It is no product: no check, no header looked at, nothing cleaned up. It says what a gateway of these
parts costs before it does anything for anybody.
"""

from __future__ import annotations

import os

import aiohttp

from authgate.web.request import Receive, Scope, Send

_PASSING = (b"accept", b"content-type", b"mcp-protocol-version", b"mcp-method", b"mcp-name")


def build(_port: int) -> BareGateway:
    """The application."""
    return BareGateway(os.environ["BENCH_UPSTREAM"])


class BareGateway:
    """Every POST goes to `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            if self._session is not None:
                await self._session.close()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["method"] == "POST":
            await self._pass(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        headers = {
            name.decode(): value.decode() for name, value in scope["headers"] if name in _PASSING
        }
        async with self._session.post(self._url, data=body, headers=headers) as response:
            answer = await response.read()
            answered = [
                (b"content-type", response.headers["content-type"].encode()),
                (b"content-length", str(len(answer)).encode()),
            ]
        status = response.status
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": answer})
