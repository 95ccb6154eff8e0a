"""What every command does the same way: settings, the opened store, and how it says no.

An error is one sentence and what to do about it, on standard error; standard output carries the
answer alone. Never here: a command's own words. `rich` is imported only where a table is drawn.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.settings import Settings

REFUSED = 1  # the operation was refused, its object not found, or it is not possible now
USAGE = 2  # the command line or the settings are wrong; Typer's own code for usage

_NO_END = 10_000  # columns of what has no width: no row is longer

T = TypeVar("T")


def fail(message: str, code: int = REFUSED) -> NoReturn:
    """End the command with one sentence (and its remedy) on standard error."""
    typer.echo(f"authgate: {message}", err=True)
    raise typer.Exit(code)


def load_settings(env_file: Path | None, *, port: int | None = None) -> Settings:
    """The settings; all problems at once, each with its fix, and exit code 2, if there are any."""
    from authgate.settings import DEFAULT_PORT, SettingsError, load

    try:
        return load(env_file, port=port or DEFAULT_PORT)
    except SettingsError as error:
        explain(error.problems)
        raise typer.Exit(USAGE) from None


def explain(problems: Sequence[str]) -> None:
    """Print what is wrong with the settings."""
    count = "One setting is" if len(problems) == 1 else f"{len(problems)} settings are"
    typer.echo(f"authgate: {count} wrong; nothing was done.", err=True)
    for problem in problems:
        typer.echo(f"  - {problem}", err=True)


def with_core(env_file: Path | None, work: Callable[[Core], Awaitable[T]]) -> T:
    """Run `work` with the store made or migrated and open; trouble becomes a sentence.

    Only the store is opened and not the keys: an operator must be able to shut somebody out, or to
    mend the keys, while the signing key cannot be unsealed.
    """
    settings = load_settings(env_file)
    return run_or_fail(lambda: _opened(settings, work), settings)


async def _opened(settings: Settings, work: Callable[[Core], Awaitable[T]]) -> T:
    from authgate.app import build_core

    core = build_core(settings)
    try:
        await core.store.open()
        return await work(core)
    finally:
        await core.close()


def run_or_fail(work: Callable[[], Awaitable[T]], settings: Settings) -> T:
    """Run a coroutine; the troubles that parts name in plain sentences end the command."""
    from authgate.directories.passwords import Busy
    from authgate.directories.people import PeopleError
    from authgate.security.key_material import KeyUnusable
    from authgate.security.secret_file import SecretKeyUnusable
    from authgate.security.vault import SealedValueUnreadable
    from authgate.store.contract import StoreTooNew, StoreUnavailable

    async def run() -> T:
        return await work()

    try:
        return asyncio.run(run())
    except (PeopleError, KeyUnusable, SecretKeyUnusable, SealedValueUnreadable) as error:
        fail(str(error))
    except StoreTooNew as error:
        fail(_sentence(str(error)))
    except StoreUnavailable as error:
        said = _sentence(str(error))
        # Some of what is said of PostgreSQL names its setting itself.
        fail(said if "AUTHGATE_DATABASE_URL" in said else f"{said} {settings.store_advice}")
    except Busy:
        fail("This machine is too busy to hash a password now; try again.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal; without one, only `--yes` says yes: nobody is there to say no."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("There is no terminal to ask on; add --yes if you are sure.", USAGE)
    if not typer.confirm(question, err=True):
        fail("Nothing was changed.")


def moment(seconds: int | None) -> str:
    """A time for people: local, to the minute."""
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def print_json(value: object) -> None:
    """One JSON document on standard output; in ASCII, so that any locale and terminal takes it."""
    import json

    typer.echo(json.dumps(value, indent=2))


def print_table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people. Cells are plain text: what strangers registered is never markup.

    The first column is what the next command takes: it stays whole, to be copied. Only a terminal
    has a width; into a file or a pipe each row is one line, for whoever searches there.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _NO_END
    console.print(table)
