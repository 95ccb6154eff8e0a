"""Lines of a program, bounded: its messages for us to pass on, its other words for our log."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from authgate.observe import log

CHUNK = 65_536
_KEPT = 512  # bytes of either end of a line that was too long

LOGGED = 1000  # characters of one line in our log
BURST = 100  # lines at once
RATE = 10.0  # lines a second for good


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that was not kept; `head` and `tail` are its ends."""

    size: int
    head: bytes
    tail: bytes


async def lines(reader: asyncio.StreamReader, limit: int) -> AsyncIterator[bytes | TooLong]:
    """The lines of a stream, without their ends; one of more than `limit` bytes is not kept.

    Nothing is read ahead of whoever takes them but one chunk and the pipe's own buffer: a program
    whose client does not read has to wait.
    """
    kept, size, head = bytearray(), 0, b""
    while chunk := await reader.read(CHUNK):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            if size + len(part) > limit:
                yield TooLong(
                    size + len(part), head or bytes(kept + part)[:_KEPT], _tail(kept, part)
                )
            elif kept or part:
                yield bytes(kept + part)
            kept, size, head = bytearray(), 0, b""
        kept += rest
        size += len(rest)
        if size > limit:
            head = head or bytes(kept[:_KEPT])
            kept = kept[-_KEPT:]
    if kept and size <= limit:
        yield bytes(kept)


def _tail(kept: bytearray, part: bytes) -> bytes:
    return bytes(kept[-_KEPT:] + part[-_KEPT:])[-_KEPT:]


_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.){0,200}"|-?[0-9]{1,18})')
_AT_BEGIN = re.compile(rb'\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _ID.pattern)
_AT_END = re.compile(_ID.pattern + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')


def answered(line: TooLong) -> bytes | None:
    """The JSON of the id that a line answers which was too long, where a serialiser puts it."""
    match = _AT_BEGIN.match(line.head) or _AT_END.search(line.tail)
    return match[1] if match else None


class Logged:
    """A program's own words in our log: one line each, bounded in length and rate.

    Whatever could end a line, colour it, or turn it round is replaced: log viewers and terminals
    obey such characters, and the words may be a stranger's.
    """

    def __init__(
        self, event: str, clock: Callable[[], float] = time.monotonic, **fields: object
    ) -> None:
        self._event = event
        self._fields = fields
        self._clock = clock
        self._room = float(BURST)
        self._since = clock()
        self._left_out = 0

    def say(self, line: bytes) -> None:
        """Log a line, unless there were too many."""
        now = self._clock()
        self._room = min(BURST, self._room + (now - self._since) * RATE)
        self._since = now
        if self._room < 1:
            self._left_out += 1
            return
        self._room -= 1
        self.flush()
        log.info(self._event, line=visible(line), **self._fields)

    def flush(self) -> None:
        """Say how many lines were left out, if any were."""
        if self._left_out:
            log.warning("upstream.words_left_out", lines=self._left_out, **self._fields)
            self._left_out = 0


def visible(line: bytes, limit: int = LOGGED) -> str:
    """A line as text without anything that is obeyed instead of shown, cut at `limit`."""
    text = line[: limit * 4].decode("utf-8", "replace").rstrip()
    shown = "".join(c if c.isprintable() else "?" for c in text[:limit])
    return shown if len(text) <= limit else shown + "..."
