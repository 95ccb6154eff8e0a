"""The PostgreSQL database itself: connecting to it, bringing its schema up, naming its troubles.

Never a statement of a step. `postgres_engine` gets its connections here.
"""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, sql
from psycopg.conninfo import conninfo_to_dict

from authgate.store import postgres_sql
from authgate.store.contract import StoreUnavailable
from authgate.store.migrations import HEAD
from authgate.store.postgres_pool import PostgresPolicy

# The ports of Supabase's pooler in transaction mode and of PgBouncer.
_POOLER_PORTS = {"6543", "6432"}
# Which lock a migration takes: any number, as long as it stays the same.
_LOCK = 7_310_201_846


class Place:
    """Where the database is; never shows the password."""

    def __init__(self, policy: PostgresPolicy) -> None:
        self.policy = policy
        self._to = conninfo_to_dict(policy.url)
        self._quoted = '"' + policy.schema.replace('"', '""') + '"'

    @property
    def may_prepare(self) -> bool:
        if self.policy.prepare is not None:
            return self.policy.prepare
        return str(self._to.get("port", "5432")) not in _POOLER_PORTS

    def in_schema(self, text: str) -> str:
        """A kept text with the schema where it belongs."""
        return text.replace("@.", f"{self._quoted}.")

    def named(self) -> str:
        """Host, port and database, for a sentence."""
        to = self._to
        host = to.get("host") or to.get("hostaddr") or "localhost"
        return f"{host}:{to.get('port', 5432)}/{to.get('dbname', '')}"

    async def connect(self) -> AsyncConnection[Any]:
        """A connection for the pool. Raises `StoreUnavailable`."""
        try:
            return await AsyncConnection.connect(**self._arguments())
        except psycopg.OperationalError as error:
            raise self.unreachable(error) from None

    def connect_now(self) -> Connection[Any]:
        """A connection to prepare the schema with, in a thread."""
        try:
            return psycopg.connect(**self._arguments())
        except psycopg.OperationalError as error:
            raise self.unreachable(error) from None

    def _arguments(self) -> dict[str, Any]:
        return {
            "connect_timeout": max(2, round(self.policy.connect)),
            "application_name": "authgate",
            **self._to,
            "autocommit": True,
            "prepare_threshold": None,
        }

    def unreachable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"PostgreSQL at {self.named()} cannot be reached")


def prepare(place: Place) -> None:
    """Make the schema if there is none, and bring it to HEAD."""
    with contextlib.closing(place.connect_now()) as db:
        if _revision(db, place) == HEAD:
            return
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if _revision(db, place) is None:
                _create(db, place)


def _revision(db: Connection[Any], place: Place) -> str | None:
    found = db.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (place.in_schema("@.alembic_version"),)
    ).fetchone()
    if found is None or not found[0]:
        return None
    row = db.execute(place.in_schema(postgres_sql.REVISION).encode()).fetchone()
    return row[0] if row else None


def _create(db: Connection[Any], place: Place) -> None:
    db.execute(
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(place.policy.schema))
    )
    db.execute(place.in_schema(postgres_sql.SCHEMA.replace("\n\n", ";\n")).encode())
    db.execute(place.in_schema("INSERT INTO @.alembic_version VALUES (%s)").encode(), (HEAD,))
