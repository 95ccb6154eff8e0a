"""The writing steps on SQLite about people whom another service knows too.

The same rules hold as in `sqlite_steps`.
"""

from __future__ import annotations

import secrets
from sqlite3 import Cursor

from authgate.protocol.records import AuditEvent, Bar, KeptSession, Link
from authgate.store import rows
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_steps import record

# --- links and bars ---------------------------------------------------------------------------


def link(db: Cursor, wanted: Link, audit: AuditEvent) -> Link:
    if db.execute(sql.INSERT_LINK, rows.link_row(wanted)).rowcount == 1:
        record(db, audit)
        return wanted
    return rows.link(db.execute(sql.LINK_OF, (wanted.workos_id,)).fetchone())


def unlink(db: Cursor, workos_id: str, audit: AuditEvent) -> Link | None:
    row = db.execute(sql.DELETE_LINK, (workos_id,)).fetchone()
    if row is None:
        return None
    record(db, audit)
    return rows.link(row)


def bar(db: Cursor, sub: str, reason: str, now: int, audit: AuditEvent) -> bool:
    if db.execute(sql.INSERT_BAR, rows.bar_row(Bar(sub, reason, now))).rowcount == 0:
        return False
    db.execute(sql.DELETE_SESSIONS_OF, (sub,))
    record(db, audit)
    return True


def first_sight(db: Cursor, event_id: str, now: int) -> bool:
    return db.execute(sql.INSERT_EVENT, (event_id, now)).rowcount == 1


# --- kept sessions ----------------------------------------------------------------------------


def keep_session(db: Cursor, sub: str, sealed: str, now: int) -> KeptSession | None:
    row = db.execute(sql.DELETE_KEPT_SESSION, (sub,)).fetchone()
    older = None if row is None else rows.kept_session(row)
    # Not from 1 each time: whoever knew version 1 of a session that was dropped meanwhile would
    # put it in place of this one.
    version = older.version + 1 if older else secrets.randbits(48)
    kept = KeptSession(sub, sealed, version, now)
    db.execute(sql.INSERT_KEPT_SESSION, rows.kept_session_row(kept))
    return older


def hold_kept_session(db: Cursor, sub: str, version: int, now: int, until: int) -> bool:
    given = {"sub": sub, "version": version, "now": now, "until": until}
    return db.execute(sql.HOLD_KEPT_SESSION, given).rowcount == 1


def replace_kept_session(db: Cursor, sub: str, version: int, sealed: str, now: int) -> bool:
    given = {"sub": sub, "version": version, "sealed": sealed, "now": now}
    return db.execute(sql.REPLACE_KEPT_SESSION, given).rowcount == 1


def drop_kept_session(db: Cursor, sub: str, version: int) -> bool:
    given = {"sub": sub, "version": version}
    return db.execute(sql.DROP_KEPT_SESSION, given).rowcount == 1
