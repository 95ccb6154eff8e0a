"""HTTP on one connection that hides nothing: no retry, no pool, and a lost answer is told as one.

    wire = Wire(port)
    reply = await wire.get("/healthz")
    reply.status, reply.json(), reply.lost

A client library would connect anew and ask again, and what a fault does would not be seen.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

DEADLINE = 10.0
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or why there is none: `status` is 0 then, and `lost` says how it was lost.

    `lost` is "refused" (nobody took the connection: the request went nowhere), "cut" (the
    connection ended) or "late" (no answer within the deadline).
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = b""
    lost: str = ""
    took: float = 0.0

    def json(self) -> Any:
        """The body; of an event stream, its last event."""
        text = self.body.decode()
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            text = [line[5:] for line in text.splitlines() if line.startswith("data:")][-1]
        return json.loads(text)


class Wire:
    """One client's connection to a port of this machine; it is made anew after it was lost."""

    def __init__(self, port: int, host: str = "", *, deadline: float = DEADLINE) -> None:
        self.port = port
        self.host = host or f"127.0.0.1:{port}"
        self.deadline = deadline
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.ask("GET", path, b"", headers or {})

    async def form(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Reply:
        return await self.ask("POST", path, urlencode(form).encode(), {**FORM, **(headers or {})})

    async def json(
        self, path: str, document: object, headers: Mapping[str, str] | None = None
    ) -> Reply:
        body = json.dumps(document).encode()
        return await self.ask("POST", path, body, {**JSON, **(headers or {})})

    async def ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request and its answer, however that ends."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.deadline):
                status, answered, content = await self._exchange(method, path, body, headers)
        except TimeoutError:
            self.drop()
            return Reply(lost="late", took=time.monotonic() - began)
        except (OSError, EOFError) as error:
            self.drop()
            lost = "refused" if isinstance(error, ConnectionRefusedError) else "cut"
            return Reply(lost=lost, took=time.monotonic() - began)
        except BaseException:
            self.drop()  # who went away leaves half an answer on it, which is nobody else's
            raise
        if answered.get("connection") == "close":
            self.drop()
        return Reply(status, answered, content, took=time.monotonic() - began)

    def drop(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        if self._streams is not None and self._streams[0].at_eof():
            self.drop()  # the other side ended it between two requests, as it may
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", f"host: {self.host}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        pairs = (line.split(":", 1) for line in head[1:] if line)
        answered = {name.lower(): value.strip() for name, value in pairs}
        return int(head[0].split()[1]), answered, await _content(reader, answered)


async def _content(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    content = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        content += (await reader.readexactly(size + 2))[:size]
        if size == 0:
            return content
