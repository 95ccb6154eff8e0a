"""The SQLite file itself: making it, connecting to it, bringing its schema up, naming its troubles.

Never a statement of a step (those are in `sqlite_steps`), never a thread. `sqlite_writer` and
`sqlite` get their connections here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from authgate.store import sqlite_sql as sql
from authgate.store.contract import StoreUnavailable
from authgate.store.migrations import HEAD, steps_from
from authgate.store.revisions import is_ready

# Primary result codes that say "not now" or "not on this disk": the caller may come again. All
# others (a broken constraint, a statement that does not parse) are faults of ours and stay loud.
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOTADB,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# What a file suffers that is and stays the same file, and that everybody may go on reading.
_UNWRITTEN = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _primary_code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def is_busy(error: BaseException) -> bool:
    """Another connection holds the lock: waiting helps, connecting anew does not."""
    return _primary_code(error) in _BUSY


def is_unwritten(error: BaseException) -> bool:
    """It was a disk that did not take the bytes: nothing that is known of the file is in doubt."""
    return _primary_code(error) in _UNWRITTEN


def as_unavailable(error: BaseException) -> StoreUnavailable | None:
    """The error as the contract calls it, or None if it is a fault and not the disk's trouble."""
    if _primary_code(error) not in _UNAVAILABLE:
        return None
    unavailable = StoreUnavailable(f"the database cannot be used now: {error}")
    unavailable.__cause__ = error
    return unavailable


def make_file(path: Path) -> None:
    """Make folder and file for their owner alone; what exists keeps the rights it has."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Only ever a new file: closing a descriptor of a database that is open elsewhere in this
    # process would drop that connection's locks (POSIX). SQLite gives -wal and -shm the rights of
    # the main file.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def connect(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """A connection in autocommit mode, every COMMIT of which is on the disk when it returns."""
    # mode=rw: a file that vanished is trouble to report, not an empty database to begin with.
    db = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        db.execute("PRAGMA synchronous=FULL")
        # Without it macOS leaves what was "synced" in the drive's own cache. Elsewhere: nothing.
        db.execute("PRAGMA fullfsync=ON")
        # 8 MiB of log before it is folded in: each folding is two more flushes that a batch waits
        # for, and pages touched many times in between are written once. (A thread that folds
        # beside the writer was tried: it gained nothing.)
        db.execute("PRAGMA wal_autocheckpoint=4000")
        # A reader that stays (a backup, a shell) keeps the log from being folded in, and it grows.
        # Without a limit its file would stay as large for ever after.
        db.execute("PRAGMA journal_size_limit=16777216")
    except BaseException:
        db.close()
        raise
    return db


def disconnect(cursor: sqlite3.Cursor) -> None:
    """Close the connection of its one cursor, and with it its descriptors, now.

    A cursor that is still open, if only in some traceback, would keep them all behind `close`.
    """
    connection = cursor.connection
    cursor.close()
    connection.close()


def prepare(path: Path, busy_timeout: float) -> None:
    """Make the file if there is none, and bring its schema to HEAD."""
    try:
        make_file(path)
        db = connect(path, busy_timeout)
        try:
            _use_wal(db, busy_timeout)
            if not is_ready(_revision(db)) and not _create(db):
                migrate(db)
        finally:
            db.close()
    except OSError as error:
        raise StoreUnavailable(f"the database file cannot be made: {error}") from error
    except sqlite3.Error as error:
        if (unavailable := as_unavailable(error)) is None:
            raise
        raise unavailable from error


def _use_wal(db: sqlite3.Connection, busy_timeout: float) -> None:
    # The switch needs the file alone and does not ask the busy handler, so two first starts meet.
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            if db.execute("PRAGMA journal_mode").fetchone() == ("wal",):
                return
            # Random keys touch a page each, so a smaller page is less to log (only before WAL).
            db.execute("PRAGMA page_size=2048")
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _revision(db: sqlite3.Connection) -> str | None:
    found = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    row = db.execute(sql.REVISION).fetchone() if found else None
    return row[0] if row else None


def _create(db: sqlite3.Connection) -> bool:
    """Make the schema in an empty file. False: it is not empty (any more), so look what it is.

    The statements are kept as text beside the others, so that a first start is no slower than the
    next. A test holds them to what the migrations make.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            return False
        for statement in sql.SCHEMA.split("\n\n"):
            db.execute(statement)
        db.execute(sql.INSERT_REVISION, (HEAD,))
        db.execute("COMMIT")
        return True
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def migrate(db: sqlite3.Connection) -> None:
    """Upgrade under the write lock; whoever waited for it finds the work done."""
    if is_ready(_revision(db)):
        return
    # SQLAlchemy and Alembic cost 0.3 s and 38 MiB, for what one start in many needs.
    from sqlalchemy import StaticPool, create_engine
    from sqlalchemy.exc import DBAPIError

    from authgate.store.migrations import upgrade

    engine = create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
    try:
        # Begun for SQLAlchemy first, or Alembic would think the transaction its own and end it.
        with engine.connect() as connection, connection.begin():
            db.execute("BEGIN IMMEDIATE")
            if not is_ready(_revision(db)):
                upgrade(connection)
    except DBAPIError as error:
        # Callers know the driver's errors, not SQLAlchemy's.
        raise error.orig or error from error


def pending(path: Path, busy_timeout: float) -> tuple[str, ...]:
    """The revisions that `prepare` would run, oldest first; nothing is made or changed."""
    if not path.exists():
        return steps_from(None)
    try:
        db = connect(path, busy_timeout)
        try:
            revision = _revision(db)
        finally:
            db.close()
    except sqlite3.Error as error:
        if (unavailable := as_unavailable(error)) is None:
            raise
        raise unavailable from error
    return () if is_ready(revision) else steps_from(revision)
