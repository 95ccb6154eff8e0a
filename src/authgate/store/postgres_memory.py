"""What a guarded call asks of PostgreSQL every time, remembered for one second.

A read is a round trip, and a call with a token would make one or two before it is let through. So
the grant, the client, the API key and the bar are remembered, and asked for once however many
callers want the same. A change made by this process is seen by it at once, one made elsewhere
within the second: that is how late a revocation may be. A slow or cut-off database does not make it
later: a question that has waited for a second is nobody else's to join, since its answer may have
been on its way all that time. Never here: what is read in order to be decided on, and the absence
of a grant, a client or a key, which is asked anew each time (a stranger may name as many as they
like, and what another node has just made must be found).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from authgate.store.postgres_wire import Result, Row

T = TypeVar("T")

_SECOND = 1.0
# Records remembered of each kind; one costs about 1 KiB.
_REMEMBERED = 4096


class Memory(Generic[T]):
    """Records of one kind by key, each as it was at most a second ago."""

    def __init__(
        self,
        ask: Callable[[str], asyncio.Future[list[Result]]],
        record: Callable[[Row], T],
        *,
        absence: bool = False,
    ) -> None:
        """`ask` reads the row of a key; with `absence` it is remembered too that there is none."""
        self._ask = ask
        self._record = record
        self._absence = absence
        self._known: dict[str, tuple[float, T | None]] = {}
        self._asked: dict[str, tuple[float, asyncio.Future[list[Result]]]] = {}

    async def get(self, key: str) -> T | None:
        loop = asyncio.get_running_loop()
        known = self._known.get(key)
        if known is not None and loop.time() < known[0]:
            return known[1]
        asking = self._asked.get(key)
        if asking is None or loop.time() >= asking[0]:
            # From before it was asked: the answer may be that old.
            asking = self._asked[key] = (loop.time() + _SECOND, self._ask(key))
            asking[1].add_done_callback(lambda done: self._heard(key, done))
        # Of several who wait for the same answer one may leave.
        rows = (await asyncio.shield(asking[1]))[0].rows
        known = self._known.get(key)
        if known is not None and known[0] >= asking[0]:
            return known[1]
        return self._record(rows[0]) if rows else None

    def _heard(self, key: str, done: asyncio.Future[list[Result]]) -> None:
        # Somebody changed it meanwhile, or asked anew: this answer is from before, and nobody's to
        # keep.
        until, asked = self._asked.get(key, (0.0, None))
        if asked is not done:
            return
        del self._asked[key]
        if done.cancelled() or done.exception() is not None:
            return
        rows = done.result()[0].rows
        if rows or self._absence:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = (until, self._record(rows[0]) if rows else None)

    def drop(self, key: str) -> None:
        """Whoever asks from now on hears of what is stored now."""
        self._known.pop(key, None)
        self._asked.pop(key, None)

    def clear(self) -> None:
        self._known.clear()
        self._asked.clear()
