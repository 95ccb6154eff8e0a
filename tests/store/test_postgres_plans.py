"""How PostgreSQL runs every statement on tables that have grown: never by reading them whole.

Once with the values at hand and once without knowing them, because what is prepared ends there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql as text
from sqlalchemy import BigInteger

from authgate.store import compile as compiled
from authgate.store import postgres_sql
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.postgres_schema import Place, prepare
from authgate.store.schema import metadata
from tests.postgres import new_schema, shared

STATEMENTS = compiled.postgres_statements()
NOW = 1_800_000_000
ROWS = 5_000
MINUTE = 60
# Read whole on purpose, as on SQLite: a handful of keys, one row of version, all accounts and all
# API keys for the operator's list.
MAY_SCAN = {
    "signing_keys": {"signing_keys"},
    "insert_first_signing_key": {"signing_keys"},
    "retire_signing_keys": {"signing_keys"},
    "forget_signing_keys": {"signing_keys"},
    "supersede_signing_key": {"signing_keys"},
    "revoke_signing_key": {"signing_keys"},
    "supersede_signing_key_told": {"signing_keys"},
    "revoke_signing_key_told": {"signing_keys"},
    "replace_signing_key_told": {"signing_keys"},
    "revision": {"alembic_version"},
    "prove_writable": {"alembic_version"},
    "accounts": {"accounts"},
    "api_keys": {"api_keys"},
}
FEW = {"signing_keys"}


_NOT_YET = {"redeemed_at", "superseded_at", "answered_at", "used_at"}  # of the newest
_SOME = {"revoked_at", "last_used_at"}


def _filling(table: Any) -> str:
    """Rows as a grown-up installation has them: most are over, some minutes' worth is under way."""
    values = []
    for column in table.columns:
        number = isinstance(column.type, BigInteger)
        value = f"'{column.name}-' || i"
        if number:
            value = "i" if column.name in {"id", "day"} else f"{NOW} + (100 - i) * {MINUTE}"
        elif column.name in {"sub", "client_id"} and not column.primary_key:
            value = f"'{column.name}-' || (i % 500)"
        if column.name in _NOT_YET:
            value = f"CASE WHEN i > 100 THEN {value} END"
        elif column.name in _SOME and column.nullable:
            value = f"CASE WHEN i % 3 > 0 THEN {value} END"
        elif column.nullable:
            value = f"CASE WHEN i % 50 = 0 THEN {value} END"
        values.append("1" if column.name == "self_registered" else value)
    names = ", ".join(c.name for c in table.columns)
    rows = 3 if table.name in FEW else ROWS
    return (
        f"INSERT INTO {{schema}}.{table.name} ({names}) "
        f"SELECT {', '.join(values)} FROM generate_series(1, {rows}) AS i"
    )


def _schema() -> str:
    schema = new_schema()
    prepare(Place(PostgresPolicy(shared().url, schema)))
    return schema


def _searching(db: psycopg.Connection[Any], schema: str) -> psycopg.Connection[Any]:
    db.execute(text.SQL("SET search_path = {}").format(text.Identifier(schema)))
    return db


@pytest.fixture(scope="module")
def grown() -> Iterator[psycopg.Connection[Any]]:
    schema = _schema()
    with psycopg.connect(shared().url, autocommit=True) as db:
        for table in metadata.sorted_tables:
            db.execute(text.SQL(_filling(table)).format(schema=text.Identifier(schema)))
        db.execute(b"ANALYZE")
        yield _searching(db, schema)


@pytest.fixture(scope="module")
def new() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shared().url, autocommit=True) as db:
        yield _searching(db, _schema())


def _value(name: str, kind: str) -> str:
    if kind == "BIGINT":
        known = {
            "batch": "500", "limit": "100", "failure_limit": "5", "number": f"{ROWS - 50}",
            "until": f"{NOW - (ROWS - 90) * MINUTE}", "before": f"{NOW - (ROWS - 90) * MINUTE}",
            "since": f"{NOW}", "since_day": f"{ROWS - 3}", "day_ago": f"{NOW - 86_400}",
        }  # fmt: skip
        return known.get(name, f"{NOW}")
    return f"'{name}-17'"


def _plan(db: psycopg.Connection[Any], name: str, mode: str) -> list[str]:
    statement, order = STATEMENTS[name]
    statement = statement.replace("@.", "")
    given = []
    for number, parameter in enumerate(order, 1):
        typed = re.search(rf"\${number}::(\w+)", statement)
        given.append(_value(parameter, typed[1] if typed else "BIGINT"))
    values = f"({', '.join(given)})" if given else ""
    db.execute(f"SET plan_cache_mode = {mode}".encode())
    db.execute(f"PREPARE planned AS {statement}".encode())
    try:
        return [row[0] for row in db.execute(f"EXPLAIN EXECUTE planned{values}".encode())]
    finally:
        db.execute(b"DEALLOCATE planned")


MODES = ("force_custom_plan", "force_generic_plan")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_no_statement_scans_a_table_that_grows(
    name: str, mode: str, grown: psycopg.Connection[Any]
) -> None:
    plan = _plan(grown, name, mode)
    scanned = {found[1] for line in plan if (found := re.search(r"Seq Scan on (\w+)", line))}
    assert scanned <= MAY_SCAN.get(name, set()), "\n".join(plan)


# Not waited for by a step, or bounded by what they are about, and planned anew with the first
# statistics: a batch by its keys, which an empty table answers as well in one page.
SOON_ANEW = re.compile(r"sweep_.*|audit_after|usage|issue_hand_over_told")


@pytest.mark.parametrize("name", sorted(n for n in STATEMENTS if not SOON_ANEW.fullmatch(n)))
def test_nor_does_one_that_was_prepared_when_all_was_empty(
    name: str, new: psycopg.Connection[Any]
) -> None:
    """A plan is kept until the table is analyzed, and in its first minute it may grow a lot."""
    plan = _plan(new, name, "force_generic_plan")
    scanned = {found[1] for line in plan if (found := re.search(r"Seq Scan on (\w+)", line))}
    assert scanned <= MAY_SCAN.get(name, set()), "\n".join(plan)


def test_every_index_is_of_use(grown: psycopg.Connection[Any]) -> None:
    plans = "\n".join(line for name in STATEMENTS for line in _plan(grown, name, MODES[0]))
    used = set(re.findall(r"Index (?:Only )?Scan (?:Backward )?(?:using|on) (\w+)", plans))
    made = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    assert made <= used


def test_every_kept_statement_is_run() -> None:
    """Or its plan would be looked at for nothing."""
    parts = Path(postgres_sql.__file__).parent.glob("postgres*.py")
    run = {n for part in parts for n in re.findall(r"sql\.([A-Z_]+)\b", part.read_text())}
    assert {name.upper() for name in STATEMENTS} <= run
