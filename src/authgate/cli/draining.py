"""The seconds between "stop" and the end in which a load balancer learns that this node is leaving.

It asks `/readyz` every few seconds and goes on sending until it has heard no. So the answer is no
from the signal on, everything else is served as before, and only then comes uvicorn's orderly end.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from authgate.observe import log

if TYPE_CHECKING:
    from types import FrameType

    from authgate.endpoints.health import Readiness

ENDS = (signal.SIGTERM, signal.SIGINT)
# A worker hears the first "stop" twice where a whole group is told (a terminal, systemd): from
# there and from its supervisor. So in a worker no repetition ends the waiting, only this does.
END_NOW = signal.SIGUSR1


Handler = Callable[[int, "FrameType | None"], object]


class _Delay:
    """What a signal to stop does. It comes between any two instructions of the loop's thread."""

    def __init__(
        self, seconds: int, readiness: Readiness, *, repeats_end: bool, uvicorns: Handler
    ) -> None:
        self._seconds = seconds
        self._readiness = readiness
        self._repeats_end = repeats_end
        self._loop = asyncio.get_running_loop()
        self._uvicorns = uvicorns
        self._begun_by: int | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._ended = False

    def told(self, number: int, frame: FrameType | None) -> None:
        """The handler of all signals concerned."""
        if self._begun_by is None:
            self._begun_by = number
            self._readiness.draining = True
            self._loop.call_soon_threadsafe(self._wait, number)
        elif self._ended:
            if number != END_NOW:  # uvicorn's from here on: a second Ctrl-C cuts off what runs
                self._uvicorns(number, frame)
        elif self._repeats_end or number == END_NOW:
            self._loop.call_soon_threadsafe(self._end, self._begun_by)

    def _wait(self, number: int) -> None:
        log.info("server.draining", seconds=self._seconds)
        self._waiting = self._loop.call_later(self._seconds, self._end, number)

    def _end(self, number: int) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        if not self._ended:
            self._ended = True
            self._uvicorns(number, None)


def drain_first(seconds: int, readiness: Readiness) -> None:
    """Put the delay before uvicorn's own handling, which is installed by now and takes its own
    handlers away at the end. Another signal ends the waiting."""
    if not seconds:
        return
    worker = multiprocessing.parent_process() is not None
    uvicorns = signal.getsignal(signal.SIGTERM)
    assert callable(uvicorns)
    delay = _Delay(seconds, readiness, repeats_end=not worker, uvicorns=uvicorns)
    for number in (*ENDS, END_NOW) if worker else ENDS:
        signal.signal(number, delay.told)
