"""A store moves whole, from either engine to either, or says why not; nothing in between passes."""

from __future__ import annotations

import contextlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest
from sqlalchemy import Text

from authgate.store import copying_postgres
from authgate.store.contract import StoreTooNew
from authgate.store.copying import Copied, CopyDiffers, copy
from authgate.store.copying_end import CopyRefused, End, shapes
from authgate.store.copying_postgres import PostgresEnd
from authgate.store.copying_sqlite import SqliteEnd
from authgate.store.migrations import HEAD
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.revisions import COPYING
from authgate.store.schema import metadata
from authgate.store.sqlite import SqliteStore
from authgate.store.sqlite_file import prepare
from tests import postgres
from tests.store.conftest import ROOT
from tests.store.grown import FEW, MANY, ODD_NUMBERS, ODD_TEXTS, grow
from tests.store.postgres_help import pgbouncer

Engine = Literal["sqlite", "postgres"]
ENGINES: tuple[Engine, ...] = ("sqlite", "postgres")
LEFTOVER = "Émile's\0client"


class Stopped(Exception):
    """Planted: the copy ends here."""


@dataclass
class Place:
    """A store for a test, and a look into it that is none of the code under test."""

    engine: Engine
    path: Path
    schema: str

    def end(self) -> End:
        if self.engine == "sqlite":
            return SqliteEnd(self.path)
        return PostgresEnd(postgres.shared().url, self.schema)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement with `@` before each table."""
        if self.engine == "postgres":
            return postgres.run(postgres.shared().url, statement.replace("@", f"{self.schema}."))
        with closing(sqlite3.connect(self.path)) as db, db:
            return db.execute(statement.replace("@", "")).fetchall()

    def all_rows(self) -> dict[str, set[tuple[Any, ...]]]:
        found = {}
        for table in metadata.tables.values():
            names = ", ".join(column.name for column in table.columns)
            found[table.name] = set(self.run(f"SELECT {names} FROM @{table.name}"))
        return found

    @property
    def revision(self) -> str:
        return str(self.run("SELECT version_num FROM @alembic_version")[0][0])


def quiet(phase: str, table: str, done: int, total: int) -> None:
    pass


def copied(source: Place, target: Place, tell: Callable[..., None] = quiet, **more: Any) -> Copied:
    left, right = source.end(), target.end()
    try:
        return copy(left, right, tell, **more)
    finally:
        left.close()
        right.close()


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[Engine, Place]:
    """The same installation on both engines; nobody writes to it."""
    folder = tmp_path_factory.mktemp("grown")
    places: dict[Engine, Place] = {
        engine: Place(engine, folder / "grown.db", postgres.new_schema()) for engine in ENGINES
    }
    grow(folder / "grown.db", FEW)
    copied(places["sqlite"], places["postgres"])
    return places


@pytest.fixture
def empty(tmp_path: Path) -> dict[Engine, Place]:
    return {
        engine: Place(engine, tmp_path / "new" / "store.db", postgres.new_schema())
        for engine in ENGINES
    }


@pytest.fixture
def small(tmp_path: Path) -> Place:
    """A SQLite store that a test may change."""
    place = Place("sqlite", tmp_path / "small.db", "")
    grow(place.path, {})
    return place


def stop_at(table: str, rows: int) -> Callable[..., None]:
    def tell(phase: str, name: str, done: int, total: int) -> None:
        if phase == "copied" and name == table and done >= rows:
            raise Stopped

    return tell


# --- whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("source", ENGINES)
def test_every_row_arrives_as_it_was(
    grown: dict[Engine, Place], empty: dict[Engine, Place], source: Engine, target: Engine
) -> None:
    done = copied(grown[source], empty[target])
    there = empty[target].all_rows()
    assert there == grown["sqlite"].all_rows()
    assert {name: found.rows for name, found in done.tables.items()} == {
        name: len(rows) for name, rows in there.items()
    }
    assert (done.copied, done.resumed, done.left_out) == (done.rows, False, {})
    assert empty[target].revision == HEAD
    assert not [name for name in tables(empty[target]) if name.startswith("store_")]


def tables(place: Place) -> list[str]:
    if place.engine == "sqlite":
        return [name for (name,) in place.run("SELECT name FROM sqlite_master")]
    asked = f"SELECT tablename FROM pg_tables WHERE schemaname = '{place.schema}'"
    return [name for (name,) in place.run(asked)]


def test_the_installation_is_grown_up(grown: dict[Engine, Place]) -> None:
    """Or the test before would show little: every table, every value that may be empty, all odd."""
    found = grown["sqlite"].all_rows()
    assert {shape.name for shape in shapes()} == set(found) == set(metadata.tables)
    for table in metadata.tables.values():
        for place, column in enumerate(table.columns):
            values = {row[place] for row in found[table.name]}
            assert len(values) > 5, column
            assert (None in values) == column.nullable, column
            if not column.primary_key and not any(i.unique for i in table.indexes):
                assert values & {*ODD_TEXTS, *ODD_NUMBERS}, column


def test_digests_are_the_same_whatever_the_engine(
    grown: dict[Engine, Place], empty: dict[Engine, Place]
) -> None:
    assert (
        copied(grown["postgres"], empty["sqlite"]).tables
        == copied(grown["sqlite"], empty["postgres"]).tables
    )


def test_the_trail_is_numbered_on(grown: dict[Engine, Place], empty: dict[Engine, Place]) -> None:
    copied(grown["sqlite"], empty["postgres"])
    add = (
        "INSERT INTO @audit_events (at, event, outcome, detail) "
        "VALUES (1, 'test', 'done', '{}') RETURNING id"
    )
    (last,) = grown["sqlite"].run("SELECT max(id) FROM @audit_events")[0]
    assert empty["postgres"].run(add) == [(last + 1,)]
    # numbers that were given and rolled back, or swept, are not given again
    empty["postgres"].run("DELETE FROM @audit_events")
    other = Place("postgres", Path(), postgres.new_schema())
    copied(empty["postgres"], other)
    assert other.run(add) == [(last + 2,)]


def test_a_store_without_a_row(empty: dict[Engine, Place], tmp_path: Path) -> None:
    prepare(tmp_path / "bare.db", 1)
    assert copied(Place("sqlite", tmp_path / "bare.db", ""), empty["postgres"]).rows == 0
    assert copied(empty["postgres"], empty["sqlite"]).rows == 0


def test_order_is_that_of_bytes_whatever_the_database_collates_by() -> None:
    """PostgreSQL of the tests knows no other collation, so the statement itself is looked at."""
    asked = {name for shape in shapes() for name in copying_postgres.order_of(shape)}
    assert asked == {
        f'{column.name} COLLATE "C"' if isinstance(column.type, Text) else column.name
        for table in metadata.tables.values()
        for column in table.primary_key
    }


def test_a_store_is_named_without_secrets() -> None:
    end = PostgresEnd("postgresql://me:hunter2@db.internal:6000/authgate", "mine")
    assert end.name == "the PostgreSQL store db.internal:6000/authgate (schema mine)"


def test_behind_a_transaction_pooler(empty: dict[Engine, Place], small: Place) -> None:
    """Nothing outlives a transaction, at either end; other clients take the connections between."""
    middle = empty["postgres"]
    with pgbouncer(postgres.shared().url, "transaction") as url:
        source, target = small.end(), PostgresEnd(url, middle.schema)
        copy(source, target, quiet)
        source.close()
        target.close()
        assert middle.all_rows() == small.all_rows()
        source, target = PostgresEnd(url, middle.schema), empty["sqlite"].end()
        copy(source, target, lambda *_: postgres.run(url, "SET statement_timeout = 1"))
        source.close()
        target.close()
    assert empty["sqlite"].all_rows() == small.all_rows()


# --- interrupted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("source", ENGINES)
def test_an_interrupted_copy_goes_on(
    grown: dict[Engine, Place], empty: dict[Engine, Place], source: Engine, target: Engine
) -> None:
    for table, rows in (("clients", 0), ("codes", 1), ("refresh_tokens", 5000), ("accounts", 1)):
        with pytest.raises(Stopped):
            copied(grown[source], empty[target], stop_at(table, rows))
        assert empty[target].revision == COPYING
    done = copied(grown[source], empty[target])
    assert done.resumed
    assert 0 < done.copied < FEW["audit_events"] + 200  # what came after the last stop
    assert empty[target].all_rows() == grown["sqlite"].all_rows()


def spawn(source: Place, target: Place, folder: Path, **more: Any) -> subprocess.Popen[str]:
    def address(place: Place, option: str) -> list[str]:
        if place.engine == "sqlite":
            return [option, f"sqlite:///{place.path}"]
        name = f"{option}-schema"
        return [option, postgres.shared().url, name, place.schema]

    arguments = [*address(source, "--from"), *address(target, "--to"), "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "authgate", "store", "copy", *arguments],
        cwd=ROOT,
        env={"AUTHGATE_DATA_DIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("source", ENGINES)
def test_kill_9_in_the_middle(
    grown: dict[Engine, Place],
    empty: dict[Engine, Place],
    tmp_path: Path,
    source: Engine,
    target: Engine,
) -> None:
    for table in ("codes", "grants", "refresh_tokens"):
        with spawn(grown[source], empty[target], tmp_path) as process:
            assert process.stderr is not None
            while not (line := process.stderr.readline()).startswith(table):
                assert line, "it ended by itself"
            process.kill()  # somewhere in the table that comes next
        assert empty[target].revision == COPYING
    with spawn(grown[source], empty[target], tmp_path) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert '"resumed": true' in out
    assert empty[target].all_rows() == grown["sqlite"].all_rows()


def test_a_large_installation_under_kill_9(empty: dict[Engine, Place], tmp_path: Path) -> None:
    """200,000 refresh tokens of 50,000 connections, in the middle of which the copy is killed."""
    large = Place("sqlite", tmp_path / "large.db", "")
    grow(large.path, MANY)
    target, seen = empty["postgres"], [0]
    asked = "SELECT copied FROM @store_copy WHERE name = 'refresh_tokens'"
    for more in (20_000, 60_000, 50_000):
        with spawn(large, target, tmp_path) as process:
            deadline = time.monotonic() + 60
            while (now := _so_far(target, asked)) < seen[-1] + more:
                assert process.poll() is None, "it ended by itself"
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.kill()
        seen.append(_so_far(target, asked))
        assert seen[-1] >= now
    assert seen == sorted(seen)
    assert 0 < seen[-1] < MANY["refresh_tokens"]
    done = copied(large, target)
    assert done.resumed
    assert done.copied < done.rows - seen[-1] - MANY["grants"]
    assert target.all_rows() == large.all_rows()


def _so_far(place: Place, asked: str) -> int:
    with contextlib.suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return int(place.run(asked)[0][0])
    return 0


async def test_no_server_starts_on_half_a_copy(
    grown: dict[Engine, Place], empty: dict[Engine, Place]
) -> None:
    policy = PostgresPolicy(postgres.shared().url, empty["postgres"].schema)
    stores = {"sqlite": SqliteStore(empty["sqlite"].path), "postgres": PostgresStore(policy)}
    for engine in ENGINES:
        with pytest.raises(Stopped):
            copied(grown["sqlite"], empty[engine], stop_at("grants", 1000))
        with pytest.raises(StoreTooNew, match="half of a copy"):
            await stores[engine].open()
    with pytest.raises(CopyRefused, match="itself half a copy"):
        copied(empty["sqlite"], empty["postgres"])


@pytest.mark.parametrize("target", ENGINES)
def test_half_a_copy_of_something_else_is_not_gone_on_with(
    empty: dict[Engine, Place], small: Place, target: Engine
) -> None:
    with pytest.raises(Stopped):
        copied(small, empty[target], stop_at("grants", 1))
    small.run("UPDATE clients SET name = 'changed meanwhile' WHERE client_id = 'Z'")
    with pytest.raises(CopyRefused, match=r"half a copy of another store.*Empty it"):
        copied(small, empty[target])


def test_two_copies_into_one_place(empty: dict[Engine, Place], small: Place) -> None:
    other = Place("sqlite", small.path.with_name("other.db"), "")
    shutil.copy(small.path, other.path)
    did: list[Copied] = []

    def tell(phase: str, table: str, done: int, total: int) -> None:
        if (phase, table) == ("copied", "grants") and not did:
            did.append(copied(other, empty["postgres"]))

    with pytest.raises(CopyRefused):
        copied(small, empty["postgres"], tell)
    assert empty["postgres"].all_rows() == small.all_rows()
    assert empty["postgres"].revision == HEAD


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ENGINES)
def test_a_row_that_somebody_changes_is_found(
    grown: dict[Engine, Place], empty: dict[Engine, Place], target: Engine
) -> None:
    place = empty[target]
    with pytest.raises(Stopped):
        copied(grown["sqlite"], place, stop_at("audit_events", 1))
    place.run("UPDATE @grants SET scopes = scopes || ' mcp:admin' WHERE grant_id = 'Z'")
    place.run("DELETE FROM @consents WHERE sub = 'Z'")
    for _ in range(2):  # and again: it does not mend itself
        with pytest.raises(CopyDiffers, match="No server starts") as caught:
            copied(grown["sqlite"], place)
        assert caught.value.tables == ["consents", "grants"]
        assert place.revision == COPYING


def test_a_row_of_somebody_else_is_trouble(empty: dict[Engine, Place], small: Place) -> None:
    def tell(phase: str, table: str, done: int, total: int) -> None:
        if (phase, table, done) == ("copied", "bars", 0):
            empty["postgres"].run("INSERT INTO @bars VALUES ('Z', 'theirs', 1)")

    with pytest.raises(CopyRefused, match="somebody else"):
        copied(small, empty["postgres"], tell)


@pytest.mark.parametrize("target", ENGINES)
def test_a_target_with_anything_in_it(
    empty: dict[Engine, Place], small: Place, target: Engine, tmp_path: Path
) -> None:
    other = Place("sqlite", tmp_path / "other.db", "")
    prepare(other.path, 1)
    other.run("INSERT INTO bars VALUES ('somebody', 'stays', 1)")
    copied(other, empty[target])
    with pytest.raises(CopyRefused, match=r"not empty: there are rows in bars\. Nothing was"):
        copied(small, empty[target])
    assert empty[target].run("SELECT * FROM @bars") == [("somebody", "stays", 1)]


@pytest.mark.parametrize(
    ("revision", "says"), [("0005", "authgate migrate"), ("9999", "revision 9999")]
)
@pytest.mark.parametrize("source", ENGINES)
def test_another_revision(
    empty: dict[Engine, Place], small: Place, source: Engine, revision: str, says: str
) -> None:
    place = small
    if source == "postgres":
        place = Place("postgres", Path(), postgres.new_schema())
        copied(small, place)
    place.run(f"UPDATE @alembic_version SET version_num = '{revision}'")
    with pytest.raises(CopyRefused, match=says):
        copied(place, empty["sqlite"])
    assert not empty["sqlite"].path.exists()
    assert place.revision == revision


def test_no_store_at_all(empty: dict[Engine, Place], small: Place, tmp_path: Path) -> None:
    with pytest.raises(CopyRefused, match="no file"):
        copied(empty["sqlite"], empty["postgres"])
    with pytest.raises(CopyRefused, match="no store of authgate"):
        copied(empty["postgres"], empty["sqlite"])
    text = Place("sqlite", tmp_path / "letter.txt", "")
    text.path.write_text("Dear all, " * 500)
    with pytest.raises(CopyRefused, match="not a database"):
        copied(text, empty["postgres"])
    theirs = Place("sqlite", tmp_path / "theirs.db", "")
    theirs.run("CREATE TABLE clients (theirs)")
    with pytest.raises(CopyRefused, match="no store of authgate"):
        copied(theirs, empty["postgres"])
    with pytest.raises(CopyRefused, match="no store of authgate"):
        copied(small, theirs)
    assert theirs.run("SELECT * FROM clients") == []


def test_text_with_a_nul_is_left_out_on_demand_alone(
    empty: dict[Engine, Place], small: Place
) -> None:
    with closing(sqlite3.connect(small.path)) as db, db:
        rename = "UPDATE clients SET name = ? WHERE client_id IN ('Z', 'a')"
        db.execute(rename, (LEFTOVER,))
    with pytest.raises(CopyRefused, match=r"2 in clients\. .*--without-nul") as caught:
        copied(small, empty["postgres"])
    assert "mile" not in str(caught.value)
    assert not any(empty["postgres"].all_rows().values())
    assert empty["postgres"].revision == HEAD
    done = copied(small, empty["postgres"], without_nul=True)
    assert done.left_out == {"clients": 2}
    wanted = small.all_rows()
    wanted["clients"] = {row for row in wanted["clients"] if LEFTOVER not in row}
    assert empty["postgres"].all_rows() == wanted
    assert copied(small, empty["sqlite"]).left_out == {}
    assert empty["sqlite"].all_rows() == small.all_rows()


# --- in use, or in trouble ------------------------------------------------------------------------


async def test_a_server_that_runs_keeps_its_store(
    grown: dict[Engine, Place],
    empty: dict[Engine, Place],
    small: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An idle one too: it would go on writing to the old store when the copy is done."""
    monkeypatch.setattr("authgate.store.copying_sqlite._WAIT", 0.1)
    server = SqliteStore(small.path)
    await server.open()
    try:
        with pytest.raises(CopyRefused, match=r"in use\. Stop the server"):
            copied(small, empty["postgres"])
        with pytest.raises(CopyRefused, match="in use"):
            copied(grown["postgres"], small)
    finally:
        await server.close()
    assert copied(small, empty["postgres"]).rows


def test_nobody_writes_meanwhile(
    grown: dict[Engine, Place], empty: dict[Engine, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = "DELETE FROM @bars WHERE sub = 'Z'"
    refused: list[str] = []

    def tell(phase: str, table: str, done: int, total: int) -> None:
        if (phase, table, done) == ("copied", "grants", 0):
            for place in (grown["postgres"], empty["sqlite"]):
                try:
                    place.run(f"SET lock_timeout = 50; {write}" if place.schema else write)
                except Exception as error:
                    refused.append(type(error).__name__)

    monkeypatch.setattr(sqlite3, "connect", _hasty(sqlite3.connect))
    copied(grown["postgres"], empty["sqlite"], tell)
    assert refused == ["LockNotAvailable", "OperationalError"]


def _hasty(connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
    def quick(*given: Any, **more: Any) -> sqlite3.Connection:
        return connect(*given, **{**more, "timeout": 0.05})

    return quick


def test_a_writer_that_does_not_end(
    grown: dict[Engine, Place], empty: dict[Engine, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying_postgres, "_WAIT", "50ms")
    assert copied(grown["postgres"], empty["postgres"]).others == 0
    with psycopg.connect(postgres.shared().url) as writer:
        writer.execute(f"LOCK TABLE {grown['postgres'].schema}.bars IN ROW EXCLUSIVE MODE".encode())
        with pytest.raises(CopyRefused, match=r"in use\. Stop its servers"):
            copied(grown["postgres"], empty["sqlite"])
        writer.rollback()
    server = psycopg.connect(postgres.shared().url, application_name="authgate")
    with server:  # one that is idle cannot be kept out, and is told
        assert copied(grown["postgres"], empty["sqlite"]).others == 1


def test_text_that_is_none(empty: dict[Engine, Place], small: Place) -> None:
    small.run("UPDATE bars SET reason = CAST(x'ff' AS TEXT) WHERE sub = 'Z'")
    with pytest.raises(CopyRefused, match=r"table bars.*not UTF-8"):
        copied(small, empty["postgres"])


def test_postgresql_that_goes_away_and_comes_back(
    grown: dict[Engine, Place], tmp_path: Path
) -> None:
    with postgres.Cluster() as cluster:
        secret = cluster.url.replace("authgate@", "authgate:a-password-of-theirs@")

        def tell(phase: str, table: str, done: int, total: int) -> None:
            if (phase, table, done) == ("copied", "refresh_tokens", 5000):
                cluster.stop("immediate")

        for telling, says in (
            (tell, "refresh_tokens|cannot be used"),
            (quiet, "cannot be reached"),
        ):
            source, target = grown["sqlite"].end(), PostgresEnd(secret, "authgate")
            with pytest.raises(CopyRefused, match=says) as caught:
                copy(source, target, telling)
            source.close()
            target.close()
            assert "a-password" not in str(caught.value)
        cluster.start()
        source, target = grown["sqlite"].end(), PostgresEnd(secret, "authgate")
        done = copy(source, target, quiet)
        source.close()
        target.close()
        assert done.resumed
        assert done.copied < done.rows


def test_a_disk_that_is_full(
    grown: dict[Engine, Place], empty: dict[Engine, Place], tmp_path: Path
) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))

    with spawn(grown["postgres"], empty["sqlite"], tmp_path, preexec_fn=small_files) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "cannot be used" in err.splitlines()[-1]
    assert "Traceback" not in err
    done = copied(grown["postgres"], empty["sqlite"])
    assert done.resumed
    assert empty["sqlite"].all_rows() == grown["sqlite"].all_rows()
