"""A refusal takes a whole number of beats, so that its duration tells nothing (CWE-208).

Supabase Auth hashes only for addresses it knows: measured, 84 ms against 6 ms for an unknown one.
A second is well above a hash and a round trip to a hosted project, and does not hurt somebody who
mistyped. A floor alone would leak again as soon as the server is loaded and hashes take longer than
it; rounding up to the next beat leaves only what falls on different sides of a beat.
Never here: how often somebody may try (`security.limits`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

# Refusals wait here with their callers' connections open. The throttles let far fewer come this
# far; the bound is for the case that somebody has many addresses.
MOST = 1000


class Pace:
    """`beat` in seconds; 0 or less turns it off."""

    def __init__(
        self,
        beat: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        most: int = MOST,
    ) -> None:
        self._beat = beat
        self._clock = clock
        self._sleep = sleep
        self._most = most
        self._inside = 0

    def __enter__(self) -> float:
        self._inside += 1
        return self._clock()

    def __exit__(self, *_: object) -> None:
        self._inside -= 1

    @property
    def full(self) -> bool:
        """Too many attempts are being judged or waiting; the next must be turned away unjudged."""
        return self._inside >= self._most

    async def next_beat(self, began: float) -> None:
        """Wait until a whole number of beats, at least one, has passed since `began`."""
        if self._beat > 0:
            await self._sleep(self._beat - (self._clock() - began) % self._beat)
