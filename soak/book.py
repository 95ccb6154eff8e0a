"""Every request as it ended, and whether that was right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field

from soak.wire import Reply

EXAMPLES = 12
STREAM = "event stream"
"""A kind whose time says nothing: it is held for as long as its client likes."""


@dataclass(frozen=True, slots=True)
class Act:
    """One request: seconds since the begin, seconds that it took, how it ended."""

    kind: str
    at: float
    took: float
    outcome: str
    right: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an answer must be: its status, and what its body must hold."""

    status: int
    holds: bytes = b""

    def is_met(self, reply: Reply) -> bool:
        return not reply.lost and reply.status == self.status and self.holds in reply.body


@dataclass
class Book:
    """What was made and how it ended; times in seconds since `begin`."""

    begun: float = field(default_factory=time.monotonic)
    acts: list[Act] = field(default_factory=list)
    errors: int = 0
    examples: list[str] = field(default_factory=list)
    late: list[float] = field(default_factory=list, repr=False)
    """By how much each request was sent after it was due: the generator's own delay."""
    made: Counter[str] = field(default_factory=Counter)
    """Rows that answers speak of, by table."""
    keys: Counter[str] = field(default_factory=Counter)
    """Access tokens by the key that signed them."""

    def begin(self) -> None:
        """Forget what came before; from now on it counts."""
        self.begun = time.monotonic()
        self.acts.clear()
        self.late.clear()
        self.made.clear()
        self.keys.clear()

    @property
    def now(self) -> float:
        return time.monotonic() - self.begun

    async def answered(self, kind: str, asked: Awaitable[Reply], wanted: Wanted) -> Reply | None:
        """Await an answer and note it; None if it is not the one that was wanted."""
        began = time.monotonic()
        reply = await asked
        right = wanted.is_met(reply)
        outcome = reply.lost or str(reply.status)
        self.acts.append(Act(kind, began - self.begun, time.monotonic() - began, outcome, right))
        if right:
            return reply
        self.wrong(f"{kind}: {outcome} where {wanted.status} was due{_said(reply, wanted)}")
        return None

    def wrong(self, what: str) -> None:
        """Something is not as it should be."""
        self.errors += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"at {self.now:.1f} s: {what}")


def _said(reply: Reply, wanted: Wanted) -> str:
    # What a right status brings may hold tokens; an error's text never does.
    if reply.lost:
        return ""
    if reply.status < 400:
        return f", without {wanted.holds.decode()}" if wanted.holds else ""
    return f" {reply.body[:160].decode(errors='replace')}"
