"""One bounded HTTP request, read before a handler sees it.

Forms are parsed by the standard library under our own limits: a multipart parser would cost a fifth
of a token request and open a door nobody needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from authgate.protocol import parameters
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 65_536
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Disconnected(Exception):
    """The caller went away before the request was complete; there is nobody to answer."""


class Request:
    """A request whose body has been read. Header names are lower-case bytes, as ASGI has them."""

    __slots__ = ("body", "scope")

    def __init__(self, scope: Scope, body: bytes = b"") -> None:
        self.scope = scope
        self.body = body

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    @property
    def path(self) -> str:
        path: str = self.scope["path"]
        return path

    @property
    def address(self) -> str:
        """The caller's address; what forwarded headers say is only believed from trusted proxies,
        and was put here by `web.address`."""
        known = self.scope.get("authgate.address")
        if known is not None:
            return str(known)
        client = self.scope.get("client")
        return client[0] if client else "unknown"

    def header(self, name: bytes) -> str | None:
        """The value of a header that may come once; a repeated one is refused."""
        found: bytes | None = None
        for key, value in self.scope["headers"]:
            if key == name:
                if found is not None:
                    raise Refusal(
                        Reason.REQUEST_MALFORMED, why=f"the header {name.decode()} came twice"
                    )
                found = value
        return None if found is None else found.decode("latin-1")

    def query(self) -> Parameters:
        """The parameters of the query string."""
        return _parse(self.scope["query_string"])

    def form(self) -> Parameters:
        """The parameters of a form body; any other content type is refused."""
        self._expect(FORM)
        return _parse(self.body)

    def json(self) -> object:
        """The decoded JSON body; any other content type is refused."""
        self._expect(JSON)
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Refusal(Reason.REQUEST_MALFORMED, why="the body is not valid JSON") from None

    def _expect(self, content_type: str) -> None:
        given = (self.header(b"content-type") or "").partition(";")[0].strip().lower()
        if given != content_type:
            raise Refusal(Reason.CONTENT_TYPE, expected=content_type)


def _parse(encoded: bytes) -> Parameters:
    """Decode form encoding strictly: UTF-8 only, a bounded number of fields."""
    if len(encoded) > BODY_LIMIT:
        raise Refusal(Reason.REQUEST_TOO_LARGE, limit=str(BODY_LIMIT))
    try:
        pairs = parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=parameters.MAX_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise Refusal(
            Reason.REQUEST_MALFORMED, why="the parameters are not form-encoded UTF-8"
        ) from None
    except ValueError:
        raise Refusal(
            Reason.REQUEST_MALFORMED, why=f"more than {parameters.MAX_PARAMETERS} parameters"
        ) from None
    return parameters.read(pairs)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body, at most `limit` bytes; the listener closes connections that stall."""
    for key, value in scope["headers"]:
        if key == b"content-length" and value.isdigit() and int(value) > limit:
            raise Refusal(Reason.REQUEST_TOO_LARGE, limit=str(limit))
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > limit:
                raise Refusal(Reason.REQUEST_TOO_LARGE, limit=str(limit))
        body = b"".join(chunks)
    if len(body) > limit:
        raise Refusal(Reason.REQUEST_TOO_LARGE, limit=str(limit))
    return body


def again(body: bytes, receive: Receive) -> Receive:
    """`receive` as it was before the body was read."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving
