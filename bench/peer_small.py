"""An MCP server that does next to nothing: behind the gateways, so that they are what is measured.

A POST is answered with the sum as JSON, to the id that came; a GET opens a stream that says one
thing and then waits.
"""

from __future__ import annotations

import orjson

from authgate.web.request import Receive, Scope, Send

_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
OPENED = b": opened\n\n"


def build(_port: int) -> Small:
    """The application."""
    return Small()


class Small:
    """One path, or any."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["method"] == "POST":
            await _call(receive, send)
        elif scope["path"] == "/mcp":
            await _stream(receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})


async def _call(receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    call = orjson.loads(body)
    given = call["params"]["arguments"]
    result = {"structuredContent": {"sum": given["a"] + given["b"]}, "isError": False}
    answer = orjson.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result})
    headers = [*_JSON, (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _stream(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
    await send({"type": "http.response.body", "body": OPENED, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
