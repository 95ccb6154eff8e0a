"""Who still calls with what: counted in memory, written every few seconds.

A count costs a call a look into a dict; a write of its own would cost more than the call. What was
counted in the last seconds before a crash is lost, which a decision about a rollout survives. Only
a client that was proven has a name here, and a process names so many a day: nobody can grow it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from authgate.observe import log
from authgate.protocol.records import ApiKey, UsageRow
from authgate.protocol.rollout import Kind
from authgate.store.contract import Store, StoreUnavailable

WRITE_EVERY = 3.0
MOST_CLIENTS = 2000  # a day, in this process; whoever comes later is counted without a name
DAY = 86_400

_Key = tuple[int, Kind, str]


class Usage:
    """Counts of this process. For one event loop; `clock` in seconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._counted: dict[_Key, list[int]] = {}
        self._named: set[tuple[Kind, str]] = set()
        self._named_on = 0
        self._used: dict[str, int] = {}

    def count(self, kind: Kind, client: str, *, refused: bool) -> None:
        """One call; `refused`: `required` would refuse it."""
        day = self._clock() // DAY
        counts = self._counted.get((day, kind, client))
        if counts is None:
            counts = self._counted.setdefault((day, kind, self._name(day, kind, client)), [0, 0])
        counts[0] += 1
        counts[1] += refused

    def used(self, key: ApiKey) -> None:
        """An API key was used; the first use of a day is written down."""
        day = self._clock() // DAY
        if key.last_used_at is None or key.last_used_at < day * DAY:
            self._used[key.key_digest] = day

    def _name(self, day: int, kind: Kind, client: str) -> str:
        """The client as it is counted: by its name, if there is room for another."""
        if day != self._named_on:
            self._named, self._named_on = set(), day
        if not client or (kind, client) in self._named:
            return client
        if len(self._named) >= MOST_CLIENTS:
            return ""
        self._named.add((kind, client))
        return client

    async def keep(self) -> None:
        """Write what was counted, for as long as the process lives."""
        while True:
            await asyncio.sleep(WRITE_EVERY)
            try:
                await self.flush()
            except StoreUnavailable as trouble:
                log.warning("usage.not_written", detail=str(trouble))
            except Exception as trouble:  # a bug too: it must not end the counting unheard
                log.error("usage.broken", error=type(trouble).__name__)

    async def flush(self) -> None:
        """Write what was counted; what cannot be written is kept for the next time."""
        counted, self._counted = self._counted, {}
        used, self._used = self._used, {}
        try:
            await self._store.add_usage(
                [
                    UsageRow(day, kind.value, client, calls, refused)
                    for (day, kind, client), (calls, refused) in counted.items()
                ]
            )
            counted = {}
            for key_digest, day in used.items():
                await self._store.touch_api_key(key_digest, day)
        except Exception:
            self._take_back(counted)
            self._used = {**used, **self._used}
            raise

    def _take_back(self, counted: dict[_Key, list[int]]) -> None:
        for key, (calls, refused) in counted.items():
            counts = self._counted.setdefault(key, [0, 0])
            counts[0] += calls
            counts[1] += refused

    async def close(self) -> None:
        """Write the last counts, if they can be written."""
        with suppress(StoreUnavailable):
            await self.flush()
