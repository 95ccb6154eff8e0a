"""How many exchanges with the upstream may be open at once, for one person and for all.

Streams that stay open for hours get at most three quarters of either, so that there is always room
for a call; and one person gets a part only, so that nobody waits for somebody else's streams. Who
finds no room is told at once: a queue would hide the trouble and then time out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from authgate.protocol.errors import Reason, Refusal

RETRY_AFTER = 1  # seconds; a call ends in a moment, and whoever comes back finds its room


@dataclass(slots=True)
class _Open:
    calls: int = 0
    streams: int = 0

    def has_room(self, limit: int, *, stream: bool) -> bool:
        if self.calls + self.streams >= limit:
            return False
        return not stream or self.streams < max(1, limit * 3 // 4)

    def add(self, one: int, *, stream: bool) -> None:
        if stream:
            self.streams += one
        else:
            self.calls += one


class Slots:
    """Counts of this process. `total` for all, `each` for one person."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._all = _Open()
        self._by_person: dict[str, _Open] = {}

    @property
    def open(self) -> int:
        """How many exchanges are open now."""
        return self._all.calls + self._all.streams

    @contextmanager
    def taken(self, sub: str, *, stream: bool) -> Iterator[None]:
        """One exchange's room, from now until the block is left; raises `Refusal`.

        Nobody (an empty `sub`, while OAuth is being switched on) is not one person: all who are
        unknown would share one person's part, who had no such bound before.
        """
        mine = self._by_person.get(sub) or _Open()
        if sub and not mine.has_room(self._each, stream=stream):
            raise Refusal(Reason.UPSTREAM_BUSY, retry_after=RETRY_AFTER, whose="this person's")
        if not self._all.has_room(self._total, stream=stream):
            raise Refusal(Reason.UPSTREAM_BUSY, retry_after=RETRY_AFTER, whose="all people's")
        self._by_person[sub] = mine
        for counts in (mine, self._all):
            counts.add(1, stream=stream)
        try:
            yield
        finally:
            for counts in (mine, self._all):
                counts.add(-1, stream=stream)
            if not mine.calls and not mine.streams:
                self._by_person.pop(sub, None)
