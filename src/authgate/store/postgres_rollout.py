"""The part of the PostgreSQL store that a rollout needs: static API keys, and who still uses what.

Never here: which of them may pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from authgate.protocol.records import ApiKey, AuditEvent, UsageRow
from authgate.store import postgres_sql as sql
from authgate.store import rows
from authgate.store.postgres_engine import Engine
from authgate.store.postgres_rows import audited

_DAY = 86_400


class Rollout(Engine):
    """See `contract.Store` for what each method promises."""

    # --- static API keys --------------------------------------------------------------------

    async def add_api_key(self, key: ApiKey, audit: AuditEvent) -> None:
        await self._together(
            (sql.INSERT_API_KEY, rows.api_key_row(key)),
            (sql.INSERT_AUDIT_EVENT, rows.audit_row(audit)),
        )

    async def api_key(self, key_digest: str) -> ApiKey | None:
        return await self._api_keys.get(key_digest)

    async def api_keys(self) -> Sequence[ApiKey]:
        return [rows.api_key(row) for row in await self._all(sql.API_KEYS)]

    async def revoke_api_key(self, key_id: str, now: int, audit: AuditEvent) -> bool:
        given = {**audited(audit), "key_id": key_id, "now": now}
        # Remembered by their digests, which nobody knows here; and this is rare.
        done = await self._forgetting(self._api_keys.clear, (sql.REVOKE_API_KEY_TOLD, given))
        return done[0].rowcount == 1

    async def touch_api_key(self, key_digest: str, day: int) -> None:
        given = {"key_digest": key_digest, "used_at": day * _DAY}
        forget = partial(self._api_keys.drop, key_digest)
        await self._forgetting(forget, (sql.TOUCH_API_KEY, given))

    # --- who still uses what ----------------------------------------------------------------

    async def add_usage(self, counted: Sequence[UsageRow]) -> None:
        if counted:
            # In one order everywhere, or two who add to the same rows would wait for each other.
            inserted = sorted(rows.usage_row(row) for row in counted)
            await self._together(*((sql.ADD_USAGE, row) for row in inserted))

    async def usage(self, since_day: int) -> Sequence[UsageRow]:
        return [rows.usage(row) for row in await self._all(sql.USAGE, (since_day,))]
