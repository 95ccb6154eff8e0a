"""What a run found, and whether it may be called sound: no errors, and nothing without a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import linear_regression, median
from typing import Any

from soak.book import STREAM, Act, Book
from soak.watch import Look

MEMORY_MIB = 24.0
"""By how much a node's memory may rise from its first minute to its end, by the line through it.

What it remembers fills in that time: up to 4,096 each of tokens, grants and clients, of 1 to 2 KiB.
Where that is full the line is flat, so the longer the run the sharper the bound.
"""
FILES = 64
LIMIT_KEYS = 500
SWEEPS_LATE = 150.0
"""Seconds after which a row that is due must be gone: a node looks once a minute."""
KEPT = ("clients", "codes", "grants", "refresh_tokens")
"""Tables whose rows nothing sweeps within a day of their use."""
DAY = 86_400
WARM = 60.0
FLOOR = 30.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one node's process, in MiB; `an_hour` is the slope of the line after its first minute,
    `late_an_hour` that of its last half: what fills up rises less and less, what leaks does not.

    But for the start, it is the least of each half minute: while a password is hashed, a node holds
    64 MiB more, and whether a look meets that is chance.
    """

    node: int
    since: float
    start: float
    minute: float
    end: float
    an_hour: float
    late_an_hour: float
    rise: float
    files: tuple[int, int, int]
    """Open files at the start, after the first minute, and at the end."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Of a table: rows before and after, what answers speak of, bytes before and after.

    `made` is None for a table of which no answer says how many rows there must be.
    """

    table: str
    rows: tuple[int, int]
    made: int | None
    bytes: tuple[int, int]
    due: int = 0
    swept: int = 0

    @property
    def unexplained(self) -> int:
        return 0 if self.made is None else max(0, self.rows[1] - self.rows[0] - self.made)

    @property
    def missing(self) -> int:
        """Rows that an answer spoke of and that are not there: accepted work that was lost."""
        made = self.made if self.made is not None and self.table in KEPT else 0
        return max(0, self.rows[0] + made - self.rows[1]) if made else 0


@dataclass
class Verdict:
    """Everything a run found."""

    seconds: float
    rate: float
    nodes: int
    book: Book = field(repr=False)
    looks: Sequence[Look] = field(repr=False)
    growth: Sequence[Growth] = ()
    database: dict[str, int] = field(default_factory=dict)
    most_connections: int = 0
    overdue: dict[str, int] = field(default_factory=dict)
    most_streams: int = 0
    restarts: int = 0
    rotations: int = 0
    updates: dict[str, tuple[int, int]] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)

    # --- requests ----------------------------------------------------------------------------

    @property
    def counts(self) -> dict[str, Counter[str]]:
        """How often each kind ended how."""
        found: dict[str, Counter[str]] = {}
        for act in self.book.acts:
            found.setdefault(act.kind, Counter())[act.outcome] += 1
        return dict(sorted(found.items()))

    def drift(self, kind: str) -> tuple[float, float, float, float]:
        """p50 and p99 in ms of the first and of the last fifth of the run; 0: none there."""
        acts = [act for act in self.book.acts if act.kind == kind and kind != STREAM]
        first = [act for act in acts if act.at < self.seconds / 5]
        last = [act for act in acts if act.at >= self.seconds * 4 / 5]
        return (*_percentiles(first), *_percentiles(last))

    @property
    def late_ms(self) -> tuple[float, float]:
        """The generator's own delay in ms, p50 and p99."""
        late = sorted(self.book.late)
        return (_at(late, 0.5) * 1e3, _at(late, 0.99) * 1e3)

    # --- what is held ------------------------------------------------------------------------

    @property
    def memory(self) -> list[Memory]:
        """Of every process that was a node, in the order of their begin."""
        found = []
        for key in dict.fromkeys(key for look in self.looks for key in look.nodes):
            seen = [look for look in self.looks if key in look.nodes]
            warm = min(WARM, self.seconds / 3)
            later = [look for look in seen if look.at >= seen[0].at + warm] or seen[-1:]
            floor = _floor([(look.at, look.nodes[key].mib) for look in later])
            slope = _slope(floor)
            start, minute, end = (look.nodes[key] for look in (seen[0], later[0], seen[-1]))
            found.append(
                Memory(
                    node=key[0],
                    since=seen[0].at,
                    start=start.mib,
                    minute=floor[0][1],
                    end=floor[-1][1],
                    an_hour=slope * 3600,
                    late_an_hour=_slope(floor[len(floor) // 2 :]) * 3600,
                    rise=slope * (floor[-1][0] - floor[0][0]),
                    files=(start.files, minute.files, end.files),
                )
            )
        return found

    def cores(self) -> dict[str, float]:
        """How many cores each took, on the average."""
        first, last = self.looks[0], self.looks[-1]
        found = {name: used - first.cpu[name] for name, used in last.cpu.items()}
        keys = dict.fromkeys(key for look in self.looks for key in look.nodes)
        found["nodes"] = sum(self._cpu_of(key) for key in keys)
        return {name: used / (last.at - first.at) for name, used in found.items()}

    def _cpu_of(self, key: tuple[int, int]) -> float:
        seen = [look.nodes[key].cpu for look in self.looks if key in look.nodes]
        return seen[-1] - (seen[0] if key in self.looks[0].nodes else 0.0)

    # --- the bounds --------------------------------------------------------------------------

    @property
    def broken(self) -> list[str]:
        """Which bounds were broken by what."""
        found = [
            f"memory of node {each.node}: a rise of {each.rise:.1f} MiB (bound {MEMORY_MIB:.0f})"
            for each in self.memory
            if each.rise > MEMORY_MIB
        ]
        found += [
            f"open files of node {each.node}: {each.files[1]} → {each.files[2]} (bound +{FILES})"
            for each in self.memory
            if each.files[2] > each.files[1] + FILES
        ]
        found += [
            f"rows of {each.table}: {each.unexplained} more than were made"
            for each in self.growth
            if each.unexplained
        ]
        found += [
            f"rows of {each.table}: {each.missing} that were answered for are not there"
            for each in self.growth
            if each.missing and self.seconds < DAY
        ]
        found += [f"sweep of {name}: {left} rows overdue" for name, left in self.overdue.items()]
        keys = max(look.limit_keys for look in self.looks)
        if keys > LIMIT_KEYS:
            found.append(f"keys in Redis: {keys} (bound {LIMIT_KEYS})")
        connections = max(look.connections for look in self.looks)
        if connections > self.most_connections:
            found.append(f"connections to PostgreSQL: {connections} ({self.most_connections})")
        found += [
            f"{what}: {self.database[what]} (bound 0)"
            for what in ("deadlocks", "rollbacks")
            if self.database.get(what)
        ]
        return found

    @property
    def sound(self) -> bool:
        return not self.book.errors and not self.broken

    def as_json(self) -> dict[str, Any]:
        """Everything for programs."""
        return {
            "sound": self.sound,
            "seconds": self.seconds,
            "rate": self.rate,
            "nodes": self.nodes,
            "machine": self.machine,
            "requests": len(self.book.acts),
            "counts": {kind: dict(outcomes) for kind, outcomes in self.counts.items()},
            "errors": self.book.errors,
            "examples": self.book.examples,
            "broken": self.broken,
            "latency_ms": {kind: self.drift(kind) for kind in self.counts},
            "generator_late_ms": self.late_ms,
            "memory": [asdict(each) for each in self.memory],
            "looks": [
                {"at": look.at, "mib": [each.mib for each in look.nodes.values()]}
                for look in self.looks
            ],
            "tables": [asdict(each) for each in self.growth],
            "overdue": self.overdue,
            "database": self.database,
            "updates": self.updates,
            "connections": max(look.connections for look in self.looks),
            "limit_keys": max(look.limit_keys for look in self.looks),
            "cores": self.cores(),
            "streams_at_once": self.most_streams,
            "keys_that_signed": dict(self.book.keys),
            "restarts": self.restarts,
            "rotations": self.rotations,
        }


def _floor(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lowest of each half minute, in their order."""
    lowest: dict[int, tuple[float, float]] = {}
    for at, mib in points:
        window = int(at // FLOOR)
        if window not in lowest or mib < lowest[window][1]:
            lowest[window] = (at, mib)
    return list(lowest.values())


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through them; 0 where two points would be called one."""
    if len(points) < 3:
        return 0.0
    return linear_regression(*zip(*points, strict=True)).slope


def _percentiles(acts: Sequence[Act]) -> tuple[float, float]:
    took = sorted(act.took for act in acts)
    return (median(took) * 1e3 if took else 0.0, _at(took, 0.99) * 1e3)


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
