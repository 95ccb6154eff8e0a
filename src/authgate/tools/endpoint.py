"""/api/mcp: one URL for the guide's plain POST and for MCP clients of both protocol eras.

A JSON object with a `jsonrpc` member goes to the MCP SDK, which is imported at that moment; all
else is answered by the plain face. What can be refused without the SDK is refused before it: a
foreign web origin, another content type, a body that is too large or is no JSON.

Open to browsers of allowed origins only, although no cookie and no token is at stake here: a page
anywhere could otherwise guess passwords with its visitors' addresses, or reach a server on
somebody's own machine by DNS rebinding (MCP transport, security warning).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.tools import plain
from authgate.tools.contract import Toolbox
from authgate.web.endpoint import CORS
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.origins import OriginRule
from authgate.web.request import (
    BODY_LIMIT,
    App,
    Disconnected,
    Message,
    Receive,
    Request,
    Scope,
    Send,
    read_body,
)

PATH = "/api/mcp"


class ToolsEndpoint:
    """Both faces of the tools as one ASGI application. `close` it at shutdown."""

    def __init__(self, toolbox: Toolbox, allowed_origins: Callable[[str], bool]) -> None:
        self._allowed = allowed_origins
        self._plain = plain.endpoint(toolbox)
        self._mcp = LazyMcpApp(lambda: _server(toolbox), json_response=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # preflight, or 405: nothing here streams or has a session
            await self._plain(scope, receive, send)
            return
        try:
            body = await read_body(scope, receive, BODY_LIMIT)
            app = self._face(Request(scope, body))
        except Disconnected:
            return
        except Refusal as refusal:
            log.refused(scope, refusal)
            answer = plain.refuse(refusal)
            answer.headers.extend(CORS)
            await answer.send(send)
            return
        await app(scope, _again(body, receive), send)

    async def close(self) -> None:
        """Stop the MCP server, if it ever started."""
        await self._mcp.close()

    def _face(self, request: Request) -> App:
        """Who answers this request; raises `Refusal`."""
        origin = request.header(b"origin")
        if origin is not None and not self._allowed(origin):
            raise Refusal(Reason.ORIGIN_REFUSED)
        document = request.json()
        if isinstance(document, dict) and "jsonrpc" in document:
            if not _is_call(document):
                raise Refusal(Reason.REQUEST_MALFORMED, why="that is no JSON-RPC 2.0 request")
            return self._answer_mcp
        return self._plain

    async def _answer_mcp(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *CORS]}
            await send(message)

        await self._mcp(scope, receive, sending)


def routes(toolbox: Toolbox, origins: OriginRule) -> dict[str, ToolsEndpoint]:
    """The path of the tools and what answers there."""
    return {PATH: ToolsEndpoint(toolbox, origins.allows)}


def _server(toolbox: Toolbox) -> Any:
    from authgate.tools import mcp  # the SDK: half a second, so not before an MCP client comes

    return mcp.server(toolbox)


def _is_call(document: dict[str, object]) -> bool:
    """Is this shaped like a request or notification of JSON-RPC 2.0 (sections 4 and 4.2)?

    Judged before the SDK does: it answers a wrong shape with pydantic's text, which repeats what
    was sent, and that may be a password. Nobody is ever asked anything here, so nothing else comes.
    """
    return (
        document["jsonrpc"] == "2.0"
        and isinstance(document.get("method"), str)
        and isinstance(document.get("params"), dict | None)
    )


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, then whatever follows (a disconnect)."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
