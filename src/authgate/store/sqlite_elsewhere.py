"""The part of the SQLite store about people whom another service knows too.

The steps it runs are in `sqlite_people`. Never here: who that service is.
"""

from __future__ import annotations

from collections.abc import Sequence

from authgate.protocol.records import AuditEvent, Bar, KeptSession, Link
from authgate.store import rows, sqlite_people
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_engine import Engine


class PeopleElsewhere(Engine):
    """See `contract.Store` for what each method promises."""

    # --- links and bars ---------------------------------------------------------------------

    async def link(self, link: Link, audit: AuditEvent) -> Link:
        return await self._write(sqlite_people.link, link, audit)

    async def link_of(self, workos_id: str) -> Link | None:
        row = self._reader.one(sql.LINK_OF, (workos_id,))
        return rows.link(row) if row else None

    async def links_to(self, sub: str) -> Sequence[Link]:
        return [rows.link(row) for row in self._reader.all(sql.LINKS_TO, (sub,))]

    async def unlink(self, workos_id: str, audit: AuditEvent) -> Link | None:
        return await self._write(sqlite_people.unlink, workos_id, audit)

    async def bar(self, sub: str, reason: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_people.bar, sub, reason, now, audit)

    async def bar_of(self, sub: str) -> Bar | None:
        row = self._reader.one(sql.BAR_OF, (sub,))
        return rows.bar(row) if row else None

    async def first_sight(self, event_id: str, now: int) -> bool:
        return await self._write(sqlite_people.first_sight, event_id, now)

    # --- sessions kept at the person's directory ----------------------------------------------

    async def keep_session(self, sub: str, sealed: str, now: int) -> KeptSession | None:
        return await self._write(sqlite_people.keep_session, sub, sealed, now)

    async def kept_session(self, sub: str) -> KeptSession | None:
        row = self._reader.one(sql.KEPT_SESSION, (sub,))
        return rows.kept_session(row) if row else None

    async def hold_kept_session(self, sub: str, version: int, now: int, until: int) -> bool:
        return await self._write(sqlite_people.hold_kept_session, sub, version, now, until)

    async def replace_kept_session(self, sub: str, version: int, sealed: str, now: int) -> bool:
        return await self._write(sqlite_people.replace_kept_session, sub, version, sealed, now)

    async def drop_kept_session(self, sub: str, version: int) -> bool:
        return await self._write(sqlite_people.drop_kept_session, sub, version)
