"""`python -m bench`: one run of everything, about seven minutes; `--quick` for a first look."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from rich.console import Console

from bench import machine
from bench.parts import packages
from bench.report import Report, show
from bench.rounds import FULL, QUICK, Plan, Rounds, access_token
from bench.servers import LOAD_CORE, SERVER_CORE, pin, spawn
from bench.start import measure_starts
from bench.targets import CEILING, SDK, authgate, on_postgres, peer
from bench.through import measure

GUARDED, UNGUARDED = "with guard", "without"


def main() -> None:
    """Measure, print, and write the JSON document if one was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes; rougher figures")
    parser.add_argument("--stores", action="store_true", help="only SQLite beside PostgreSQL")
    parser.add_argument("--through", action="store_true", help="only what goes through a gateway")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    given = parser.parse_args()
    plan = QUICK if given.quick else FULL
    report = (run_through if given.through else run_stores if given.stores else run)(plan)
    show(report, Console(width=None if sys.stdout.isatty() else 130))
    if given.json:
        given.json.write_text(json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n")


def run(plan: Plan) -> Report:
    """One run of everything."""
    found, say = machine.describe(), _beginning()
    say("cold starts")
    starts = measure_starts(plan.starts)
    say("what each part costs")
    with TemporaryDirectory(prefix="authgate-bench-") as folder:
        _child("bench.parts", folder)  # makes the database: a start finds one
        parts = _child("bench.parts", folder)
    imported = packages()
    say("the guard and the pieces of a code exchange by themselves")
    guard = _child("bench.guard", str(plan.rounds))
    pieces = _child("bench.pieces")
    rounds = Rounds(plan, say)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_under_load(rounds, say))
        streams = runner.run(measure(rounds, say))
    say("done")
    return Report(
        found, rounds.series(), rounds.held, guard, pieces, starts, parts, imported, streams
    )


def run_stores(plan: Plan) -> Report:
    """The steps of the authorization server on both stores, and their ceilings."""
    found, say = machine.describe(), _beginning()
    rounds = Rounds(plan, say)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_on_both_stores(rounds))
    say("done")
    return Report(found, rounds.series(), rounds.held, {})


def run_through(plan: Plan) -> Report:
    """The guard and the gateways alone."""
    found, say = machine.describe(), _beginning()
    say("the guard by itself")
    guard = _child("bench.guard", str(plan.rounds))
    rounds = Rounds(plan, say)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        streams = runner.run(measure(rounds, say))
    say("done")
    return Report(found, rounds.series(), [], guard, streams=streams)


def _beginning() -> Callable[[str], None]:
    """This process on its core; what tells the time since."""
    begun = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {what}", file=sys.stderr, flush=True)

    if SERVER_CORE == LOAD_CORE:
        say("only one core here: server and generator share it, so the rates mean little")
    pin(LOAD_CORE)
    return say


async def _under_load(rounds: Rounds, say: Callable[[str], None]) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="authgate-bench-"))
        ours = stack.enter_context(authgate(Path(folder)))
        sdk = stack.enter_context(peer("sdk", SDK))
        ceiling = stack.enter_context(peer("ceiling", CEILING))
        other = stack.enter_context(TemporaryDirectory(prefix="authgate-bench-"))
        durable = stack.enter_context(on_postgres(Path(other)))
        await rounds.authorization([ours, *durable, sdk, ceiling])
    with ExitStack() as stack:
        say("tool calls with and without the guard")
        folder = stack.enter_context(TemporaryDirectory(prefix="authgate-bench-"))
        guarded = stack.enter_context(authgate(Path(folder)))
        guarded.name = GUARDED
        unguarded = stack.enter_context(peer("example", UNGUARDED))
        asked = [(guarded, await access_token(guarded)), (unguarded, None)]
        await rounds.tool_calls("tools/call add", asked)


async def _on_both_stores(rounds: Rounds) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="authgate-bench-"))
        ours = stack.enter_context(authgate(Path(folder)))
        ceiling = stack.enter_context(peer("ceiling", CEILING))
        other = stack.enter_context(TemporaryDirectory(prefix="authgate-bench-"))
        durable = stack.enter_context(on_postgres(Path(other)))
        await rounds.authorization([ours, *durable, ceiling])


def _child(module: str, *arguments: str) -> Any:
    """What a module of the bench prints as JSON, run by itself on the servers' core."""
    child = spawn(["-m", module, *arguments], core=SERVER_CORE, pipes=True)
    out, _ = child.communicate(timeout=120)
    if child.returncode:
        raise SystemExit(f"{module} failed")
    return json.loads(out)


if __name__ == "__main__":
    main()
