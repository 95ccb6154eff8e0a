"""`authgate audit …`: the trail of who did what, as it is written, or whole.

The store is read a page at a time: a trail of years never is in memory. Neighbour: what the events
mean is in docs/operating.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from authgate.cli.common import USAGE, fail, with_core
from authgate.cli.options import EnvFile

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.protocol.records import AuditEvent

commands = typer.Typer(help="Follow and export the audit trail.", no_args_is_help=True)

PAGE = 500
LOOK_EVERY = 1.0  # seconds between two looks for what is new
MOST = 20_000  # events that may be remembered as told
LATE = 10.0  # seconds after which nobody commits what was numbered before
EVER = 2**62  # seconds since the epoch; within what a column holds
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Since = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN", help="From then on: 2027-03-31, 2027-03-31T14:00 (UTC), or 30m, 6h, 7d ago."
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Before then, written like --since.")
]
Event = Annotated[
    str | None, typer.Option(metavar="NAME", help="These events only, as person.sign_in.")
]
Person = Annotated[str | None, typer.Option(metavar="SUB", help="What this person did.")]
Client = Annotated[str | None, typer.Option(metavar="ID", help="What concerns this client.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are to be told."""

    since: int = 0
    until: int = EVER
    event: str | None = None
    person: str | None = None
    client: str | None = None

    def has(self, event: AuditEvent) -> bool:
        return (
            self.event in {None, event.event}
            and self.person in {None, event.actor}
            and self.client in {None, event.client_id}
        )


class Following:
    """Which events of a trail that is still being written were told; `begin` is where to look on.

    On PostgreSQL an event is numbered before it is committed, so that a greater number may be seen
    first. A step is over within its deadline of five seconds: what was numbered `LATE` seconds ago
    is there by now or never will be, and only until then is it looked for again.
    """

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self._told: dict[int, float] = {}

    def is_new(self, number: int, at: float) -> bool:
        """Whether this event was not told before; from now on it was. `at` in seconds."""
        if number in self._told:
            return False
        if len(self._told) == MOST:  # a long trail from its beginning: its first half is old
            self._move_to(sorted(self._told)[MOST // 2])
        self._told[number] = at
        return True

    def forget(self, now: float) -> None:
        """Move on behind what was told long enough ago."""
        settled = [number for number, at in self._told.items() if now - at >= LATE]
        self._move_to(max([self.begin, *settled]))

    def _move_to(self, begin: int) -> None:
        self.begin = begin
        self._told = {number: at for number, at in self._told.items() if number > begin}


@commands.command("tail")
def tail(  # noqa: PLR0913, PLR0917 (each is an option)
    since: Since = None,
    event: Event = None,
    person: Person = None,
    client: Client = None,
    once: Annotated[
        bool, typer.Option("--once", help="End with what there is; do not wait for more.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    env_file: EnvFile = None,
) -> None:
    """Tell the latest events, and then each new one as it is written, until Ctrl+C.

    Without --since it begins with the last ten of the trail.

    \b
    Examples:
      authgate audit tail
      authgate audit tail --since 1h --event person.sign_in
    """
    wanted = Wanted(_moment(since, 0), EVER, event, person, client)

    async def work(core: Core) -> None:
        begin = 0 if since else max(0, await core.store.last_audit_number() - 10)
        following = Following(begin)
        while True:
            async for number, found in _events(core, wanted, following.begin):
                if following.is_new(number, time.monotonic()) and wanted.has(found):
                    typer.echo(_json(found) if as_json else _line(found))
            if once:
                return
            following.forget(time.monotonic())
            await asyncio.sleep(LOOK_EVERY)

    try:
        with_core(env_file, work)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@commands.command("export")
def export(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            dir_okay=False,
            show_default=False,
            help="Where to write; standard output if not given. Must not exist yet.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    env_file: EnvFile = None,
) -> None:
    """Write the trail as JSON Lines, oldest first.

    \b
    Examples:
      authgate audit export trail.jsonl
      authgate audit export --since 7d | gzip > week.jsonl.gz
    """
    wanted = Wanted(_moment(since, 0), _moment(until, EVER))

    async def work(core: Core) -> int:
        count = 0
        with _opened(file) as out:
            async for _, event in _events(core, wanted, 0):
                out.write(_json(event) + "\n")
                count += 1
        return count

    count = with_core(env_file, work)
    typer.echo(f"{count} events.", err=True)


async def _events(core: Core, wanted: Wanted, begin: int) -> AsyncIterator[tuple[int, AuditEvent]]:
    """Those of the time that is wanted, in the order of writing, after the number `begin`."""
    while True:
        page = await core.store.audit_after(
            begin, since=wanted.since, until=wanted.until, limit=PAGE
        )
        for begin, event in page:  # noqa: PLR1704 (the next page begins after the last)
            yield begin, event
        if len(page) < PAGE:
            return


@contextmanager
def _opened(file: Path | None) -> Iterator[TextIO]:
    """Standard output, or a new file for its owner alone: addresses and people are in it."""
    if file is None:
        yield typer.get_text_stream("stdout")
        return
    try:
        file.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        fail(f"{file} exists already; name a new file.")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}.")
    with file.open("w", encoding="ascii") as out:
        yield out


def _facts(event: AuditEvent) -> dict[str, object]:
    """An event for programs: these names stay."""
    return {
        "at": _time(event.at),
        "event": event.event,
        "outcome": event.outcome,
        "actor": event.actor,
        "client_id": event.client_id,
        "address": event.address,
        "detail": dict(event.detail),
    }


def _json(event: AuditEvent) -> str:
    """One line in ASCII, so that no terminal or locale stumbles over what a stranger sent."""
    import json

    return json.dumps(_facts(event))


def _line(event: AuditEvent) -> str:
    """A line for people; what strangers named cannot speak to the terminal."""
    from authgate.protocol.errors import printable

    words = [_time(event.at), event.event, event.outcome]
    for name in ("actor", "client_id", "address"):
        if (value := getattr(event, name)) is not None:
            words.append(f"{name}={value}")
    words += [f"{name}={value}" for name, value in event.detail.items()]
    return printable(" ".join(words), 1000)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str | None, default: int) -> int:
    """Seconds since the epoch of what was written; UTC where no zone is said."""
    if text is None:
        return default
    try:
        if text[-1:] in _UNITS and text[:-1].isdecimal():
            ago = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            return int((datetime.now(UTC) - ago).timestamp())
        when = datetime.fromisoformat(text)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        fail(f"{text!r} is no time; write 2027-03-31, 2027-03-31T14:00, 30m, 6h or 7d.", USAGE)
