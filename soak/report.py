"""A run's findings as tables."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from soak.verdict import FILES, LIMIT_KEYS, MEMORY_MIB, SWEEPS_LATE, Verdict

MIB = 2**20


def show(verdict: Verdict, console: Console) -> None:
    """Print everything, the judgement last."""
    for name, line in verdict.machine.items():
        console.print(f"[bold]{name}[/bold]  {line}", highlight=False)
    _requests(verdict, console)
    _memory(verdict, console)
    _tables(verdict, console)
    _others(verdict, console)
    _judgement(verdict, console)


def _requests(verdict: Verdict, console: Console) -> None:
    made = len(verdict.book.acts)
    table = _table(
        f"{made:,} requests in {verdict.seconds:.0f} s ({made / verdict.seconds:.1f}/s) at"
        f" {verdict.nodes} nodes; latency in ms of the first and the last fifth",
        *("request", "how it ended", "p50 first", "p50 last", "p99 first", "p99 last"),
    )
    for kind, outcomes in verdict.counts.items():
        ended = ", ".join(f"{outcome}: {n:,}" for outcome, n in sorted(outcomes.items()))
        p50, p99, last50, last99 = verdict.drift(kind)
        table.add_row(kind, ended, *map(_ms, (p50, last50, p99, last99)))
    console.print(table)
    late50, late99 = verdict.late_ms
    console.print(f"sent after they were due: p50 {late50:.1f} ms, p99 {late99:.1f} ms\n")


def _ms(took: float) -> str:
    return f"{took:,.1f}" if took else "–"


def _memory(verdict: Verdict, console: Console) -> None:
    table = _table(
        "memory of the nodes in MiB, and open files",
        *("node", "since s", "start", "after a minute", "end", "MiB an hour", "last half", "files"),
    )
    for each in verdict.memory:
        figures = (each.since, each.start, each.minute, each.end, each.an_hour, each.late_an_hour)
        files = " → ".join(map(str, each.files))
        table.add_row(str(each.node), *(f"{one:.1f}" for one in figures), files)
    console.print(table)


def _tables(verdict: Verdict, console: Console) -> None:
    table = _table(
        "tables (rows of the traffic; due: rows put in to be swept in the course of the run)",
        *("table", "rows before", "after", "made by answers", "KiB before", "after"),
        *("came due", "swept"),
    )
    for each in verdict.growth:
        table.add_row(
            each.table,
            *(f"{n:,}" for n in each.rows),
            "" if each.made is None else f"{each.made:,}",
            *(f"{size / 1024:,.0f}" for size in each.bytes),
            f"{each.due:,}" if each.due else "",
            f"{each.swept:,}" if each.due else "",
        )
    console.print(table)


def _others(verdict: Verdict, console: Console) -> None:
    looks, database = verdict.looks, verdict.database
    cores = ", ".join(f"{name} {used:.2f}" for name, used in sorted(verdict.cores().items()))
    kids = ", ".join(f"{n:,}" for n in verdict.book.keys.values())
    updates = ", ".join(f"{name} {n:,} ({hot:,})" for name, (n, hot) in verdict.updates.items())
    lines = {
        "cores used": cores,
        "PostgreSQL": f"connections {looks[0].connections} → {looks[-1].connections} (most"
        f" {max(look.connections for look in looks)} of {verdict.most_connections}), commits"
        f" {database['commits']:,}, rollbacks {database['rollbacks']}, deadlocks"
        f" {database['deadlocks']}, write-ahead log {database['wal'] / MIB:.1f} MiB",
        "updates (HOT)": updates,
        "Redis": f"keys {looks[0].limit_keys} → {looks[-1].limit_keys}"
        f" (most {max(look.limit_keys for look in looks)})",
        "event streams": f"at most {verdict.most_streams} at once",
        "in the middle": f"{verdict.rotations} rotation of the keys (access tokens by key: {kids}),"
        f" {verdict.restarts} restart of a node",
    }
    for name, line in lines.items():
        console.print(f"[bold]{name}[/bold]  {line}", highlight=False)


def _judgement(verdict: Verdict, console: Console) -> None:
    console.print(f"\n[bold]errors[/bold]  {verdict.book.errors}", highlight=False)
    for example in verdict.book.examples:
        console.print(f"  {example}", highlight=False, markup=False)
    console.print(
        f"[bold]bounds[/bold]  memory +{MEMORY_MIB:.0f} MiB a node after its first minute (by the"
        f" line through it), open files +{FILES}, no row more or fewer than answers speak of, none"
        f" overdue for its sweep by {SWEEPS_LATE:.0f} s, {LIMIT_KEYS} keys in Redis,"
        f" {verdict.most_connections} connections, no deadlock, no rollback",
        highlight=False,
    )
    for broken in verdict.broken:
        console.print(f"  broken: {broken}", highlight=False, markup=False)
    console.print("sound" if verdict.sound else "NOT sound", style="bold", highlight=False)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="left" if column == "how it ended" else "right")
    return table
