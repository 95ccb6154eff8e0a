"""The schema comes up once, by whoever is first, and never from a future version."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from authgate.store import migrations, schema
from authgate.store.contract import StoreTooNew, StoreUnavailable
from authgate.store.sqlite import SqliteStore
from authgate.store.sqlite_file import connect, make_file, migrate, prepare
from authgate.store.sqlite_writer import WriterPolicy
from tests.store.conftest import ROOT, StartChild, heard, tell


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(migrations.__file__).parent))


def test_head_is_the_last_revision() -> None:
    assert _script().get_current_head() == migrations.HEAD
    assert migrations.HEAD in migrations.known_revisions()


def _migrated(path: Path) -> Path:
    """A database that Alembic made from nothing."""
    make_file(path)
    with closing(connect(path, 1)) as db:
        migrate(db)
    return path


def test_the_revisions_make_the_schema(path: Path) -> None:
    engine = create_engine(f"sqlite:///{_migrated(path)}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def _tables(path: Path) -> set[tuple[str, str]]:
    """Name and text of everything made."""
    with closing(sqlite3.connect(path)) as db:
        made = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {(name, " ".join(sql.split())) for name, sql in made}


def test_a_first_start_makes_what_the_revisions_make(path: Path, tmp_path: Path) -> None:
    """STRICT, WITHOUT ROWID, keys and indexes too, which a comparison of metadata does not see."""
    prepare(path, 1)
    other = _migrated(tmp_path / "migrated.db")
    assert _tables(path) == _tables(other)
    for made in (path, other):
        with closing(sqlite3.connect(made)) as db:
            assert db.execute("SELECT * FROM alembic_version").fetchall() == [(migrations.HEAD,)]


def test_everything_is_explained() -> None:
    for table in schema.metadata.tables.values():
        assert table.comment, table.name
        for column in table.columns:
            assert column.comment, f"{table.name}.{column.name}"


def test_two_first_starts(path: Path, child: StartChild) -> None:
    workers = [child("open") for _ in range(2)]
    assert [heard(worker) for worker in workers] == ["ready", "ready"]
    for worker in workers:
        tell(worker)
    assert [worker.wait(20) for worker in workers] == [0, 0]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM audit_events").fetchone() == (2,)
        assert db.execute("SELECT * FROM alembic_version").fetchall() == [(migrations.HEAD,)]


async def test_many_first_starts_in_one_process(path: Path) -> None:
    stores = [SqliteStore(path) for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.ping() for store in stores))
    for store in stores:
        await store.close()


async def test_a_newer_database_is_refused_and_left_alone(path: Path) -> None:
    prepare(path, 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew, match=rf"revision 9999.*{migrations.HEAD}.*newer version"):
        await SqliteStore(path).open()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT * FROM alembic_version").fetchall() == [("9999",)]


def test_a_migration_that_fails_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection) -> None:
        real(connection)
        raise RuntimeError("planted fault")

    real = migrations.upgrade
    monkeypatch.setattr(migrations, "upgrade", broken)
    with pytest.raises(RuntimeError, match="planted"):
        _migrated(path)
    assert _tables(path) == set()
    monkeypatch.undo()
    assert _tables(_migrated(path))


def test_two_migrations_at_once(path: Path) -> None:
    make_file(path)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_migrated, [path, path]))
    assert _tables(path)


def test_a_database_of_somebody_else_is_left_alone(path: Path) -> None:
    make_file(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE clients (theirs)")
    before = _tables(path)
    with pytest.raises(sqlite3.OperationalError, match="clients already exists"):
        prepare(path, 1)
    assert _tables(path) == before


async def test_a_first_start_that_cannot_write_is_tried_again(
    path: Path, child: StartChild
) -> None:
    make_file(path)
    holder = child("hold")
    assert heard(holder) == "held"
    store = SqliteStore(path, WriterPolicy(busy_timeout=0.2))
    with pytest.raises(StoreUnavailable):
        await store.open()
    tell(holder)
    holder.wait()
    await store.open()
    await store.open()  # an open store stays as it is
    await store.ping()
    await store.close()


@pytest.mark.parametrize("first", [True, False])
def test_no_start_imports_sqlalchemy_or_alembic(path: Path, first: bool) -> None:
    if not first:
        prepare(path, 1)
    start = (
        "import asyncio, sys; from authgate.store.sqlite import SqliteStore;"
        f"s = SqliteStore({str(path)!r}); asyncio.run(s.open());"
        "assert not {'sqlalchemy', 'alembic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", start], cwd=ROOT, check=True, timeout=20)
