"""How many exchanges with the upstream may be open at once, for one person and for all.

Streams that stay open for hours get at most three quarters of either, so that there is always room
for a call; and one person gets a part only, so that nobody waits for somebody else's streams. All
who proved nothing get half together: whoever proved something finds as much room as all of them.
Less would be a cut: who is nobody here may be somebody to the upstream, and had all of it before.
Who finds no room is told at once: a queue would hide the trouble and then time out.
"""

from __future__ import annotations

from dataclasses import dataclass

from authgate.observe import metrics
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
        self._strangers = max(1, total // 2)
        self._all = _Open()
        self._by_person: dict[str, _Open] = {}

    @property
    def open(self) -> int:
        """How many exchanges are open now."""
        return self._all.calls + self._all.streams

    def taken(self, sub: str, *, stream: bool, bounded: bool = True) -> Taken:
        """One exchange's room, until the `with` that this is for is left; raises `Refusal`.

        Nobody (an empty `sub`, while OAuth is being switched on) is not one person: all who are
        unknown would share one person's part, who had no such bound before. They share a part of
        the whole, unless `bounded` is false.
        """
        return Taken(self, sub, stream, bounded)

    def take(self, sub: str, *, stream: bool, bounded: bool) -> None:
        """Take the room; see `taken`."""
        mine = self._by_person.get(sub) or _Open()
        if sub and not mine.has_room(self._each, stream=stream):
            raise Refusal(Reason.UPSTREAM_BUSY, retry_after=RETRY_AFTER, whose="this person's")
        if not sub and bounded and not mine.has_room(self._strangers, stream=stream):
            raise Refusal(Reason.UPSTREAM_BUSY, retry_after=RETRY_AFTER, whose="all strangers'")
        if not self._all.has_room(self._total, stream=stream):
            raise Refusal(Reason.UPSTREAM_BUSY, retry_after=RETRY_AFTER, whose="all people's")
        self._by_person[sub] = mine
        mine.add(1, stream=stream)
        self._all.add(1, stream=stream)
        if stream:
            metrics.record.stream(1)

    def give_back(self, sub: str, *, stream: bool) -> None:
        """What was taken."""
        mine = self._by_person[sub]
        mine.add(-1, stream=stream)
        self._all.add(-1, stream=stream)
        if stream:
            metrics.record.stream(-1)
        if not mine.calls and not mine.streams:
            del self._by_person[sub]


class Taken:
    """Room for the time of a `with`. (A generator would cost twice as much, on every call.)"""

    __slots__ = ("_bounded", "_slots", "_stream", "_sub")

    def __init__(self, slots: Slots, sub: str, stream: bool, bounded: bool) -> None:
        self._slots = slots
        self._sub = sub
        self._stream = stream
        self._bounded = bounded

    def __enter__(self) -> None:
        self._slots.take(self._sub, stream=self._stream, bounded=self._bounded)

    def __exit__(self, *_: object) -> None:
        self._slots.give_back(self._sub, stream=self._stream)
