"""What `authgate store copy` needs beside its words: the two stores by their addresses, and a bar.

A password never stands in an argument, and no address is ever repeated in an error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import typer

from authgate.cli.common import USAGE, fail

if TYPE_CHECKING:
    from authgate.settings import Settings
    from authgate.store.copying import Phase, Tell
    from authgate.store.copying_end import End

_POSTGRES = ("postgresql://", "postgres://")
_LONGEST = 4096  # characters of an address
_WORTH = 1000  # rows from which on a pace says something


def end_at(address: str | None, option: str, schema: str | None, settings: Settings) -> End:
    """The store at an address, or that of the settings; a wrong address ends the command."""
    if address is None:
        return _at(_of_settings(settings), option, schema, settings)
    if address.startswith("@"):
        return _at(_from_file(Path(address[1:]), option), option, schema, settings)
    if _has_password(address):
        fail(
            f"The address after {option} holds a password, which every process of this machine can "
            f"read there. Write the address into a file and name that: {option} @FILE; or leave "
            "the password to ~/.pgpass or PGPASSWORD.",
            USAGE,
        )
    return _at(address, option, schema, settings)


def _at(address: str, option: str, schema: str | None, settings: Settings) -> End:
    from pydantic import SecretStr

    from authgate.settings import database

    if address.startswith("sqlite:") and not address.startswith("sqlite:///"):
        address = "sqlite:///" + address.removeprefix("sqlite:")
    name = schema or settings.database_schema
    try:
        # By the rules of AUTHGATE_DATABASE_URL, where the address will stand in the end.
        database.url(SecretStr(address))
        database.schema(name)
    except ValueError as error:
        fail(f"{option}: {error}.", USAGE)
    if address.startswith("sqlite:"):
        from authgate.store.copying_sqlite import SqliteEnd

        path = Path(address.removeprefix("sqlite:///"))
        return SqliteEnd(path.expanduser().absolute())
    from authgate.store.copying_end import CopyRefused
    from authgate.store.copying_postgres import PostgresEnd

    try:
        return PostgresEnd(address, name)
    except CopyRefused as error:
        fail(f"{option}: {error}", USAGE)


def _from_file(path: Path, option: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(_LONGEST).strip()
    except (OSError, UnicodeDecodeError):
        fail(f"{option}: the file {path} cannot be read.", USAGE)


def _has_password(address: str) -> bool:
    if not address.startswith(_POSTGRES):
        return False
    try:
        parts = urlsplit(address)
        named = {name for name in parse_qs(parts.query) if name.endswith("password")}
        return bool(parts.password or named)
    except ValueError:
        return True  # it cannot be read, so nothing says that there is none


def _of_settings(settings: Settings) -> str:
    return settings.postgres_url or f"sqlite:///{settings.sqlite_path}"


@contextmanager
def progress() -> Iterator[Tell]:
    """A line a table, and on a terminal a bar below; on standard error, the answer is another."""
    if not sys.stderr.isatty():
        yield _lines(lambda line: typer.echo(line, err=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("")
        line = _lines(lambda text: shown.console.print(text, highlight=False, markup=False))

        def tell(phase: Phase, table: str, done: int, total: int) -> None:
            # How many rows there are is not known while they are first read.
            shown.update(task, description=f"{table} {phase}", completed=done, total=total or None)
            line(phase, table, done, total)

        yield tell


def _lines(say: Callable[[str], None]) -> Tell:
    """Says every table that is copied, with the pace of it."""
    began: dict[str, tuple[float, int]] = {}

    def tell(phase: Phase, table: str, done: int, total: int) -> None:
        if phase != "copied":
            return
        at, before = began.setdefault(table, (time.monotonic(), done))
        if done == total:
            pace = (done - before) / max(time.monotonic() - at, 0.001)
            told = f", {pace:,.0f} rows/s" if done - before >= _WORTH else ""
            say(f"{table}: {done:,} rows{told}")

    return tell
