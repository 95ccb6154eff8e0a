"""The report of a run: tables for people, one JSON document for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.rounds import Held, Series
from bench.start import Start
from bench.targets import AUTHGATE, SDK


@dataclass(slots=True)
class Report:
    """Everything a run found."""

    machine: dict[str, str]
    series: list[Series]
    held: list[Held]
    guard: dict[str, float]
    pieces: list[tuple[str, float]]
    starts: dict[str, Start]
    parts: list[tuple[str, float, float]]
    packages: list[tuple[str, float]]

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "load": [series.as_json() for series in self.series],
            "memory_after_load": [asdict(held) for held in self.held],
            "guard": self.guard,
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


@dataclass(frozen=True, slots=True)
class Aim:
    """What was hoped for, what came out."""

    what: str
    aim: str
    found: str
    reached: bool


def aims(report: Report) -> list[Aim]:
    """The aims next to the results of the same run."""
    found = []
    for work, share in (("code exchange", 1.0), ("refresh", 1.0), ("registration", 0.5)):
        ours, theirs = report.rate(work, AUTHGATE), report.rate(work, SDK)
        wanted = f"≥ {share * theirs:,.0f}/s ({share:g} × the SDK in memory)"
        ratio = ours / theirs if theirs else 0.0
        is_reached = ours >= share * theirs
        found.append(
            Aim(f"{work}, 32 connections", wanted, f"{ours:,.0f}/s ({ratio:.2f} ×)", is_reached)
        )
    for work in ("code exchange", "refresh"):
        one = report.find(work, 1, AUTHGATE)
        p50 = one.median.p50 if one else 0.0
        found.append(Aim(f"{work}, 1 connection, p50", "≤ 0.60 ms", f"{p50:.2f} ms", p50 <= 0.6))
    limits = (("existing", 0.7, 90), ("fresh", 0.7, 90), ("everything", 1.2, 120))
    for name, seconds, mib in limits:
        start = report.starts[name]
        found.append(
            Aim(
                f"cold start, {STARTS[name]}",
                f"≤ {seconds:g} s, {mib} MiB",
                f"{start.seconds:.2f} s, {start.mib:.0f} MiB",
                start.seconds <= seconds and start.mib <= mib,
            )
        )
    return found


STARTS = {
    "fresh": "new database",
    "existing": "existing database",
    "everything": "existing database, both MCP endpoints asked",
    "sdk": "(mcp SDK authorization server, in memory)",
}


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    for name, line in report.machine.items():
        console.print(f"[bold]{name}[/bold]  {line}", highlight=False)
    load = _table(
        "Under load, one core each (medians; authgate commits to disk, its peers forget)",
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
    guard = _table("The guard, per call", "", "µs")
    guard.add_row("a token seen for the first time", f"{report.guard['first_us']:.1f}")
    guard.add_row("a token it knows", f"{report.guard['known_us']:.1f}")
    pieces = _table("A code exchange, piece by piece (warm, alone)", "", "µs")
    for name, spent in report.pieces:
        pieces.add_row(name, f"{spent:.1f}")
    starts = _table("Cold start and memory at rest", "", "s to the answer", "MiB")
    for name, start in report.starts.items():
        starts.add_row(STARTS[name], f"{start.seconds:.2f}", f"{start.mib:.0f}")
    held = _table("Memory after the load", "", "requests", "MiB")
    for one in report.held:
        held.add_row(one.server, f"{one.requests:,}", f"{one.mib:.0f}")
    parts = _table("What each part of a start costs, in order", "", "ms", "MiB")
    for name, ms, mib in report.parts:
        parts.add_row(name, f"{ms:.0f}", f"{mib:.1f}")
    packages = _table("Imports of a start (-X importtime)", "", "ms")
    for name, ms in report.packages:
        packages.add_row(name, f"{ms:.0f}")
    judged = _table("Aims", "", "aim", "found", "")
    for aim in aims(report):
        judged.add_row(aim.what, aim.aim, aim.found, "reached" if aim.reached else "missed")
    for table in (guard, pieces, starts, held, parts, packages, judged):
        console.print(table)


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
