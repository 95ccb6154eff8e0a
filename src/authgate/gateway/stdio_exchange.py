"""One request on its way to the SDK's transports, and what becomes of its answer.

Those know of a client's end by `receive` alone. Here it also tells them of our own: a stream that
waits for news is over when the server stops, and its client opens another one elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.web.answers import AnswerCut
from authgate.web.request import Message, Receive, Scope, Send, read_body

STALLED = 60.0  # seconds in which a client takes nothing of what it was sent


class Answered(Protocol):
    """Tells whether the program has said anything yet."""

    @property
    def answered(self) -> bool: ...


class Exchange:
    """A request whose body is held, with its answer. `stream`: does it only wait for news?"""

    def __init__(self, scope: Scope, send: Send, body: bytes, *, stream: bool) -> None:
        self.scope = scope
        self.status = 0
        self._send = send
        self._body: bytes | None = body
        self._over = asyncio.Event()
        self._gone = False
        self._stalled = False
        self._finished = False
        self._waits_for: Answered | None = None
        self._kept: list[Message] = []
        scope["authgate.connection"].watch(self._client_gone, self._over.set if stream else None)

    @property
    def started(self) -> bool:
        """Has the client got the head of an answer?"""
        return bool(self.status) and not self._kept

    async def receive(self) -> Message:
        """ASGI: the body, and after it nothing but the end."""
        body, self._body = self._body, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    def hold_for(self, program: Answered) -> None:
        """Keep an answer back until the program has said something: it may never do."""
        self._waits_for = program

    async def send(self, message: Message) -> None:
        """ASGI."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif not message.get("more_body"):
            self._finished = True
        if self._waits_for is not None and not self._waits_for.answered and self.status < 400:
            self._kept.append(message)
            return
        kept, self._kept = self._kept, []
        for each in (*kept, message):
            await self._deliver(each)

    async def _deliver(self, message: Message) -> None:
        """Send, unless the client is gone, or as good as: its session must not wait for ever.

        A connection whose peer lost power looks like one that is slow, for a quarter of an hour.
        """
        if self._gone or self._stalled:
            return
        try:
            async with asyncio.timeout(STALLED):
                await self._send(message)
        except TimeoutError:
            log.warning("upstream.client_stalled", path=self.scope["path"])
            self._stalled = True
            self._over.set()

    async def finish(self) -> None:
        """The SDK is done with it; raises `AnswerCut` if it left half an answer.

        Raises `Refusal` if all there is was kept back for a program that never said anything.
        """
        if self._gone:
            return
        if self._stalled:
            raise AnswerCut
        if self._kept or not self.status:
            raise Refusal(Reason.UPSTREAM_BROKEN)
        if not self._finished:
            if not self._over.is_set():
                raise AnswerCut
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        """Listen to the connection no more."""
        self.scope["authgate.connection"].unwatch()

    @property
    def abandoned(self) -> bool:
        """Did the client go away?"""
        return self._gone

    def _client_gone(self) -> None:
        self._gone = True
        self._over.set()


async def whole_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The body of a POST, at most `limit` bytes; nothing of other methods (RFC 9110 9.3.1)."""
    return await read_body(scope, receive, limit) if scope["method"] == "POST" else b""
