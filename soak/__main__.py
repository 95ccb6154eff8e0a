"""`python -m soak`: ten minutes of mixed traffic on three nodes; ends with 1 if it is not sound."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

import uvloop
from rich.console import Console

from bench import machine
from soak.book import Book
from soak.report import show
from soak.run import Plan, run


def main() -> None:
    """Run, print, and write the JSON document if one was asked for."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1.0, help="times what soak/traffic.py says")
    parser.add_argument("--seed", type=int, default=1, help="who does what when")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything found")
    # For the test of this program: what must be counted as an error.
    parser.add_argument("--sabotage", choices=("kill",), help=argparse.SUPPRESS)
    given = parser.parse_args()
    plan = Plan(
        seconds=given.minutes * 60,
        nodes=given.nodes,
        rate=given.rate,
        seed=given.seed,
        sabotage=given.sabotage,
    )
    about = machine.describe()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        verdict = runner.run(run(plan, Progress()))
    verdict.machine = {**about, "Load after": ", ".join(f"{one:.2f}" for one in os.getloadavg())}
    if given.json:
        found = json.dumps(verdict.as_json(), indent=2, ensure_ascii=False)
        given.json.write_text(found + "\n")
    show(verdict, Console(width=None if sys.stdout.isatty() else 130))
    sys.exit(0 if verdict.sound else 1)


class Progress:
    """Tells how far it is: on a terminal all the time in one line, else a line a minute."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def say(self, what: str) -> None:
        """Something has happened."""
        print(f"\r\033[K{what}" if self._terminal else what, file=sys.stderr, flush=True)

    async def keep(self, book: Book, seconds: float) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(1.0 if self._terminal else 60.0)
            line = (
                f"[{book.now:4.0f} s of {seconds:.0f}] {len(book.acts):,} requests,"
                f" {book.errors} errors"
            )
            with contextlib.suppress(BrokenPipeError):
                print(
                    f"\r\033[K{line}" if self._terminal else line,
                    end="" if self._terminal else "\n",
                    file=sys.stderr,
                    flush=True,
                )


if __name__ == "__main__":
    main()
