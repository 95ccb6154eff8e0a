"""The limits as written, and one with the hits it counts here. Used by `limits`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.strategies import MovingWindowRateLimiter

from authgate.security.windows import Windows

MAX_RETRY_AFTER = 60


class LimitMalformed(ValueError):
    """A limit that cannot be read; the text shows it and says what is wanted."""


class LimitStoreLost(Exception):
    """The limit store does not answer now: count in this process."""


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """The limits as the operator wrote them (AUTHGATE_LIMIT_…)."""

    sign_in_account: str = "10/minute"
    sign_in_address: str = "200/minute"
    factor: str = "20/hour"
    registration: str = "100/5 seconds"
    authorization: str = "100/5 seconds"
    client_secret: str = "60/minute"  # noqa: S105 - a limit, not a secret


def parse_limit(text: str) -> RateLimitItem:
    """One limit, such as `10/minute` or `100/5 seconds`; raises `LimitMalformed`."""
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise LimitMalformed(
            f"{text!r} is not a limit. Write a count and a time, such as 10/minute or "
            f"100/5 seconds."
        )
    return items[0]


def retry_in(seconds: float) -> int:
    """What a caller is told: whole seconds in 1..60."""
    return min(MAX_RETRY_AFTER, max(1, math.ceil(seconds)))


class Brake:
    """One limit, by name, and the hits that this process counts for it."""

    def __init__(self, name: str, limit: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.item = parse_limit(limit)
        self.amount = self.item.amount
        self.seconds = self.item.get_expiry()
        self.windows = Windows(clock)
        self._limiter = MovingWindowRateLimiter(self.windows)
        self._clock = clock

    def hit(self, key: str) -> int | None:
        """Count a hit; seconds to wait if it is one too many (it is then not counted)."""
        return None if self._limiter.hit(self.item, key) else self.retry_after(key) or 1

    def clear(self, key: str) -> None:
        self._limiter.clear(self.item, key)

    def remaining(self, key: str) -> int:
        """How many more hits the window takes."""
        return self._limiter.get_window_stats(self.item, key).remaining

    def retry_after(self, key: str) -> int | None:
        """None while another hit would count; else when the oldest one leaves, in 1..60 s."""
        stats = self._limiter.get_window_stats(self.item, key)
        return None if stats.remaining > 0 else retry_in(stats.reset_time - self._clock())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hit counts: a brake, and whose (a digest that tells nobody who)."""

    brake: Brake
    key: str
