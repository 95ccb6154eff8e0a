"""The part of the PostgreSQL store about a sign-in at a provider, until it is handed over.

Each step is one statement that decides. Never here: which provider, and what it says.
"""

from __future__ import annotations

from authgate.protocol.records import (
    AuditEvent,
    HandOver,
    PendingFactor,
    Person,
    SocialTransaction,
)
from authgate.store import postgres_sql as sql
from authgate.store import rows
from authgate.store.postgres_engine import Engine
from authgate.store.postgres_rows import audited


class Social(Engine):
    """See `contract.Store` for what each method promises."""

    async def open_transaction(self, transaction: SocialTransaction) -> None:
        await self._changed(sql.INSERT_TRANSACTION, rows.transaction_row(transaction))

    async def transaction(self, transaction_digest: str) -> SocialTransaction | None:
        row = await self._one(sql.TRANSACTION, (transaction_digest,))
        return rows.transaction(row) if row else None

    async def take_transaction(
        self, transaction_digest: str, browser_digest: str, now: int
    ) -> bool:
        given = {
            "transaction_digest": transaction_digest,
            "browser_digest": browser_digest,
            "now": now,
        }
        return await self._changed(sql.TAKE_TRANSACTION, given) == 1

    async def vouch_transaction(
        self, transaction_digest: str, vouched: Person | PendingFactor
    ) -> bool:
        said = dict(zip(rows.VOUCHED, rows.vouched_row(vouched), strict=True))
        given = {"transaction_digest": transaction_digest, **said}
        return await self._changed(sql.VOUCH_TRANSACTION, given) == 1

    async def issue_hand_over(
        self,
        transaction_digest: str,
        browser_digest: str,
        code_digest: str,
        code_expires_at: int,
        now: int,
        audit: AuditEvent,
    ) -> bool:
        given = audited(audit)
        given |= {
            "transaction_digest": transaction_digest,
            "browser_digest": browser_digest,
            "code_digest": code_digest,
            "code_expires_at": code_expires_at,
            "now": now,
        }
        return await self._changed(sql.ISSUE_HAND_OVER_TOLD, given) == 1

    async def take_hand_over(
        self, code_digest: str, request_digest: str, provider: str, now: int
    ) -> HandOver | None:
        given = {
            "code_digest": code_digest,
            "request_digest": request_digest,
            "provider": provider,
            "now": now,
        }
        row = await self._one(sql.TAKE_HAND_OVER, given)
        return None if row is None else rows.hand_over(row)
