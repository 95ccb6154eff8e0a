"""What every handler shares, so that none can forget it: method, size, refusals, outages, CORS.

A handler takes a `Request` and returns an `Answer`, or raises `Refusal`. What nobody foresaw ends
here too: it is logged under a request id and answered without a word of detail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.store.contract import StoreUnavailable
from authgate.web.answers import Answer, Header, refusal_answer, unforeseen
from authgate.web.request import (
    BODY_LIMIT,
    Disconnected,
    Receive,
    Request,
    Scope,
    Send,
    read_body,
)

Handler = Callable[[Request], Awaitable[Answer]]
RefusalWriter = Callable[[Refusal], Answer]

# Open to every origin, without credentials: these endpoints know no cookies (RFC 6749bis browser
# guidance). Never given to anything that a session cookie opens.
CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"WWW-Authenticate, Retry-After"),
)
PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, *",
    ),
    (b"access-control-max-age", b"7200"),
)


class Endpoint:
    """An ASGI application for one path.

    `get`, `post`: its handlers. `cors`: whether any web origin may call it. `refuse`: how a
    refusal is written (JSON unless a page says otherwise). `limit`: the largest body in bytes.
    """

    def __init__(
        self,
        *,
        get: Handler | None = None,
        post: Handler | None = None,
        cors: bool = False,
        refuse: RefusalWriter = refusal_answer,
        limit: int = BODY_LIMIT,
    ) -> None:
        self._handlers = {
            name: handler
            for name, handler in (("GET", get), ("HEAD", get), ("POST", post))
            if handler is not None
        }
        self._allowed = ", ".join([*self._handlers, "OPTIONS"])
        self._cors = CORS if cors else ()
        self._refuse = refuse
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except Disconnected:
            return
        answer.headers.extend(self._cors)
        if scope["method"] == "HEAD":
            answer.headers.append((b"content-length", str(len(answer.body)).encode()))
            await send(
                {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
            )
            await send({"type": "http.response.body", "body": b""})
            return
        await answer.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        try:
            handler = self._handlers.get(scope["method"])
            if handler is None:
                return self._without_handler(scope)
            body = b""
            if scope["method"] == "POST":
                body = await read_body(scope, receive, self._limit)
            return await handler(Request(scope, body))
        except Refusal as refusal:
            log.refused(scope, refusal)
            return self._refuse(refusal)
        except StoreUnavailable as trouble:
            log.trouble("store.unavailable", scope, trouble)
            return self._refuse(Refusal(Reason.STORE_UNAVAILABLE, retry_after=5))
        except Disconnected:
            raise
        except Exception as trouble:  # the last line
            return unforeseen("request.failed", scope, trouble, self._refuse)

    def _without_handler(self, scope: Scope) -> Answer:
        if scope["method"] == "OPTIONS":
            preflight = PREFLIGHT if self._cors else ()
            return Answer(204, b"", [(b"allow", self._allowed.encode()), *preflight])
        raise Refusal(Reason.METHOD_NOT_ALLOWED, allowed=self._allowed)
