"""What was hoped for, next to what the same run found. An aim missed is told, not failed on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.gateways import SDK as SDK_SERVER
from bench.gateways import SMALL
from bench.targets import AUTHGATE, CEILING_ON_POSTGRES, ON_POSTGRES, SDK
from bench.through import added

if TYPE_CHECKING:
    from bench.report import Report

STARTS = {
    "fresh": "new database",
    "existing": "existing database",
    "everything": "existing database, both MCP endpoints asked",
    "sdk": "(mcp SDK authorization server, in memory)",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """What was hoped for, what came out."""

    what: str
    aim: str
    found: str
    reached: bool


def aims(report: Report) -> list[Aim]:
    """The aims of what was measured."""
    found = list(_of_the_gateway(report)) if report.guard else []
    if report.find("code exchange", 32, SDK):
        found = [*_of_the_server(report), *found]
    if report.find("code exchange", 32, ON_POSTGRES):
        found += _on_postgres(report)
    if report.starts:
        found += _of_the_start(report)
    return found


def _of_the_server(report: Report) -> Iterator[Aim]:
    for work, share in (("code exchange", 1.0), ("refresh", 1.0), ("registration", 0.5)):
        ours, theirs = report.rate(work, AUTHGATE), report.rate(work, SDK)
        wanted = f"≥ {share * theirs:,.0f}/s ({share:g} × the SDK in memory)"
        ratio = ours / theirs if theirs else 0.0
        is_reached = ours >= share * theirs
        yield Aim(f"{work}, 32 connections", wanted, f"{ours:,.0f}/s ({ratio:.2f} ×)", is_reached)
    for work in ("code exchange", "refresh"):
        one = report.find(work, 1, AUTHGATE)
        p50 = one.median.p50 if one else 0.0
        yield Aim(f"{work}, 1 connection, p50", "≤ 0.60 ms", f"{p50:.2f} ms", p50 <= 0.6)


def _on_postgres(report: Report) -> Iterator[Aim]:
    for work in ("code exchange", "refresh"):
        ours, most = report.rate(work, ON_POSTGRES), report.rate(work, CEILING_ON_POSTGRES)
        wanted = f"≥ {0.7 * most:,.0f}/s (0.7 × bare ASGI on it)"
        ratio = ours / most if most else 0.0
        said = f"{ours:,.0f}/s ({ratio:.2f} ×)"
        yield Aim(f"{work} on PostgreSQL, 32 connections", wanted, said, ours >= 0.7 * most)


def _of_the_start(report: Report) -> Iterator[Aim]:
    limits = (("existing", 0.7, 90), ("fresh", 0.7, 90), ("everything", 1.2, 120))
    for name, seconds, mib in limits:
        start = report.starts[name]
        yield Aim(
            f"cold start, {STARTS[name]}",
            f"≤ {seconds:g} s, {mib} MiB",
            f"{start.seconds:.2f} s, {start.mib:.0f} MiB",
            start.seconds <= seconds and start.mib <= mib,
        )


def _of_the_gateway(report: Report) -> Iterator[Aim]:
    known, first = report.guard["known_us"], report.guard["first_us"]
    yield _at_most("the guard, a token it knows", 10, known, "µs CPU")
    yield _at_most("the guard, a token it sees first", 80, first, "µs CPU")
    for one in added(report.series):
        if one.server == AUTHGATE and one.work == SMALL:
            yield _at_most(
                "a call through the gateway, 32 connections", 120, one.cpu_many, "µs CPU"
            )
        elif one.server == AUTHGATE and one.work == SDK_SERVER:
            what = "throughput to the SDK’s server, 32 connections"
            said = f"{one.ratio:.2f} ({one.by_cpu:.2f} by CPU)"
            yield Aim(what, "≥ 0.5 of direct", said, min(one.ratio, one.by_cpu) >= 0.5)
    for held in report.streams:
        if held.server == AUTHGATE:
            yield _at_most("1,000 open streams", 30, held.per_thousand, "MiB")


def _at_most(what: str, most: float, found: float, unit: str) -> Aim:
    return Aim(what, f"≤ {most:g} {unit}", f"{found:.0f} {unit}", found <= most)
