"""Answers remembered for a short while, and one question for a crowd that asks the same.

For what is asked often and changes seldom: a person's standing, the project's settings, its keys.
Bounded; on a monotonic clock; for one event loop. Never here: what is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """`keep_for` tells how many seconds an answer may be used again; 0 for not at all."""

    def __init__(
        self,
        keep_for: Callable[[Value], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = 10_000,
    ) -> None:
        self._keep_for = keep_for
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[str, tuple[float, Value]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Value]] = {}
        self._tasks: set[asyncio.Task[Value]] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def holds(self, key: str) -> bool:
        """Is there an answer that may be used, or one on its way?"""
        kept = self._kept.get(key)
        return key in self._asking or (kept is not None and self._clock() < kept[0])

    async def get(self, key: str, ask: Callable[[], Awaitable[Value]]) -> Value:
        """The remembered answer, or the one that is being fetched, or a fresh one."""
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        # Shielded: one caller that goes away must not take the answer from the others.
        return await asyncio.shield(self.begin(key, ask))

    def begin(self, key: str, ask: Callable[[], Awaitable[Value]]) -> asyncio.Task[Value]:
        """Have a fresh answer fetched, unless one is being fetched already."""
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._fresh(key, ask))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    def learn(self, key: str, value: Value) -> None:
        """What was just heard by other means; an answer of before, still on its way, is void."""
        self._asking.pop(key, None)
        self._keep(key, value)

    async def close(self) -> None:
        """Drop what is still being asked."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fresh(self, key: str, ask: Callable[[], Awaitable[Value]]) -> Value:
        me = asyncio.current_task()
        try:
            value = await ask()
            if self._asking.get(key) is me:  # or something newer was learnt meanwhile
                self._keep(key, value)
            return value
        finally:
            if self._asking.get(key) is me:
                del self._asking[key]

    def _keep(self, key: str, value: Value) -> None:
        seconds = self._keep_for(value)
        self._kept.pop(key, None)
        if seconds > 0:
            self._kept[key] = (self._clock() + seconds, value)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
