"""How far a node's clock may be off, against the one that all nodes have in common.

A token's times are in seconds, and whoever verifies one grants a little (RFC 7519 section 4.1.4:
"no more than a few minutes"). Below five seconds nobody notices. From a minute on codes of another
node (60 seconds) are over before they are used, and tokens are refused as not yet valid.
"""

from __future__ import annotations

from typing import Literal

WARN_FROM = 5.0
ERROR_FROM = 60.0

Judged = Literal["fine", "warn", "error"]


def judge(seconds: float) -> Judged:
    """What a difference is worth; which of the two clocks is wrong it cannot tell."""
    off = abs(seconds)
    if off >= ERROR_FROM:
        return "error"
    return "warn" if off >= WARN_FROM else "fine"


def offset(before: float, after: float, shared: float) -> float:
    """By how much our clock is ahead, if `shared` was read between our `before` and `after`.

    The answer is taken to be from the middle, and the half that may be wrong is given to us: a slow
    database must not look like a wrong clock.
    """
    ahead = (before + after) / 2 - shared
    unsure = max(0.0, after - before) / 2
    if abs(ahead) <= unsure:
        return 0.0
    return ahead - unsure if ahead > 0 else ahead + unsure
