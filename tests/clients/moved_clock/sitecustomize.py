"""A clock that a test moves on, for a program of its own: found by Python itself on PYTHONPATH.

`time.time` is ahead by the seconds that the file named in TEST_CLOCK_AHEAD holds. What is measured
by other clocks (waiting, throttles, timeouts) stays as it is, as when a machine's clock is set.
"""

import os
import time
from pathlib import Path

_ahead = os.environ.get("TEST_CLOCK_AHEAD")
_time = time.time


def _moved() -> float:
    assert _ahead is not None
    return _time() + float(Path(_ahead).read_text())


if _ahead is not None:
    time.time = _moved
