"""The report of a run: tables for people, one JSON document for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.aims import STARTS, aims
from bench.rounds import Held, Series
from bench.start import Start
from bench.targets import AUTHGATE
from bench.through import Streams, added


@dataclass(slots=True)
class Report:
    """Everything a run found; what was not measured is empty."""

    machine: dict[str, str]
    series: list[Series]
    held: list[Held]
    guard: dict[str, float]
    pieces: list[tuple[str, float]] = field(default_factory=list)
    starts: dict[str, Start] = field(default_factory=dict)
    parts: list[tuple[str, float, float]] = field(default_factory=list)
    packages: list[tuple[str, float]] = field(default_factory=list)
    streams: list[Streams] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "load": [series.as_json() for series in self.series],
            "memory_after_load": [asdict(held) for held in self.held],
            "guard": self.guard,
            "through": [asdict(one) for one in added(self.series)],
            "streams": [asdict(one) for one in self.streams],
            "pieces": [{"piece": name, "us": spent} for name, spent in self.pieces],
            "starts": {name: asdict(start) for name, start in self.starts.items()},
            "parts": [{"part": n, "ms": ms, "mib": mib} for n, ms, mib in self.parts],
            "packages": [{"package": name, "ms": ms} for name, ms in self.packages],
            "aims": [asdict(aim) for aim in aims(self)],
        }

    def find(self, work: str, connections: int, server: str) -> Series | None:
        for series in self.series:
            if (series.work, series.connections, series.server) == (work, connections, server):
                return series
        return None

    def rate(self, work: str, server: str, connections: int = 32) -> float:
        found = self.find(work, connections, server)
        return found.median.rate if found else 0.0


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for name, line in report.machine.items():
        console.print(f"[bold]{name}[/bold]  {line}", highlight=False)
    load = _table(
        "Under load, one core each (medians; durable but for the SDK and bare ASGI)",
        "work",
        "connections",
        "server",
        "requests/s",
        "slowest–fastest round",
        "p50 ms",
        "p99 ms",
        "CPU µs/request",
        "generator",
    )
    before = None
    for series in sorted(report.series, key=_by_work(report.series)):
        group = (series.work, series.connections)
        if before is not None and group != before:
            load.add_section()
        figures, (slowest, fastest) = series.median, series.spread
        load.add_row(
            series.work if group != before else "",
            str(series.connections) if group != before else "",
            series.server,
            f"{figures.rate:,.0f}",
            f"{slowest:,.0f}–{fastest:,.0f}",
            f"{figures.p50:.2f}",
            f"{figures.p99:.2f}",
            f"{figures.cpu_us:.0f}",
            f"{figures.generator_share:.0%}",
        )
        before = group
    console.print(load)
    _show_small(report, console)


def _show_small(report: Report, console: Console) -> None:
    through = _table("Through a gateway, beside the direct call", *_THROUGH)
    for one in added(report.series):
        cpu = f"{one.cpu_one:,.0f}", f"{one.cpu_many:,.0f}"
        through.add_row(
            one.work,
            one.server,
            f"{one.added_ms:.2f}",
            f"{one.ratio:.3f}",
            f"{one.by_cpu:.3f}",
            *cpu,
        )
    streams = _table("Open streams", "server", "MiB per 1,000")
    for held in report.streams:
        streams.add_row(held.server, f"{held.per_thousand:.1f}")
    guard = _table("The guard, CPU per call", "", "µs")
    if report.guard:
        guard.add_row("a token seen for the first time", f"{report.guard['first_us']:.1f}")
        guard.add_row("of that, the signature by itself", f"{report.guard['signature_us']:.1f}")
        guard.add_row("a token it knows", f"{report.guard['known_us']:.1f}")
    for table in (through, streams, guard, *_of_the_server(report), _judged(report)):
        if table.row_count:
            console.print(table)


_THROUGH = (
    *("work", "server", "ms more at 1"),
    *("rate at 32 / direct", "by CPU", "CPU µs at 1", "CPU µs at 32"),
)


def _of_the_server(report: Report) -> Iterator[Table]:
    pieces = _table("A code exchange, piece by piece (warm, alone)", "", "µs")
    for name, spent in report.pieces:
        pieces.add_row(name, f"{spent:.1f}")
    yield pieces
    starts = _table("Cold start and memory at rest", "", "s to the answer", "MiB")
    for name, start in report.starts.items():
        starts.add_row(STARTS[name], f"{start.seconds:.2f}", f"{start.mib:.0f}")
    yield starts
    held = _table("Memory after the load", "", "requests", "MiB")
    for one in report.held:
        held.add_row(one.server, f"{one.requests:,}", f"{one.mib:.0f}")
    yield held
    parts = _table("What each part of a start costs, in order", "", "ms", "MiB")
    for name, ms, mib in report.parts:
        parts.add_row(name, f"{ms:.0f}", f"{mib:.1f}")
    yield parts
    packages = _table("Imports of a start (-X importtime)", "", "ms")
    for name, ms in report.packages:
        packages.add_row(name, f"{ms:.0f}")
    yield packages


def _judged(report: Report) -> Table:
    judged = _table("Aims", "", "aim", "found", "")
    for aim in aims(report):
        judged.add_row(aim.what, aim.aim, aim.found, "reached" if aim.reached else "missed")
    return judged


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        words = number == 0 or column in ("server", "aim", "found", "")
        table.add_column(column, justify="left" if words else "right")
    return table


def _by_work(series: list[Series]) -> Any:
    """Measured order of works and servers, whatever the first round began with."""
    works = list(dict.fromkeys(one.work for one in series))
    servers = sorted({one.server for one in series}, key=lambda name: (name != AUTHGATE, name))
    return lambda one: (works.index(one.work), one.connections, servers.index(one.server))
