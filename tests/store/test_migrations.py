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

from authgate.protocol.records import UsageRow
from authgate.store import migrations, rows, schema
from authgate.store.contract import StoreTooNew, StoreUnavailable
from authgate.store.sqlite import SqliteStore
from authgate.store.sqlite_file import connect, make_file, migrate, prepare
from authgate.store.sqlite_writer import WriterPolicy
from tests.store.conftest import ROOT, StartChild, heard, tell
from tests.store.contract import samples


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(migrations.__file__).parent))


def test_head_is_the_last_revision() -> None:
    assert _script().get_current_head() == migrations.HEAD
    assert migrations.steps_from(None)[-1] == migrations.HEAD


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


@pytest.mark.parametrize(
    ("ahead", "since", "fits"), [(1, 0, True), (2, -1, True), (2, 1, False), (1, 1, False)]
)
async def test_a_newer_schema_that_says_so_is_worked_on_and_left_alone(
    path: Path, ahead: int, since: int, fits: bool
) -> None:
    prepare(path, 1)
    head = int(migrations.HEAD[:4])
    name = f"{head + ahead:04}_since_{head + since:04}"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE alembic_version SET version_num = ?", (name,))
    store = SqliteStore(path)
    if fits:
        assert await store.pending() == ()
        await store.open()
        await store.ping()
        await store.close()
    else:
        with pytest.raises(StoreTooNew):
            await store.pending()
        with pytest.raises(StoreTooNew):
            await store.open()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT version_num FROM alembic_version").fetchall() == [(name,)]


async def test_to_look_makes_nothing(path: Path) -> None:
    assert await SqliteStore(path).pending() == migrations.steps_from(None)
    assert not path.exists()
    prepare(path, 1)
    assert await SqliteStore(path).pending() == ()


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


# --- from the first revision ---------------------------------------------------------------------

# As version 0.1 of the program asks: frozen, like the revision itself.
_FIRST_COLUMNS = (
    "request_digest, kind, client_id, redirect_uri, state, code_challenge, scopes, resource, "
    "prompt, cross_site, browser_digest, created_at, expires_at, answered_at"
)
_FIRST_INSERT = (
    f"INSERT INTO authorization_requests ({_FIRST_COLUMNS}) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FIRST_READ = f"SELECT {_FIRST_COLUMNS} FROM authorization_requests WHERE request_digest = ?"
_FIRST_ANSWER = (
    "UPDATE authorization_requests SET answered_at=:now WHERE request_digest = :request_digest "
    "AND answered_at IS NULL AND expires_at > :now"
)


@pytest.fixture
def first(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database as revision 0001 made it, with a request in it."""
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "HEAD", "0001")
        _migrated(path)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT * FROM alembic_version").fetchall() == [("0001",)]
        db.execute(_FIRST_INSERT, rows.request_row(samples.request())[:14])
    return path


async def test_a_database_of_the_first_revision_is_brought_up_with_its_rows(first: Path) -> None:
    store = SqliteStore(first)
    await store.open()
    handle = samples.request().request_digest
    assert await store.request(handle) == samples.request()
    assert await store.await_factor(handle, samples.factor(), samples.NOW)
    kept = await store.request(handle)
    assert kept is not None
    assert kept.factor == samples.factor()
    await store.close()
    with closing(sqlite3.connect(first)) as db:
        assert db.execute("SELECT * FROM alembic_version").fetchall() == [(migrations.HEAD,)]


async def test_a_worker_of_the_first_revision_goes_on_beside_the_new_one(first: Path) -> None:
    store = SqliteStore(first)
    await store.open()
    handle = samples.request("old").request_digest
    with closing(sqlite3.connect(first)) as old, old:
        old.execute(_FIRST_INSERT, rows.request_row(samples.request("old"))[:14])
    assert await store.request(handle) == samples.request("old")
    await store.await_factor(handle, samples.factor(), samples.NOW)
    with closing(sqlite3.connect(first)) as old, old:
        assert old.execute(_FIRST_READ, (handle,)).fetchone()[0] == handle
        given = {"now": samples.NOW, "request_digest": handle}
        assert old.execute(_FIRST_ANSWER, given).rowcount == 1
    # the old worker knows of no factor; what waits in the row ends by its own time
    await store.sweep(samples.factor().expires_at, access_ttl=60)
    assert await store.request(handle) == samples.request("old", answered_at=samples.NOW)
    await store.close()


async def test_both_ways_to_the_schema_meet(first: Path, tmp_path: Path) -> None:
    prepare(first, 1)
    prepare(tmp_path / "new.db", 1)
    assert _tables(first) == _tables(tmp_path / "new.db")


# --- from the fourth revision --------------------------------------------------------------------

# What the fourth revision had beside the first's columns; frozen as well.
_FACTOR_COLUMNS = "factor_kind, factor_hint, factor_sealed, factor_expires_at, factor_failures"
_FOURTH_INSERT = (
    f"INSERT INTO authorization_requests ({_FIRST_COLUMNS}, {_FACTOR_COLUMNS}) "
    f"VALUES ({', '.join('?' * 19)})"
)
_FOURTH_SESSION = (
    "INSERT INTO sessions (session_digest, sub, directory, display, methods, assurance, "
    "created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@pytest.fixture
def fourth(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database as revision 0004 made it, with a request, a session and an account in it."""
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "HEAD", "0004")
        _migrated(path)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT * FROM alembic_version").fetchall() == [("0004",)]
        asked = samples.request(factor=samples.factor(failures=2))
        db.execute(_FOURTH_INSERT, rows.request_row(asked)[:19])
        db.execute(_FOURTH_SESSION, rows.session_row(samples.session()))
        account = "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?)"
        db.execute(account, rows.account_row(samples.account()))
    return path


async def test_a_database_of_the_fourth_revision_is_brought_up_with_its_rows(fourth: Path) -> None:
    store = SqliteStore(fourth)
    await store.open()
    handle, signed_in = samples.request().request_digest, samples.session()
    assert await store.request(handle) == samples.request(factor=samples.factor(failures=2))
    assert await store.session(signed_in.session_digest, samples.NOW) == signed_in
    assert await store.account("ag_alice") == samples.account()
    assert await store.bar_of("ag_alice") is None
    assert await store.bar("ag_alice", "x", samples.NOW, samples.audit())
    assert await store.session(signed_in.session_digest, samples.NOW) is None
    await store.open_request(samples.login())
    assert await store.request(samples.login().request_digest) == samples.login()
    await store.add_api_key(samples.api_key(), samples.audit())
    await store.add_usage([UsageRow(1, "none", "", 1, 1)])
    assert await store.usage(0) == [UsageRow(1, "none", "", 1, 1)]
    await store.close()


async def test_a_worker_of_the_fourth_revision_goes_on_beside_the_new_one(fourth: Path) -> None:
    store = SqliteStore(fourth)
    await store.open()
    later, session = samples.request("old"), samples.session("old")
    with closing(sqlite3.connect(fourth)) as old, old:
        old.execute(_FOURTH_INSERT, rows.request_row(later)[:19])
        old.execute(_FOURTH_SESSION, rows.session_row(session))
    assert await store.request(later.request_digest) == later
    assert await store.close_sessions_of("ag_alice", samples.audit()) == 2
    await store.close()


async def test_both_ways_from_the_fourth_meet(fourth: Path, tmp_path: Path) -> None:
    prepare(fourth, 1)
    prepare(tmp_path / "new.db", 1)
    assert _tables(fourth) == _tables(tmp_path / "new.db")
