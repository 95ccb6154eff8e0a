"""Many token requests at once, each on a connection of its own, each answered whole or not at all.

A client library would retry, pool or hide what a crash does to a connection. This one tells apart
the three things that can happen: an answer, no byte of one, and one that stops in the middle.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Shot:
    """A form for the token endpoint, and what became of it (None: no answer, or a torn one)."""

    form: dict[str, str]
    status: int | None = None
    body: dict[str, Any] | None = None
    torn: bool = False

    @property
    def answered(self) -> bool:
        return self.status == 200


class Gun:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def aimed(cls, port: int) -> Gun:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def fire(self, form: dict[str, str]) -> Shot:
        """Send the form and wait for the answer, or for the end of the connection."""
        body = urlencode(form).encode()
        head = (
            "POST /oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            self._writer.write(head.encode() + body)
            await self._writer.drain()
            answer = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return Shot(form, torn=bool(error.partial))
        except OSError:
            return Shot(form)
        lines = answer.decode("latin-1").lower().splitlines()
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        try:
            content = await self._reader.readexactly(int(headers["content-length"]))
        except (asyncio.IncompleteReadError, OSError):
            return Shot(form, torn=True)
        return Shot(form, int(lines[0].split()[1]), json.loads(content))

    def drop(self) -> None:
        self._writer.close()


async def volley(
    port: int, forms: Sequence[dict[str, str]], after: Callable[[int], None] | None = None
) -> list[Shot]:
    """Fire all of them at once; `after` hears how many answers there are, at each answer."""
    guns = [await Gun.aimed(port) for _ in forms]
    count = 0

    async def one(gun: Gun, form: dict[str, str]) -> Shot:
        nonlocal count
        shot = await gun.fire(form)
        if shot.status is not None:
            count += 1
            if after is not None:
                after(count)
        return shot

    try:
        return await asyncio.gather(*(one(g, f) for g, f in zip(guns, forms, strict=True)))
    finally:
        for gun in guns:
            gun.drop()
