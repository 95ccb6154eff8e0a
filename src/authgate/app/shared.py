"""One path for two: the sign-in tools, and an MCP server that had this path before authgate came.

The guide's own case: a server at /api/mcp, where the guide's plain POST is sent as well. That is
nothing that MCP could mean ({"method": ..., "params": ...} without "jsonrpc"), and it comes without
a token, since getting one is what it is for. All else is the server's, behind its guard.
"""

from __future__ import annotations

import orjson

from authgate.protocol.errors import Refusal
from authgate.web.answers import refusal_answer
from authgate.web.request import (
    BODY_LIMIT,
    JSON,
    App,
    Disconnected,
    Receive,
    Scope,
    Send,
    again,
    read_body,
)

PREFIX = "oauth_"  # what the names of all tools begin with


class SharedPath:
    """`tools` gets what only the plain face understands, `server` everything else."""

    def __init__(self, tools: App, server: App) -> None:
        self._tools = tools
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _may_be_plain(scope):
            await self._server(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, BODY_LIMIT)
        except Disconnected:
            return
        except Refusal as refusal:  # a body that is longer than it said
            await refusal_answer(refusal).send(send)
            return
        app = self._tools if _is_plain(body) else self._server
        await app(scope, again(body, receive), send)


def _may_be_plain(scope: Scope) -> bool:
    """Is it worth reading? Only a little JSON, from somebody who shows no credential at all."""
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    length = headers.get(b"content-length", b"")
    little = length.isdigit() and len(length) < 10 and int(length) <= BODY_LIMIT
    shown = b"authorization" in headers or b"x-api-key" in headers
    return scope["method"] == "POST" and kind == JSON.encode() and little and not shown


def _is_plain(body: bytes) -> bool:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(document, dict) or "jsonrpc" in document:
        return False
    method = document.get("method")
    return isinstance(method, str) and method.startswith(PREFIX)
