"""A proxy on loopback that counts what really travels between a store and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

_STARTUP = 4  # the first message has a length and no type


class Counting:
    """`syncs`: how often the client asked for an answer. `turns`: how often it had to wait for one
    before it could go on, which is what a round trip is."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A new connection, which begins with a message of another form."""
        self.syncs = 0
        self.turns = 0
        self._answered = True
        self._pending = b""
        self._started = False

    def asked(self, data: bytes) -> None:
        if self._answered:
            self._answered = False
            self.turns += 1
        self._pending += data
        while (message := self._next()) is not None:
            self.syncs += message in {b"S", b"Q"}

    def answered(self) -> None:
        self._answered = True

    def _next(self) -> bytes | None:
        """The type of the next whole message, if there is one."""
        start = 1 if self._started else 0
        length = self._pending[start : start + _STARTUP]
        if len(length) < _STARTUP:
            return None
        end = start + int.from_bytes(length)
        if len(self._pending) < end:
            return None
        kind = self._pending[:start]
        self._started = True
        self._pending = self._pending[end:]
        return kind


@contextlib.asynccontextmanager
async def counting_proxy(url: str) -> AsyncIterator[tuple[str, Counting]]:
    """The URL of the proxy (without TLS), and the counts of the newest connection through it."""
    to = urlsplit(url)
    counts = Counting()
    tasks: set[asyncio.Task[None]] = set()

    async def carry(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asks: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                counts.asked(data) if asks else counts.answered()
                writer.write(data)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts.begin()
        behind, ahead = await asyncio.open_connection(to.hostname, to.port or 5432)
        for task in (
            asyncio.create_task(carry(reader, ahead, asks=True)),
            asyncio.create_task(carry(behind, writer, asks=False)),
        ):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    user = f"{to.username}:{to.password}" if to.password else to.username
    try:
        yield (
            urlunsplit(to._replace(netloc=f"{user}@127.0.0.1:{port}", query="sslmode=disable")),
            counts,
        )
    finally:
        server.close()
        # Whoever connected has left: both ways end by themselves.
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)
