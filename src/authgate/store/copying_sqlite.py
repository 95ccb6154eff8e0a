"""A SQLite file at either end of a copy: held alone, from the first look to the last.

In exclusive locking mode SQLite takes the whole file, and gets it only while nobody else has it
open, an idle server included. That is more than a write lock, which an idle server would not
notice: it would go on writing to the old file when the copy is done. Neighbour: `sqlite_file`
makes and migrates the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from authgate.store.contract import StoreTooNew, StoreUnavailable
from authgate.store.copying_end import (
    BATCH,
    REVISIONS,
    CopyRefused,
    Key,
    Row,
    Shape,
    capital,
    where_after,
)
from authgate.store.revisions import COPYING
from authgate.store.sqlite_file import is_busy, prepare

_WAIT = 2.0  # seconds for whoever is about to close the file


class SqliteEnd:
    """The store in a file."""

    holds_nul = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"the SQLite store {path}"
        self._db: sqlite3.Connection | None = None

    def hold(self) -> None:
        if not self.path.is_file():
            raise CopyRefused(f"There is no file {self.path} to copy from.")
        self._connect()
        self.run("BEGIN EXCLUSIVE")

    def take(self) -> None:
        if not self._half_copied():
            try:
                prepare(self.path, _WAIT)
            except (StoreUnavailable, StoreTooNew) as error:
                raise CopyRefused(f"{capital(self.name)}: {error}.") from error
            except sqlite3.Error as error:
                raise CopyRefused(f"{capital(self.name)} is no store of authgate.") from error
        self._connect()
        with self.transaction():  # the lock lasts beyond it
            pass

    def _half_copied(self) -> bool:
        if not self.path.is_file():
            return False
        self._connect()
        found = self.revision()
        self.close()
        return found == COPYING

    def _connect(self) -> None:
        with self._named():
            self._db = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode=rw",
                uri=True,
                timeout=_WAIT,
                isolation_level=None,
            )
            # Before anything looks into the file, or SQLite would share it first.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA fullfsync=ON")

    def revision(self) -> str | None:
        asked = "SELECT count(*) FROM sqlite_master WHERE name = ?"
        if self.run(asked, (REVISIONS,)) == [(0,)]:
            return None
        found = self.run(f"SELECT version_num FROM {REVISIONS}")
        return found[0][0] if found else None

    def table(self, name: str) -> str:
        return name

    def run(self, statement: str, given: Sequence[object] = ()) -> list[Row]:
        with self._named():
            return self._open.execute(statement, given).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.run("BEGIN EXCLUSIVE")
        try:
            yield
            self.run("COMMIT")
        finally:
            if self._db is not None and self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def rows(self, shape: Shape, after: Key | None = None) -> Iterator[list[Row]]:
        statement = (
            f"SELECT {', '.join(shape.columns)} FROM {shape.name}"
            f"{where_after(shape.key, after)} ORDER BY {', '.join(shape.key)}"
        )
        with self._named(shape):
            cursor = self._open.execute(statement, after or ())
        while True:
            with self._named(shape):
                some = cursor.fetchmany(BATCH)
            if not some:
                return
            yield some

    def insert(self, shape: Shape, rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(shape.columns))
        statement = f"INSERT INTO {shape.name} ({', '.join(shape.columns)}) VALUES ({places})"
        with self._named(shape):
            self._open.executemany(statement, rows)

    def last_number(self) -> int:
        number: int = self.run("SELECT coalesce(max(id), 0) FROM audit_events")[0][0]
        return number

    def go_on_after(self, number: int) -> None:
        """SQLite numbers an event one beyond the greatest there is, without being told."""

    def others(self) -> int:
        return 0  # the lock says so

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._db is not None
        return self._db

    @contextmanager
    def _named(self, shape: Shape | None = None) -> Iterator[None]:
        """SQLite's troubles as a sentence. Its own words name tables and columns, never values."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise CopyRefused(
                f"{capital(self.name)} got rows of somebody else during the copy ({error}). "
                "Copy into an empty store that nobody uses."
            ) from error
        except sqlite3.Error as error:
            if is_busy(error):
                raise CopyRefused(
                    f"{capital(self.name)} is in use. Stop the server and every other command "
                    "that has it open, and copy again."
                ) from error
            where = f" (table {shape.name})" if shape else ""
            words = "it holds text that is not UTF-8" if "decode" in str(error) else str(error)
            raise CopyRefused(f"{capital(self.name)} cannot be used{where}: {words}.") from error
