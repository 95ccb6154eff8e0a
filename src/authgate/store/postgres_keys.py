"""The part of the PostgreSQL store that holds the signing keys and tells the trail.

Whoever changes the keys does it alone, behind a lock of the transaction. Never here: which key
signs, and what an event means.
"""

from __future__ import annotations

from collections.abc import Sequence

from authgate.protocol.records import AuditEvent, SigningKey
from authgate.store import postgres_sql as sql
from authgate.store import rows
from authgate.store.postgres_engine import Engine
from authgate.store.postgres_rows import audited, columns

_KEY = columns("signing_keys", sql.SUPERSEDE_SIGNING_KEY_TOLD)
_ALONE = (sql.LOCK_SIGNING_KEYS, ())


class KeysAndTrail(Engine):
    """See `contract_upkeep.KeysAndTrail` for what each method promises."""

    # --- signing keys -----------------------------------------------------------------------

    async def signing_keys(self) -> Sequence[SigningKey]:
        return [rows.signing_key(row) for row in await self._all(sql.SIGNING_KEYS)]

    async def add_first_signing_key(self, key: SigningKey) -> None:
        await self._together(_ALONE, (sql.INSERT_FIRST_SIGNING_KEY, rows.signing_key_row(key)))

    async def add_signing_key(
        self, key: SigningKey, retire_others_at: int, audit: AuditEvent
    ) -> None:
        await self._together(
            _ALONE,
            (sql.RETIRE_SIGNING_KEYS, {"retires_at": retire_others_at}),
            (sql.INSERT_SIGNING_KEY, rows.signing_key_row(key)),
            (sql.INSERT_AUDIT_EVENT, rows.audit_row(audit)),
        )

    async def supersede_signing_key(
        self, kid: str, key: SigningKey, retires_at: int, audit: AuditEvent
    ) -> bool:
        given = audited(audit)
        given |= zip(_KEY, rows.signing_key_row(key), strict=True)
        given |= {"kid": kid, "retires_at": retires_at}
        done = await self._together(_ALONE, (sql.SUPERSEDE_SIGNING_KEY_TOLD, given))
        return done[-1].rowcount == 1

    async def revoke_signing_key(
        self,
        kid: str,
        now: int,
        replacement: SigningKey | None,
        retire_others_at: int,
        audit: AuditEvent,
    ) -> bool:
        given = {**audited(audit), "kid": kid, "now": now}
        statement = sql.REVOKE_SIGNING_KEY_TOLD
        if replacement is not None:
            statement = sql.REPLACE_SIGNING_KEY_TOLD
            given |= zip(_KEY, rows.signing_key_row(replacement), strict=True)
            given["retires_at"] = retire_others_at
        done = await self._together(_ALONE, (statement, given))
        return done[-1].rowcount == 1

    async def forget_signing_keys(self, now: int) -> int:
        return await self._changed(sql.FORGET_SIGNING_KEYS, {"now": now})

    # --- audit ------------------------------------------------------------------------------

    async def record(self, audit: AuditEvent) -> None:
        await self._changed(sql.INSERT_AUDIT_EVENT, rows.audit_row(audit))

    async def audit_events(self, *, limit: int = 100) -> Sequence[AuditEvent]:
        return [rows.audit_event(row) for row in await self._all(sql.AUDIT_EVENTS, (limit,))]

    async def audit_after(
        self, number: int, *, since: int, until: int, limit: int
    ) -> Sequence[tuple[int, AuditEvent]]:
        given = {"number": number, "since": since, "until": until, "limit": limit}
        found = await self._all(sql.AUDIT_AFTER, given)
        return [(row[-1], rows.audit_event(row)) for row in found]

    async def last_audit_number(self) -> int:
        row = await self._one(sql.LAST_AUDIT_NUMBER)
        return row[0] or 0 if row else 0
