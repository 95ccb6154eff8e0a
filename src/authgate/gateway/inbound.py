"""A client's side of one exchange: its body, held where a check needs it, else as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from authgate.protocol.errors import Reason, Refusal
from authgate.web.request import Disconnected, Receive, Scope, read_body

IGNORED = 1024  # bytes


class Body:
    """A request's body: all of it in `held`, or the rest still arriving."""

    def __init__(self, receive: Receive, limit: int, held: bytes | None) -> None:
        self.held = held
        self._receive = receive
        self._limit = limit
        self._begun = b""

    @classmethod
    async def opened(
        cls, scope: Scope, receive: Receive, limit: int, *, length: int | None, whole: bool
    ) -> Body:
        """The body of a request, at most `limit` bytes; `whole` waits for all of it.

        Raises `Refusal`, and `Disconnected` if the client goes away meanwhile.
        """
        if scope["method"] != "POST":
            # Elsewhere a body has no meaning (RFC 9110 section 9.3.1) and goes no further. It is
            # taken all the same: one left unread would hide that the client has gone away.
            await read_body(scope, receive, IGNORED)
            return cls(receive, limit, b"")
        if whole:
            return cls(receive, limit, await read_body(scope, receive, limit))
        if length is not None and length > limit:
            raise Refusal(Reason.REQUEST_TOO_LARGE, limit=str(limit))
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        first: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return cls(receive, limit, first)
        body = cls(receive, limit, None)
        body._begun = first
        return body

    async def arriving(self, failed: Callable[[Exception], None]) -> AsyncIterator[bytes]:
        """The parts of a body that is not held, each asked for only when the last one is sent.

        `failed` is told why no more will come, before whoever reads this is.
        """
        part, more, size = self._begun, True, 0
        while True:
            size += len(part)
            if size > self._limit:
                trouble = Refusal(Reason.REQUEST_TOO_LARGE, limit=str(self._limit))
                failed(trouble)
                raise trouble
            if part:
                yield part
            if not more:
                return
            message = await self._receive()
            if message["type"] == "http.disconnect":
                failed(Disconnected())
                raise Disconnected
            part, more = message.get("body", b""), message.get("more_body", False)
