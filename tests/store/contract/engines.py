"""The engines under test, and what a test may do to one from outside the contract."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql

from authgate.store.contract import Store
from authgate.store.sqlite import SqliteStore
from authgate.store.sqlite_file import prepare
from tests.postgres import new_schema, shared

Rows = dict[str, list[tuple[Any, ...]]]


class Engine(Protocol):
    """One database that any number of stores may open."""

    @property
    def address(self) -> str:
        """What another process passes to `store_at`."""

    def store(self) -> Store:
        """A store on it, not open yet."""

    def failing(self, verb: str, table: str) -> contextlib.AbstractContextManager[None]:
        """Every INSERT, UPDATE or DELETE of a row of this table fails meanwhile."""

    def rows(self) -> Rows:
        """Everything that is stored, by table."""

    def troubles(self) -> object:
        """What the database counts of deadlocks and of transactions that it had to undo."""


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
            return {t: sorted(db.execute(f"SELECT * FROM {t}"), key=repr) for (t,) in tables}

    def troubles(self) -> object:
        return None  # it has one writer, and counts nothing

    def _run(self, statement: str) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            db.execute(statement)


class PostgresEngine:
    """A schema of its own in the database that all tests share."""

    def __init__(self, folder: Path) -> None:
        self.url = shared().url
        self.schema = new_schema()

    @property
    def address(self) -> str:
        return f"{self.url}#{self.schema}"

    def store(self) -> Store:
        return store_at(self.address)

    @contextlib.contextmanager
    def failing(self, verb: str, table: str) -> Iterator[None]:
        self.run(
            "CREATE FUNCTION {schema}.planted() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN RAISE EXCEPTION 'planted fault'; END $$"
        )
        self.run(
            f"CREATE TRIGGER planted BEFORE {verb} ON {{schema}}.{table} "
            "FOR EACH ROW EXECUTE FUNCTION {schema}.planted()"
        )
        try:
            yield
        finally:
            self.run("DROP FUNCTION {schema}.planted CASCADE")

    def rows(self) -> Rows:
        tables = self.run(
            "SELECT tablename FROM pg_tables WHERE schemaname = {name} ORDER BY tablename"
        )
        return {t: sorted(self.run(f"SELECT * FROM {{schema}}.{t}"), key=repr) for (t,) in tables}

    def troubles(self) -> object:
        return self.run(
            "SELECT deadlocks, xact_rollback FROM pg_stat_database "
            "WHERE datname = current_database()"
        )

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement, with `{schema}` in it where the schema's name belongs."""
        asked = sql.SQL(statement).format(
            schema=sql.Identifier(self.schema), name=sql.Literal(self.schema)
        )
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            done = connection.execute(asked)
            return done.fetchall() if done.description else []


ENGINES: dict[str, Callable[[Path], Engine]] = {
    "postgres": PostgresEngine,
    "sqlite": SqliteEngine,
}


def store_at(address: str) -> Store:
    """The store with this address, in a process that has no fixtures."""
    if address.startswith("sqlite:///"):
        return SqliteStore(address.removeprefix("sqlite:///"))
    url, _, schema = address.partition("#")
    # Here, because only those who test PostgreSQL are to import it.
    from authgate.store.postgres import PostgresStore
    from authgate.store.postgres_pool import PostgresPolicy

    return PostgresStore(PostgresPolicy(url, schema))
