"""The part of the SQLite store that a rollout needs: static API keys, and who still uses what.

For the steps the same rules hold as in `sqlite_steps`. Never here: which of them may pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Cursor

from authgate.protocol.records import ApiKey, AuditEvent, UsageRow
from authgate.store import rows
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_engine import Engine
from authgate.store.sqlite_steps import record

_DAY = 86_400


def _add_api_key(db: Cursor, key: ApiKey, audit: AuditEvent) -> None:
    db.execute(sql.INSERT_API_KEY, rows.api_key_row(key))
    record(db, audit)


def _revoke_api_key(db: Cursor, key_id: str, now: int, audit: AuditEvent) -> bool:
    if db.execute(sql.REVOKE_API_KEY, {"key_id": key_id, "now": now}).rowcount == 0:
        return False
    record(db, audit)
    return True


def _touch_api_key(db: Cursor, key_digest: str, day: int) -> None:
    db.execute(sql.TOUCH_API_KEY, {"key_digest": key_digest, "used_at": day * _DAY})


def _add_usage(db: Cursor, counted: Sequence[UsageRow]) -> None:
    db.executemany(sql.ADD_USAGE, map(rows.usage_row, counted))


class Rollout(Engine):
    """See `contract.Store` for what each method promises."""

    # --- static API keys --------------------------------------------------------------------

    async def add_api_key(self, key: ApiKey, audit: AuditEvent) -> None:
        await self._write(_add_api_key, key, audit)

    async def api_key(self, key_digest: str) -> ApiKey | None:
        row = self._reader.one(sql.API_KEY, (key_digest,))
        return rows.api_key(row) if row else None

    async def api_keys(self) -> Sequence[ApiKey]:
        return [rows.api_key(row) for row in self._reader.all(sql.API_KEYS)]

    async def revoke_api_key(self, key_id: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(_revoke_api_key, key_id, now, audit)

    async def touch_api_key(self, key_digest: str, day: int) -> None:
        await self._write(_touch_api_key, key_digest, day)

    # --- who still uses what ----------------------------------------------------------------

    async def add_usage(self, counted: Sequence[UsageRow]) -> None:
        if counted:
            await self._write(_add_usage, tuple(counted))

    async def usage(self, since_day: int) -> Sequence[UsageRow]:
        return [rows.usage(row) for row in self._reader.all(sql.USAGE, (since_day,))]
