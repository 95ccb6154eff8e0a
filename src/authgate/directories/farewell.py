"""Ending sessions elsewhere, in the background: those that a sign-in began and nobody keeps.

They must not lie around there, and nobody should wait for their end. Bounded: where sessions are
ended more slowly than people come, some are left to run out by themselves. Never here: how one is
ended (each directory's own `farewell`). For one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from authgate.observe import log

MOST = 1000
AT_ONCE = 8
LAST_WAIT = 5.0

Ending = Callable[[], Coroutine[Any, Any, bool]]
"""Ends a session; False if it may have stayed behind."""


class Farewells:
    """`failures` counts sessions that may have stayed behind, for metrics and tests; `event` is
    what the log calls one."""

    def __init__(self, event: str, most: int = MOST) -> None:
        self._event = event
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.failures = 0

    async def close(self) -> None:
        """Let what is under way end, for a few seconds at most."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_WAIT)
            for task in late:
                task.cancel()
                self._failed("shutting down")
            await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, ending: Ending) -> None:
        """Have a session ended, at some point soon."""
        if len(self._tasks) >= self._most:
            self._failed("too many waiting")
            return
        task = asyncio.create_task(self._ended(ending))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ended(self, ending: Ending) -> None:
        async with self._turns:
            done = await ending()
        if not done:
            self._failed("not answered")

    def _failed(self, why: str) -> None:
        self.failures += 1
        log.warning(self._event, why=why, count=self.failures)
