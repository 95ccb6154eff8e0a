"""Whether the clock on the wall is to be believed when something is removed for its age alone.

A clock that was set years ahead, by hand or by a machine that lost its battery, makes every client
and every grant look long over, and one sweep would remove for good what is good again when somebody
sets the clock right. So the sweep waits a while after a start, when machines set their clocks, and
longer after a leap. To wait costs nothing but space. Never here: what is removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from authgate.observe import log

AFTER_START = 60.0  # seconds; time services set a clock soon after a machine came up
AFTER_LEAP = 3600.0  # for an operator to see what happened
LEAP = 300.0  # seconds between two looks; slower corrections are no leaps


def since_boot() -> float:
    """Seconds by the clock that nobody can set, with those for which the machine slept, where the
    system counts them. The other one stands still meanwhile: on a machine that is suspended every
    hour each waking would be a leap, and nothing was ever swept."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class SteadyClock:
    """The clock on the wall held against the one that nobody can set. For one job."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = since_boot,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._apart = wall() - monotonic()
        self._from = monotonic() + AFTER_START

    def may_be_believed(self) -> bool:
        """False for a while after the start and after a leap; a leap is logged."""
        now = self._monotonic()
        apart = self._wall() - now
        if abs(apart - self._apart) > LEAP:
            log.warning("clock.leapt", seconds=int(apart - self._apart), sweep_waits=AFTER_LEAP)
            self._from = now + AFTER_LEAP
        self._apart = apart
        return now >= self._from
