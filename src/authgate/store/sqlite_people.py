"""The part of the SQLite store about people whom another service knows too: its steps, its methods.

For the steps the same rules hold as in `sqlite_steps`. Never here: who that service is.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from sqlite3 import Cursor

from authgate.protocol.records import AuditEvent, Bar, KeptSession, Link
from authgate.store import rows
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_engine import Engine
from authgate.store.sqlite_steps import record

# --- links and bars ---------------------------------------------------------------------------


def _link(db: Cursor, wanted: Link, audit: AuditEvent) -> Link:
    if db.execute(sql.INSERT_LINK, rows.link_row(wanted)).rowcount == 1:
        record(db, audit)
        return wanted
    return rows.link(db.execute(sql.LINK_OF, (wanted.workos_id,)).fetchone())


def _unlink(db: Cursor, workos_id: str, audit: AuditEvent) -> Link | None:
    row = db.execute(sql.DELETE_LINK, (workos_id,)).fetchone()
    if row is None:
        return None
    record(db, audit)
    return rows.link(row)


def _bar(db: Cursor, sub: str, reason: str, now: int, audit: AuditEvent) -> bool:
    if db.execute(sql.INSERT_BAR, rows.bar_row(Bar(sub, reason, now))).rowcount == 0:
        return False
    db.execute(sql.DELETE_SESSIONS_OF, (sub,))
    record(db, audit)
    return True


def _first_sight(db: Cursor, event_id: str, now: int) -> bool:
    return db.execute(sql.INSERT_EVENT, (event_id, now)).rowcount == 1


# --- kept sessions ----------------------------------------------------------------------------


def _keep_session(db: Cursor, sub: str, sealed: str, now: int) -> KeptSession | None:
    row = db.execute(sql.DELETE_KEPT_SESSION, (sub,)).fetchone()
    older = None if row is None else rows.kept_session(row)
    # Not from 1 each time: whoever knew version 1 of a session that was dropped meanwhile would
    # put it in place of this one.
    version = older.version + 1 if older else secrets.randbits(48)
    kept = KeptSession(sub, sealed, version, now)
    db.execute(sql.INSERT_KEPT_SESSION, rows.kept_session_row(kept))
    return older


def _hold_kept_session(db: Cursor, sub: str, version: int, now: int, until: int) -> bool:
    given = {"sub": sub, "version": version, "now": now, "until": until}
    return db.execute(sql.HOLD_KEPT_SESSION, given).rowcount == 1


def _replace_kept_session(db: Cursor, sub: str, version: int, sealed: str, now: int) -> bool:
    given = {"sub": sub, "version": version, "sealed": sealed, "now": now}
    return db.execute(sql.REPLACE_KEPT_SESSION, given).rowcount == 1


def _drop_kept_session(db: Cursor, sub: str, version: int) -> bool:
    given = {"sub": sub, "version": version}
    return db.execute(sql.DROP_KEPT_SESSION, given).rowcount == 1


class PeopleElsewhere(Engine):
    """See `contract.Store` for what each method promises."""

    # --- links and bars ---------------------------------------------------------------------

    async def link(self, link: Link, audit: AuditEvent) -> Link:
        return await self._write(_link, link, audit)

    async def link_of(self, workos_id: str) -> Link | None:
        row = self._reader.one(sql.LINK_OF, (workos_id,))
        return rows.link(row) if row else None

    async def links_to(self, sub: str) -> Sequence[Link]:
        return [rows.link(row) for row in self._reader.all(sql.LINKS_TO, (sub,))]

    async def unlink(self, workos_id: str, audit: AuditEvent) -> Link | None:
        return await self._write(_unlink, workos_id, audit)

    async def bar(self, sub: str, reason: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(_bar, sub, reason, now, audit)

    async def bar_of(self, sub: str) -> Bar | None:
        row = self._reader.one(sql.BAR_OF, (sub,))
        return rows.bar(row) if row else None

    async def first_sight(self, event_id: str, now: int) -> bool:
        return await self._write(_first_sight, event_id, now)

    async def saw(self, event_id: str) -> bool:
        return self._reader.one(sql.EVENT, (event_id,)) is not None

    # --- sessions kept at the person's directory ----------------------------------------------

    async def keep_session(self, sub: str, sealed: str, now: int) -> KeptSession | None:
        return await self._write(_keep_session, sub, sealed, now)

    async def kept_session(self, sub: str) -> KeptSession | None:
        row = self._reader.one(sql.KEPT_SESSION, (sub,))
        return rows.kept_session(row) if row else None

    async def hold_kept_session(self, sub: str, version: int, now: int, until: int) -> bool:
        return await self._write(_hold_kept_session, sub, version, now, until)

    async def replace_kept_session(self, sub: str, version: int, sealed: str, now: int) -> bool:
        return await self._write(_replace_kept_session, sub, version, sealed, now)

    async def drop_kept_session(self, sub: str, version: int) -> bool:
        return await self._write(_drop_kept_session, sub, version)
