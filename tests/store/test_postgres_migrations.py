"""The schema on PostgreSQL: made from kept text or by the revisions, once, whoever comes first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from authgate.store import migrations, postgres_schema
from authgate.store.contract import StoreTooNew, StoreUnavailable
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.postgres_schema import Place, migrate, pending, prepare
from tests.postgres import new_schema, shared
from tests.store.contract.samples import audit, client

# Everything a schema is made of, comments included, in one list.
_PARTS = """
SELECT 'column', c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
    || coalesce(' default ' || replace(pg_get_expr(d.adbin, d.adrelid), '{schema}.', ''), ''),
    col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind IN ('r', 'S')
UNION ALL
SELECT 'index', indexname, replace(indexdef, '{schema}.', ''), NULL
FROM pg_indexes WHERE schemaname = '{schema}'
UNION ALL
SELECT 'constraint', conname, pg_get_constraintdef(oid), NULL
FROM pg_constraint WHERE connamespace = '{schema}'::regnamespace
UNION ALL
SELECT 'table', relname, relkind::text, obj_description(oid, 'pg_class')
FROM pg_class WHERE relnamespace = '{schema}'::regnamespace
"""


def _parts(schema: str) -> list[tuple[Any, ...]]:
    return sorted(shared().run(_PARTS.replace("{schema}", schema)), key=repr)


def _place() -> Place:
    return Place(PostgresPolicy(shared().url, new_schema()))


def _migrated(place: Place) -> None:
    """Made by Alembic from nothing."""
    shared().run(f"CREATE SCHEMA {place.policy.schema}")
    with place.connected() as db:
        db.autocommit = False
        migrate(db, place)


def test_both_ways_to_the_schema_meet() -> None:
    by_text, by_steps = _place(), _place()
    prepare(by_text)
    _migrated(by_steps)
    made = _parts(by_text.policy.schema)
    assert made == _parts(by_steps.policy.schema)
    assert any("identifier of the person" in str(part) for part in made)
    assert pending(by_steps) == ()


async def test_many_nodes_open_an_empty_database_at_once() -> None:
    schema = new_schema()
    stores = [PostgresStore(PostgresPolicy(shared().url, schema)) for _ in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    await stores[0].register_client(client(), audit())
    assert await stores[-1].client("client-1") == client()
    await asyncio.gather(*(store.close() for store in stores))


async def test_many_nodes_bring_an_older_one_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    place = _place()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "HEAD", "0003")
        _migrated(place)
    assert pending(place)[0] == "0004"
    assert pending(place)[-1] == migrations.HEAD
    stores = [PostgresStore(place.policy) for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    assert pending(place) == ()
    await stores[0].ping()
    await asyncio.gather(*(store.close() for store in stores))


def test_a_migration_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    place = _place()
    real = migrations.upgrade

    def broken(connection: Any) -> None:
        real(connection)
        raise RuntimeError("planted fault")

    monkeypatch.setattr(migrations, "upgrade", broken)
    with pytest.raises(RuntimeError, match="planted"):
        _migrated(place)
    assert _parts(place.policy.schema) == []


def test_to_look_makes_nothing() -> None:
    place = _place()
    assert pending(place) == migrations.steps_from(None)
    found = "SELECT 1 FROM pg_namespace WHERE nspname = "
    assert shared().run(f"{found}'{place.policy.schema}'") == []


def test_tables_of_somebody_else_are_left_alone() -> None:
    place = _place()
    shared().run(f"CREATE SCHEMA {place.policy.schema}")
    shared().run(f"CREATE TABLE {place.policy.schema}.clients (theirs text)")
    before = _parts(place.policy.schema)
    with pytest.raises(Exception, match="clients"):
        prepare(place)
    assert _parts(place.policy.schema) == before


def test_a_busy_table_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a waiting ALTER TABLE every reader of the table would wait too."""
    place = _place()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "HEAD", "0001")
        _migrated(place)
    monkeypatch.setattr(postgres_schema, "_WAIT_FOR_READERS", "200ms")
    monkeypatch.setattr(postgres_schema, "_PAUSE", 0.1)
    with place.connected() as reader, reader.transaction():
        reader.execute(place.in_schema("SELECT * FROM @.authorization_requests").encode())
        with pytest.raises(StoreUnavailable, match="use by a long transaction"):
            prepare(place)
    assert pending(place)
    # Those who queued up are served in between, and then it is tried again.
    pauses: list[float] = []
    with place.connected() as reader:
        reader.autocommit = False
        reader.execute(place.in_schema("SELECT * FROM @.authorization_requests").encode())

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            reader.rollback()

        monkeypatch.setattr(postgres_schema.time, "sleep", pause)
        prepare(place)
    assert len(pauses) == 1
    assert not pending(place)


async def test_a_newer_schema_that_says_so_is_worked_on_and_left_alone() -> None:
    place = _place()
    prepare(place)
    version = f"{place.policy.schema}.alembic_version"
    head = int(migrations.HEAD[:4])
    for name, fits in (
        (f"{head + 1:04}_since_{head:04}", True),
        (f"{head + 2:04}_since_{head - 1:04}", True),
        (f"{head + 2:04}_since_{head + 1:04}", False),
        (f"{head + 1:04}", False),
        ("somebody else's", False),
    ):
        with place.connected() as db:
            db.execute(f"UPDATE {version} SET version_num = %s".encode(), (name,))
        store = PostgresStore(place.policy)
        if fits:
            assert await store.pending() == ()
            await store.open()
            await store.ping()
            await store.close()
        else:
            with pytest.raises(StoreTooNew, match="newer version"):
                await store.open()
        assert shared().run(f"TABLE {version}") == [(name,)]
