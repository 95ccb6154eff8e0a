"""Work beside the requests: waited for a moment, then left to finish by itself. Bounded.

For what a person should not wait for and must not fail over. For one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from authgate.observe import log

MOST = 200
LAST_WAIT = 5.0


class Background:
    """`failures` counts what was given up, for metrics and tests."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0

    async def run(self, name: str, work: Coroutine[Any, Any, None], wait: float) -> None:
        """Begin `work`, and return when it is done or `wait` seconds are over."""
        if len(self._tasks) >= self._most:
            work.close()
            self._failed(name, "too many waiting")
            return
        task = asyncio.create_task(self._guarded(name, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=wait)

    async def close(self) -> None:
        """Let what is under way end, for a few seconds at most."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST_WAIT)
            for task in late:
                task.cancel()
                self._failed(task.get_name(), "shutting down")
            await asyncio.gather(*late, return_exceptions=True)

    async def _guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as trouble:  # beside a request there is nobody to tell but the operator
            self._failed(name, type(trouble).__name__)

    def _failed(self, name: str, why: str) -> None:
        self.failures += 1
        log.warning("background.given_up", work=name, why=why, count=self.failures)
