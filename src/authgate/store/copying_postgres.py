"""PostgreSQL at either end of a copy: plain statements, transactions, and COPY for the rows.

Nothing outlives a transaction (no session state), so that a transaction pooler may stand between.
The source's tables are locked against writers (SHARE) by the transaction that reads them: a
snapshot alone would stay the same while a forgotten server writes behind it, and what it wrote
would be lost by the move. Text is ordered by its bytes (`COLLATE "C"`), as SQLite orders it,
whatever the database's own collation is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from authgate.store.contract import StoreTooNew, StoreUnavailable
from authgate.store.copying_end import (
    BATCH,
    PROGRESS,
    REVISIONS,
    CopyRefused,
    Key,
    Row,
    Shape,
    capital,
    shapes,
    where_after,
)
from authgate.store.migrations import HEAD
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.postgres_schema import Place, prepare
from authgate.store.revisions import COPYING

_WHO = "authgate store copy"
_WAIT = "5s"  # for writers that are about to end


class PostgresEnd:
    """The store in a schema of a database; `url` as libpq takes it."""

    holds_nul = False

    def __init__(self, url: str, schema: str) -> None:
        self._place = _place(url, schema)
        self._schema = schema
        self.name = f"the PostgreSQL store {self._place.named()} (schema {schema})"
        self._held = ExitStack()
        self._db: psycopg.Connection[Row] | None = None

    def hold(self) -> None:
        self._connect()
        if self.revision() != HEAD:
            return  # refused in a moment, and there may be no tables to lock
        tables = ", ".join(self.table(shape.name) for shape in shapes())
        with self._named():
            # The lock before the snapshot, or the snapshot could be older than the lock.
            self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._unhurried()
            try:
                self._execute(f"LOCK TABLE {tables} IN SHARE MODE")
            except errors.LockNotAvailable as error:
                raise CopyRefused(
                    f"{capital(self.name)} is in use. Stop its servers, and copy again."
                ) from error

    def take(self) -> None:
        self._connect()
        if self.revision() != COPYING:
            self._prepare()

    def _prepare(self) -> None:
        with self._named():
            try:
                prepare(self._place)
            except (StoreUnavailable, StoreTooNew) as error:
                raise CopyRefused(f"{capital(self.name)}: {error}.") from error

    def _connect(self) -> None:
        try:
            self._db = self._held.enter_context(self._place.connected())
        except StoreUnavailable as error:
            raise CopyRefused(f"{capital(str(error))}.") from error
        if self.run("SHOW server_encoding") != [("UTF8",)]:
            raise CopyRefused(f"{capital(self.name)} is not encoded in UTF8, so it cannot be used.")

    def _unhurried(self) -> None:
        """For this transaction alone: a role's own time limits are made for short statements."""
        self._execute("SET LOCAL statement_timeout = 0")
        self._execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        self._execute(f"SET LOCAL lock_timeout = '{_WAIT}'")

    def revision(self) -> str | None:
        if self.run("SELECT to_regclass(?) IS NULL", (self.table(REVISIONS),)) == [(True,)]:
            return None
        found = self.run(f"SELECT version_num FROM {self.table(REVISIONS)}")
        return found[0][0] if found else None

    def table(self, name: str) -> str:
        return f"{_quoted(self._schema)}.{name}"

    def run(self, statement: str, given: Sequence[object] = ()) -> list[Row]:
        with self._named():
            asked = self._execute(statement.replace("?", "%s"), given)
            return asked.fetchall() if asked.description else []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._named(), self._open.transaction():
            self._unhurried()
            yield

    def rows(self, shape: Shape, after: Key | None = None) -> Iterator[list[Row]]:
        key = order_of(shape)
        statement = (
            f"SELECT {', '.join(shape.columns)} FROM {self.table(shape.name)}"
            f"{where_after(key, after)} ORDER BY {', '.join(key)}"
        )
        # A cursor at the server, in a transaction: else all rows would come into memory at once.
        with self._named(shape), self._open.transaction():
            self._unhurried()
            with self._open.cursor(name=PROGRESS) as cursor:
                cursor.execute(statement.replace("?", "%s").encode(), after)
                while some := cursor.fetchmany(BATCH):
                    yield some

    def insert(self, shape: Shape, rows: Sequence[Row]) -> None:
        statement = f"COPY {self.table(shape.name)} ({', '.join(shape.columns)}) FROM STDIN"
        with (
            self._named(shape),
            self._open.cursor() as cursor,
            cursor.copy(statement.encode()) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def last_number(self) -> int:
        number: int = self.run(f"SELECT last_value FROM {self._sequence}")[0][0]
        return number

    def go_on_after(self, number: int) -> None:
        # A sequence that never gave a number says 1; one number is left out then, as after a
        # transaction that was rolled back.
        if number > 0:
            self.run("SELECT setval(?, ?)", (self._sequence, number))

    @property
    def _sequence(self) -> str:
        asked = "SELECT pg_get_serial_sequence(?, 'id')"
        found: str = self.run(asked, (self.table("audit_events"),))[0][0]
        return found

    def others(self) -> int:
        # Of this role alone (others' are hidden), and of every schema: a hint, and no more.
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND usename = current_user AND application_name = 'authgate'"
        )
        number: int = self.run(asked)[0][0]
        return number

    def close(self) -> None:
        if self._db is not None:
            self._held.close()
            self._db = None

    @property
    def _open(self) -> psycopg.Connection[Row]:
        assert self._db is not None
        return self._db

    def _execute(self, statement: str, given: Sequence[object] = ()) -> psycopg.Cursor[Row]:
        return self._open.execute(statement.encode(), given or None)

    @contextmanager
    def _named(self, shape: Shape | None = None) -> Iterator[None]:
        """PostgreSQL's troubles as a sentence, by its short message: DETAIL holds values."""
        try:
            yield
        except errors.UniqueViolation as error:
            raise CopyRefused(
                f"{capital(self.name)} got rows of somebody else during the copy. "
                "Copy into an empty store that nobody uses."
            ) from error
        except psycopg.Error as error:
            where = f" (table {shape.name})" if shape else ""
            words = error.diag.message_primary or " ".join(str(error).split())
            raise CopyRefused(f"{capital(self.name)} cannot be used{where}: {words}.") from error


def order_of(shape: Shape) -> list[str]:
    """The columns of the key, text by its bytes."""
    return [f'{name} COLLATE "C"' if name in shape.texts else name for name in shape.key]


def _place(url: str, schema: str) -> Place:
    """Where the store is; refuses what libpq cannot read."""
    try:
        # Told from servers by its name, in the list of who is connected.
        return Place(PostgresPolicy(make_conninfo(url, application_name=_WHO), schema))
    except psycopg.Error:
        # libpq's own words repeat the address, the password too.
        raise CopyRefused("A PostgreSQL address cannot be read: write postgresql://…") from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
