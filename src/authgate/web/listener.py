"""The HTTP listener with deadlines: no request may take for ever to arrive.

uvicorn waits without end for the rest of a head or a body, so a few thousand half-open requests
could hold every file handle. Here each request has `DEADLINE` seconds to arrive and a head of at
most `HEAD_LIMIT` bytes; what is late is closed. One sweep a second looks at all connections: a
timer per request would cost more than the request's own parsing.

What is refused before it has arrived is read on and dropped, up to `DROP_LIMIT` bytes. Closing at
once would be a reset for a sender who is still writing, and a reset takes the answer with it: of a
413, a proxy before us made a 502 (nginx, with its request buffering off).
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

DEADLINE = 30.0
HEAD_LIMIT = 65_536
DROP_LIMIT = 16 << 20
SWEEP_EVERY = 1.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: 33\r\n\r\n"
    b"The request's head is too large.\n"
)
_open: weakref.WeakSet[DeadlineProtocol] = weakref.WeakSet()


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol that gives up on requests which do not arrive."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Since when the present request has been arriving; None between requests.
        self.arriving_since: float | None = self.loop.time()
        self.in_head = True
        self.head_size = 0
        self.took_body = False
        self.dropped = 0
        self.stopping = False
        self._watching: tuple[Callable[[], None], Callable[[], None] | None] | None = None
        _open.add(self)

    def data_received(self, data: bytes) -> None:
        if self.arriving_since is None:
            self.arriving_since = self.loop.time()
        self.took_body = False
        super().data_received(data)
        # A head that is still not complete, or trailers: their last line may never end.
        if self.in_head or not (self.took_body or self.arriving_since is None):
            self._count(len(data))

    def on_message_begin(self) -> None:
        self.arriving_since = self.loop.time()
        self.in_head = True
        self.head_size = 0
        self.dropped = 0
        super().on_message_begin()
        # uvicorn's type of a scope lists the keys that ASGI itself has.
        self.scope["authgate.connection"] = self  # type: ignore[typeddict-unknown-key]

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        if not self.in_head:
            # A trailer: uvicorn would put it among the headers, which were judged without it, or by
            # chance with it. So no trailer is ever taken for one (RFC 9110 section 6.5.1).
            return
        # httptools keeps the whitespace after a value, which is no part of it (RFC 9110, 5.5).
        super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        self.in_head = False
        if not self.transport.is_closing():
            super().on_headers_complete()
            if self.stopping:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self.took_body = True
        self.head_size = 0  # from here on, what is not body
        if not self.cycle.response_complete:
            super().on_body(body)
            return
        self.dropped += len(body)
        if self.dropped > DROP_LIMIT and not self.transport.is_closing():
            self.transport.close()

    def on_message_complete(self) -> None:
        self.arriving_since = None
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self.head_size += size
        if self.head_size > HEAD_LIMIT and not self.transport.is_closing():
            if self.in_head:  # else an answer may have begun, or be over
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def watch(self, gone: Callable[[], None], stopping: Callable[[], None] | None) -> None:
        """`scope["authgate.connection"].watch(...)`: for a handler that waits for something else.

        `gone` is called when the connection is lost, `stopping` when the server stops: a callback
        costs nothing, while a task that waits for `receive` costs as much as parsing the request.
        """
        self._watching = (gone, stopping)
        if self.transport.is_closing():
            gone()
        elif self.stopping and stopping is not None:
            stopping()

    def unwatch(self) -> None:
        """The handler is done; call nothing any more."""
        self._watching = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._watching is not None:
            self._watching[0]()

    def shutdown(self) -> None:
        """The server stops: what runs may finish, what only waits for news is told.

        A request of which a part has come is not idle; uvicorn would close the connection on it.
        """
        self.stopping = True
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        if (cycle is None or cycle.response_complete) and self.in_head and self.head_size:
            return
        super().shutdown()
        if self._watching is not None and self._watching[1] is not None:
            self._watching[1]()

    def give_up_if_late(self, now: float) -> None:
        """Close the connection if its request has been arriving for too long."""
        since = self.arriving_since
        if since is not None and now - since > DEADLINE and not self.transport.is_closing():
            self.transport.close()


async def watch() -> None:
    """Sweep the connections of this process for ever; cancel it to stop."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        now = loop.time()
        for connection in list(_open):
            connection.give_up_if_late(now)
