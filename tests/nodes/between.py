"""What stands between one node and PostgreSQL, and can fail by itself.

    async with Between(fleet.database) as between:
        node = await asyncio.to_thread(fleet.add_node, env={"AUTHGATE_DATABASE_URL": between.url})
        with between.frozen(): ...     # nothing passes, and nobody is told
            with between.deaf(): ...       # the node is heard, and hears nothing
        with between.gone(): ...       # connections break, and new ones are refused

What was held back is delivered when the block ends, as a network does that comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.live import reserved_port


class Between:
    """A relay on loopback, in the event loop of the test."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._asking = asyncio.Event()
        self._answering = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._deaf_to: tuple[bytes, ...] = ()
        self._gone = False
        self._reserved = reserved_port()

    @property
    def url(self) -> str:
        """The database by this way."""
        port = self._reserved.getsockname()[1]
        return urlunsplit(self._to._replace(netloc=f"{self._to.username}@127.0.0.1:{port}"))

    async def __aenter__(self) -> Self:
        self._asking.set()
        self._answering.set()
        port = self._reserved.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self._break()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._reserved.close()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections are taken, and nothing passes either way."""
        self._asking.clear()
        with self.deaf():
            try:
                yield
            finally:
                self._asking.set()

    @contextlib.contextmanager
    def deaf(self, *to: bytes) -> Iterator[None]:
        """PostgreSQL gets and does everything; no answer comes back.

        With `to`, none on a connection on which one of these was named.
        """
        self._deaf_to = to
        self._answering.clear()
        try:
            yield
        finally:
            self._answering.set()

    @contextlib.contextmanager
    def gone(self) -> Iterator[None]:
        """Every connection breaks at once, new ones as soon as they are made."""
        self._gone = True
        self._break()
        try:
            yield
        finally:
            self._gone = False

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._gone:
            writer.transport.abort()
            return
        behind, ahead = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._writers |= {writer, ahead}
        asked = bytearray()
        for work in (
            self._asks(reader, ahead, asked),
            self._answers(behind, writer, asked),
        ):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _asks(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytearray
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._asking.wait()
                asked[:] = data
                writer.write(data)
                await writer.drain()
        self._end(writer)

    async def _answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytearray
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if not self._deaf_to or any(name in asked for name in self._deaf_to):
                    await self._answering.wait()
                writer.write(data)
                await writer.drain()
        self._end(writer)

    def _end(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()
