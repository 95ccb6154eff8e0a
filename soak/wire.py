"""HTTP on connections that are kept and used again, which retry nothing and hide nothing.

A client library would ask again behind our back, and take as much CPU as the servers. Here a lost
answer is a lost answer. The one thing spared is a race that every HTTP client knows: `renew` says
that nginx is about to close its idle connections, and for a moment none of them is used again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

DEADLINE = 30.0  # a sign-in may wait 20 s for others of its account by design
IDLE = 30.0  # seconds; nginx closes after 75
RENEWING = 2.0

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `status` is 0 and `lost` says how if there was none: refused, cut or late."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cookies: tuple[str, ...] = ()
    body: bytes = field(default=b"", repr=False)
    lost: str = ""


class Pool:
    """Connections to one port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._host = f"127.0.0.1:{port}"
        self._idle: list[tuple[float, _Streams]] = []
        self._fresh_until = 0.0

    def renew(self) -> None:
        """Use no kept connection for the next two seconds."""
        self._fresh_until = time.monotonic() + RENEWING
        self.close()

    def close(self) -> None:
        """Let go of what is kept."""
        idle, self._idle = self._idle, []
        for _, (_, writer) in idle:
            writer.close()

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request and its answer, however that ends."""
        streams: _Streams | None = None
        try:
            async with asyncio.timeout(DEADLINE):
                streams = await self._streams()
                await _send(streams[1], self._message(method, path, body, headers or {}))
                reply = await _reply(streams[0])
        except TimeoutError:
            return _lost(streams, "late")
        except ConnectionRefusedError:
            return _lost(streams, "refused")
        except (OSError, EOFError, ValueError):
            return _lost(streams, "cut")
        now = time.monotonic()
        if reply.headers.get("connection") == "close" or now < self._fresh_until:
            streams[1].close()
        else:
            self._idle.append((now, streams))
        return reply

    async def listen(self, path: str, headers: Mapping[str, str], seconds: float) -> Reply:
        """Open an event stream and hold it for so long.

        The reply has the body so far; `lost` is "cut" if the other side ended the stream.
        """
        streams: _Streams | None = None
        try:
            async with asyncio.timeout(DEADLINE):
                streams = await asyncio.open_connection("127.0.0.1", self.port)
                await _send(streams[1], self._message("GET", path, b"", headers))
                status, answered, cookies = await _head(streams[0])
                if status != 200:
                    return Reply(status, answered, cookies)
                body = await _chunk(streams[0])
        except TimeoutError:
            return _lost(streams, "late")
        except (OSError, EOFError, ValueError):
            return _lost(streams, "cut")
        ended = await _ends_within(streams[0], seconds)
        streams[1].close()
        return Reply(200, answered, cookies, body, "cut" if ended else "")

    async def _streams(self) -> _Streams:
        now = time.monotonic()
        while self._idle:
            since, streams = self._idle.pop()
            if now - since < IDLE and not streams[0].at_eof():
                return streams
            streams[1].close()
        return await asyncio.open_connection("127.0.0.1", self.port)

    def _message(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}"]
        if method == "POST":
            lines.append(f"content-length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def _send(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(message)
    await writer.drain()


async def _reply(reader: asyncio.StreamReader) -> Reply:
    status, headers, cookies = await _head(reader)
    if headers.get("transfer-encoding") != "chunked":
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Reply(status, headers, cookies, body)
    body = b""
    while part := await _chunk(reader):
        body += part
    return Reply(status, headers, cookies, body)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], tuple[str, ...]]:
    first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
    pairs = [(name.lower(), value.strip()) for name, _, value in (s.partition(":") for s in rest)]
    cookies = tuple(value for name, value in pairs if name == "set-cookie")
    return int(first.split()[1]), dict(pairs), cookies


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readuntil(b"\r\n"), 16)
    return (await reader.readexactly(size + 2))[:size]


async def _ends_within(reader: asyncio.StreamReader, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(4096):
                pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def _lost(streams: _Streams | None, how: str) -> Reply:
    if streams is not None:
        streams[1].close()
    return Reply(lost=how)
