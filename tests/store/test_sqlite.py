"""What only a file can suffer: a lock, a full disk, lost rights, a stranger's bytes."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 (imported late by asyncio, when a child may not read it)
import os
import resource
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from authgate.protocol.records import Redemption
from authgate.store import sqlite_engine as engine
from authgate.store.contract import StoreUnavailable
from authgate.store.sqlite import SqliteStore
from authgate.store.sqlite_file import connect
from authgate.store.sqlite_writer import WriterPolicy
from tests.store.conftest import StartChild, heard, tell
from tests.store.contract.samples import NOW, audit, begin, client, grant, issue, redeem

IMPATIENT = WriterPolicy(busy_timeout=0.2)


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def impatient(path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, IMPATIENT)
    await store.open()
    yield store
    await store.close()


def whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


# --- a lock -----------------------------------------------------------------------------------


async def test_a_lock_is_waited_for(store: SqliteStore, child: StartChild) -> None:
    await issue(store)
    holder = child("hold")
    assert heard(holder) == "held"
    redeeming = asyncio.ensure_future(redeem(store))
    started = time.monotonic()
    while time.monotonic() - started < 0.5:
        # Reading goes on meanwhile, and never waits.
        before = time.monotonic()
        assert await store.code("nothing") is None
        assert time.monotonic() - before < 0.1
        await asyncio.sleep(0.05)
    assert not redeeming.done()
    tell(holder)
    assert await redeeming is Redemption.REDEEMED


async def test_a_lock_that_stays_changes_nothing(impatient: SqliteStore, child: StartChild) -> None:
    await issue(impatient)
    holder = child("hold")
    assert heard(holder) == "held"
    started = time.monotonic()
    crowd = [impatient.register_client(client(f"c{i}"), audit()) for i in range(20)]
    answers = await asyncio.gather(redeem(impatient), *crowd, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    # Those who wait together wait once.
    assert time.monotonic() - started < 2
    with pytest.raises(StoreUnavailable):
        await impatient.ping()
    tell(holder)
    holder.wait()
    assert await redeem(impatient) is Redemption.REDEEMED
    assert list(await impatient.clients()) == []


async def test_a_crowd_beyond_the_queue_is_turned_away(path: Path, child: StartChild) -> None:
    store = SqliteStore(path, WriterPolicy(busy_timeout=5, queue_limit=5))
    await store.open()
    holder = child("hold")
    assert heard(holder) == "held"
    first = asyncio.ensure_future(store.record(audit("first")))
    await asyncio.sleep(0.1)  # taken from the queue by now, and waiting for the lock
    crowd = [asyncio.ensure_future(store.record(audit(str(i)))) for i in range(8)]
    turned_away, _ = await asyncio.wait(crowd, timeout=0.1)
    assert len(turned_away) == 3
    assert all(isinstance(task.exception(), StoreUnavailable) for task in turned_away)
    tell(holder)
    await first
    assert sum(r is None for r in await asyncio.gather(*crowd, return_exceptions=True)) == 5
    assert len(await store.audit_events()) == 6
    await store.close()


# --- a disk -----------------------------------------------------------------------------------


class Disk:
    """Stands in for a disk that holds only so many pages; the limit is a connection's own."""

    pages = 1 << 30

    def connect(self, path: Path, busy_timeout: float) -> sqlite3.Connection:
        db = connect(path, busy_timeout)
        db.execute(f"PRAGMA max_page_count={self.pages}")
        return db


async def _fill(store: SqliteStore) -> int:
    """Register clients until the store refuses; how many it took."""
    for i in range(2_000):
        try:
            await store.register_client(client(f"c{i:04}", name="n" * 2_000), audit())
        except StoreUnavailable as refused:
            assert "cannot be used now" in str(refused)  # noqa: PT017
            return i
    raise AssertionError("never full")


async def _is_full_and_recovers(store: SqliteStore, free: Callable[[], None]) -> None:
    taken = await _fill(store)
    assert taken > 3
    large = client("large", name="n" * 700_000)
    crowd = [store.register_client(large, audit()), store.grant("grant-1")]
    refused, read = await asyncio.gather(*crowd, return_exceptions=True)
    assert isinstance(refused, StoreUnavailable)
    assert read == grant()
    assert len(await store.clients()) == taken
    free()
    assert await redeem(store, "unspent") is Redemption.REDEEMED
    await store.register_client(large, audit())
    assert len(await store.clients(limit=5_000)) == taken + 1


async def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    monkeypatch.setattr(engine, "connect", disk.connect)
    disk.pages = 120
    store = SqliteStore(path)
    await store.open()
    await begin(store)
    await issue(store, "unspent")
    await _is_full_and_recovers(store, lambda: setattr(disk, "pages", 1 << 30))
    await store.close()
    assert whole(path)


@pytest.fixture
def file_limit() -> Iterator[Callable[[int], None]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fails(
    path: Path, store: SqliteStore, file_limit: Callable[[int], None]
) -> None:
    """The kernel refuses to write on: an I/O error in the middle of the log."""
    await begin(store)
    await issue(store, "unspent")
    file_limit(600_000)
    await _is_full_and_recovers(store, lambda: file_limit(resource.RLIM_INFINITY))
    await store.close()
    assert whole(path)


async def test_one_too_large_step_harms_no_neighbour(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk()
    monkeypatch.setattr(engine, "connect", disk.connect)
    disk.pages = 150
    store = SqliteStore(path)
    await store.open()
    names = [f"c{i}" for i in range(10)]
    steps = [
        store.register_client(client(n, name="n" * (500_000 if n == "c5" else 10)), audit())
        for n in names
    ]
    answers = await asyncio.gather(*steps, return_exceptions=True)
    assert [n for n, a in zip(names, answers, strict=True) if a is not None] == ["c5"]
    assert isinstance(answers[5], StoreUnavailable)
    assert [c.client_id for c in await store.clients()] == [n for n in names if n != "c5"]
    await store.close()


# --- rights -----------------------------------------------------------------------------------


def test_file_and_folder_are_their_owners_alone(path: Path) -> None:
    async def look() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.record(audit())
        files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
        assert files == dict.fromkeys(("authgate.db", "authgate.db-wal", "authgate.db-shm"), 0o600)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        await store.close()

    before = os.umask(0)
    try:
        asyncio.run(look())
    finally:
        os.umask(before)


def _as_somebody_else(tale: Callable[[], None]) -> None:
    """Run `tale` in a process without root's power to write what is read-only."""
    pid = os.fork()
    if pid == 0:  # pragma: no cover (another process)
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgid(65_534)
                os.setuid(65_534)
            tale()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    # Not tmp_path: that lies below a folder which only its owner may enter.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


async def _read_only_file(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    await begin(store)
    await store.close()
    path.chmod(0o400)

    store = SqliteStore(path)
    await store.open()
    assert await store.grant("grant-1") == grant()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.end_grant("grant-1", "x", NOW, audit())
        with pytest.raises(StoreUnavailable):
            await store.ping()
    assert await store.grant("grant-1") == grant()

    for file in path.parent.iterdir():  # SQLite made -wal with the rights of the main file
        file.chmod(0o600)
    await store.ping()
    assert await store.end_grant("grant-1", "x", NOW, audit())
    await store.close()


async def _read_only_folder(path: Path) -> None:
    path.parent.chmod(0o500)
    store = SqliteStore(path)
    with pytest.raises(StoreUnavailable):
        await store.open()
    path.parent.chmod(0o700)
    await store.open()
    await store.ping()
    await store.close()


@pytest.mark.parametrize("tale", [_read_only_file, _read_only_folder])
def test_read_only(shared_folder: Path, tale: Callable[[Path], object]) -> None:
    def told() -> None:
        folder = shared_folder / "data"
        folder.mkdir()
        asyncio.run(tale(folder / "authgate.db"))

    _as_somebody_else(told)


# --- a stranger's bytes -----------------------------------------------------------------------


async def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await SqliteStore(path).open()
    assert path.read_bytes() == b"not a database" * 100


async def test_a_file_that_vanished_is_no_empty_store(path: Path, store: SqliteStore) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    store._reader.let_go()
    with pytest.raises(StoreUnavailable):
        await store.client("x")
    assert not path.exists()


def test_every_commit_reaches_the_disk(path: Path) -> None:
    async def made() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.close()

    asyncio.run(made())
    with closing(connect(path, 1)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
