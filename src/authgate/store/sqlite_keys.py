"""The part of the SQLite store that holds the signing keys and tells the trail.

For the steps the same rules hold as in `sqlite_steps`. Never here: which key signs, and what an
event means.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Cursor

from authgate.protocol.records import AuditEvent, SigningKey
from authgate.store import rows, sqlite_steps
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_engine import Engine
from authgate.store.sqlite_steps import record


def _add_first(db: Cursor, key: SigningKey) -> None:
    db.execute(sql.INSERT_FIRST_SIGNING_KEY, rows.signing_key_row(key))


def _add(db: Cursor, key: SigningKey, retire_others_at: int, audit: AuditEvent) -> None:
    db.execute(sql.RETIRE_SIGNING_KEYS, {"retires_at": retire_others_at})
    db.execute(sql.INSERT_SIGNING_KEY, rows.signing_key_row(key))
    record(db, audit)


def _supersede(db: Cursor, kid: str, key: SigningKey, retires_at: int, audit: AuditEvent) -> bool:
    given = {"kid": kid, "retires_at": retires_at}
    if db.execute(sql.SUPERSEDE_SIGNING_KEY, given).rowcount == 0:
        return False
    db.execute(sql.INSERT_SIGNING_KEY, rows.signing_key_row(key))
    record(db, audit)
    return True


def _revoke(
    db: Cursor,
    kid: str,
    now: int,
    replacement: SigningKey | None,
    retire_others_at: int,
    audit: AuditEvent,
) -> bool:
    if db.execute(sql.REVOKE_SIGNING_KEY, {"kid": kid, "now": now}).rowcount == 0:
        return False
    if replacement is None:
        record(db, audit)
    else:
        _add(db, replacement, retire_others_at, audit)
    return True


def _forget(db: Cursor, now: int) -> int:
    return db.execute(sql.FORGET_SIGNING_KEYS, {"now": now}).rowcount


class KeysAndTrail(Engine):
    """See `contract_upkeep.KeysAndTrail` for what each method promises."""

    # --- signing keys -----------------------------------------------------------------------

    async def signing_keys(self) -> Sequence[SigningKey]:
        return [rows.signing_key(row) for row in self._reader.all(sql.SIGNING_KEYS)]

    async def add_first_signing_key(self, key: SigningKey) -> None:
        await self._write(_add_first, key)

    async def add_signing_key(
        self, key: SigningKey, retire_others_at: int, audit: AuditEvent
    ) -> None:
        await self._write(_add, key, retire_others_at, audit)

    async def supersede_signing_key(
        self, kid: str, key: SigningKey, retires_at: int, audit: AuditEvent
    ) -> bool:
        return await self._write(_supersede, kid, key, retires_at, audit)

    async def revoke_signing_key(
        self,
        kid: str,
        now: int,
        replacement: SigningKey | None,
        retire_others_at: int,
        audit: AuditEvent,
    ) -> bool:
        return await self._write(_revoke, kid, now, replacement, retire_others_at, audit)

    async def forget_signing_keys(self, now: int) -> int:
        return await self._write(_forget, now)

    # --- audit ------------------------------------------------------------------------------

    async def record(self, audit: AuditEvent) -> None:
        await self._write(sqlite_steps.record, audit)

    async def audit_events(self, *, limit: int = 100) -> Sequence[AuditEvent]:
        return [rows.audit_event(row) for row in self._reader.all(sql.AUDIT_EVENTS, (limit,))]

    async def audit_after(
        self, number: int, *, since: int, until: int, limit: int
    ) -> Sequence[tuple[int, AuditEvent]]:
        given = {"number": number, "since": since, "until": until, "limit": limit}
        found = self._reader.all(sql.AUDIT_AFTER, given)
        return [(row[-1], rows.audit_event(row)) for row in found]

    async def last_audit_number(self) -> int:
        row = self._reader.one(sql.LAST_AUDIT_NUMBER)
        return row[0] or 0 if row else 0
