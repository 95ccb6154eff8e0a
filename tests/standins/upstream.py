"""An HTTP server that does exactly what a test says, on a raw socket: for what no real one does.

async with RawUpstream(script) as upstream:
    ...  # script(exchange) is run for every request
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Self

HEAD_LIMIT = 1 << 17


class Exchange:
    """One request as it arrived, and the connection to answer on."""

    def __init__(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = [
            (name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)
        ]
        self.reader = reader
        self.writer = writer
        self.body = b""

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        """The value of a header that came at most once."""
        found = self.all(name)
        assert len(found) < 2, found
        return found[0] if found else None

    async def part(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def read(self) -> bytes:
        """The whole body."""
        if self.header("transfer-encoding") == "chunked":
            while part := await self.part():
                self.body += part
        elif length := self.header("content-length"):
            self.body = await self.reader.readexactly(int(length))
        return self.body

    async def say(self, raw: bytes) -> None:
        """Send bytes, waiting as long as the other side does not take them."""
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, body: bytes = b"{}", *headers: str, status: str = "200 OK") -> None:
        """A complete answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        await self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def begin(self, *headers: str) -> None:
        """The head of an event stream."""
        lines = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", *headers]
        lines.append("Transfer-Encoding: chunked")
        await self.say("\r\n".join(lines).encode() + b"\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        """A piece of it; an empty one ends it."""
        await self.say(b"%x\r\n%s\r\n" % (len(data), data))

    async def ended(self) -> None:
        """Wait until the other side has closed the connection."""
        with suppress(ConnectionError):
            assert await self.reader.read() == b""


Script = Callable[[Exchange], Awaitable[None]]


async def plain(exchange: Exchange) -> None:
    """Read the request and answer it."""
    await exchange.read()
    await exchange.answer()


class RawUpstream:
    """`seen` has every request, `connections` counts what was accepted."""

    def __init__(self, script: Script = plain) -> None:
        self.script = script
        self.seen: list[Exchange] = []
        self.connections = 0
        self.failed: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, limit=HEAD_LIMIT)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not self.failed, self.failed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                exchange = Exchange(head, reader, writer)
                self.seen.append(exchange)
                await self.script(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side went away, which scripts ask about where it matters
        except Exception as error:  # a script that is wrong must fail its test
            self.failed.append(error)
        finally:
            writer.close()
