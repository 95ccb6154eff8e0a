"""Who is being judged right now, and a line for those who must wait for a verdict.

Used by `limits` so that simultaneous attempts cannot outrun the count of failures. Never here: the
limits themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

MAX_WAITING = 256


class Turns:
    """Turns taken per key. For one event loop."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._in_line = 0
        self._max_waiting = max_waiting

    def taken(self, key: str) -> int:
        """How many turns of `key` are being taken now."""
        return self._taken.get(key, 0)

    def enter(self, keys: Iterable[str]) -> None:
        """Take a turn of each key."""
        for key in keys:
            self._taken[key] = self._taken.get(key, 0) + 1

    def leave(self, keys: Iterable[str]) -> None:
        """Give the turns back and wake those who wait; each of them looks for itself again."""
        for key in keys:
            left = self._taken[key] - 1
            if left:
                self._taken[key] = left
            else:
                del self._taken[key]
            for waiter in self._waiting.pop(key, ()):
                if not waiter.done():
                    waiter.set_result(None)

    async def one_ends(self, key: str, within: float | None = None) -> bool:
        """Wait until a turn of `key` ends, or so many seconds. False at once if too many wait."""
        if self._in_line >= self._max_waiting:
            return False
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(waiter)
        self._in_line += 1
        try:
            async with asyncio.timeout(within):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._in_line -= 1
            self._gone(key, waiter)
        return True

    def _gone(self, key: str, waiter: asyncio.Future[None]) -> None:
        """Whoever stopped waiting must not lie here until a turn ends, which may be never."""
        line = self._waiting.get(key, [])
        if waiter in line:
            line.remove(waiter)
            if not line:
                del self._waiting[key]
