"""The engines under test, and what a test may do to one from outside the contract.

PostgreSQL joins by a second class and one more entry in `ENGINES`.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from authgate.store.contract import Store
from authgate.store.sqlite import SqliteStore
from authgate.store.sqlite_file import prepare

Rows = dict[str, list[tuple[Any, ...]]]


class SqliteEngine:
    """One SQLite file that any number of stores may open."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "authgate.db"
        template = folder.parent / "template.db"
        if not template.exists():
            prepare(template, 5)
        # Only a finished, closed database is copied, so the copy needs no migration.
        shutil.copy(template, self.path)

    @property
    def address(self) -> str:
        """What another process passes to `store_at`."""
        return f"sqlite:///{self.path}"

    def store(self) -> Store:
        return SqliteStore(self.path)

    @contextlib.contextmanager
    def failing(self, verb: str, table: str) -> Iterator[None]:
        """Every INSERT, UPDATE or DELETE on this table fails."""
        planted = (
            f"CREATE TRIGGER planted BEFORE {verb} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'planted fault'); END"
        )
        self._run(planted)
        try:
            yield
        finally:
            self._run("DROP TRIGGER planted")

    def rows(self) -> Rows:
        """Everything that is stored, by table."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            return {
                t: sorted(db.execute(f"SELECT * FROM {t}"), key=repr)  # noqa: S608 (a table's name)
                for (t,) in tables
            }

    def _run(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            db.execute(statement)


Engine = SqliteEngine
ENGINES = {"sqlite": SqliteEngine}


def store_at(address: str) -> Store:
    """The store with this address, in a process that has no fixtures."""
    assert address.startswith("sqlite:///")
    return SqliteStore(address.removeprefix("sqlite:///"))
