"""Counters of a moving window, in this process's memory: the storage under `limits`.

Why not the library's own memory storage: it reads the wall clock, so a clock set back an hour locks
people out for an hour; it starts a thread that walks all keys after a hit, so a crowd of strangers
makes every hit dear; and nothing bounds it. The strategy and the limits' language are its own.
Never here: what is counted (`limits`), and what many nodes count together (`shared_limits`).
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable

from limits.storage import MovingWindowSupport, Storage

MAX_KEYS = 20_000


class Windows(Storage, MovingWindowSupport):
    """The moments of the latest hits of each key, for one limit, on a monotonic clock.

    One instance holds one limit, so the order of last hits is the order of expiry: a hit drops the
    keys that have run out from the front, and beyond `max_keys` the one that was quiet longest.
    For use from one thread (the event loop).
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS
    ) -> None:
        super().__init__()
        self._clock = clock
        self._max_keys = max_keys
        self._hits: OrderedDict[str, list[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._hits)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` hits if they fit in the window; a hit that does not fit is not counted."""
        now = self._clock()
        self._drop_ended(now - expiry)
        hits = self._hits.get(key, [])
        del hits[: bisect_right(hits, now - expiry)]
        if len(hits) + amount > limit:
            return False
        hits.extend([now] * amount)
        self._hits[key] = hits
        self._hits.move_to_end(key)
        if len(self._hits) > self._max_keys:
            self._hits.popitem(last=False)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """The moment of the oldest hit in the window, and how many there are."""
        now = self._clock()
        hits = self._hits.get(key, [])
        ended = bisect_right(hits, now - expiry)
        return (hits[ended], len(hits) - ended) if ended < len(hits) else (now, 0)

    def clear(self, key: str) -> None:
        """Forget a key."""
        self._hits.pop(key, None)

    def reset(self) -> int:
        """Forget everything; returns how many keys there were."""
        count = len(self._hits)
        self._hits.clear()
        return count

    def check(self) -> bool:
        """Memory is always there."""
        return True

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Only fixed windows call this: failing loudly shows that somebody began to use them."""
        raise RuntimeError("this storage counts moving windows only")

    def get(self, key: str) -> int:
        """How many hits are kept for a key, ended ones included."""
        return len(self._hits.get(key, ()))

    def get_expiry(self, key: str) -> float:
        """Only fixed windows call this: failing loudly shows that somebody began to use them."""
        raise RuntimeError("this storage counts moving windows only")

    def _drop_ended(self, before: float) -> None:
        while self._hits:
            key, hits = next(iter(self._hits.items()))
            if hits[-1] > before:
                return
            del self._hits[key]
