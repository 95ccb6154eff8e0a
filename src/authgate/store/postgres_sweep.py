"""The sweep on PostgreSQL: each statement a transaction of its own, of at most a batch of rows.

No row that somebody has locked is waited for, so that many nodes may sweep at once.
"""

from __future__ import annotations

from typing import Any

from authgate.store import postgres_sql as sql
from authgate.store import retention
from authgate.store.contract import Swept
from authgate.store.postgres_engine import Engine

_DAY = 86_400


class Sweep(Engine):
    """See `contract.Store.sweep` for what it promises."""

    async def sweep(
        self, now: int, *, access_ttl: int, audit_days: int = 0, batch: int = 500
    ) -> Swept:
        minutes_ago = {"until": now - retention.REQUEST, "batch": batch}
        sessions_until = {"until": now - retention.SESSION, "batch": batch}
        codes_until = {"until": now - retention.UNSPENT_CODE, "batch": batch}
        ended = {"before": now - retention.ENDED_GRANT - access_ttl, "batch": batch}
        await self._changed(sql.SWEEP_FACTORS, {"now": now, "batch": batch})
        requests = await self._changed(sql.SWEEP_REQUESTS, minutes_ago)
        sessions = await self._changed(sql.SWEEP_SESSIONS, sessions_until)
        codes = await self._changed(sql.SWEEP_UNSPENT_CODES, codes_until)
        redeemed_until = {"until": now - retention.REDEEMED_CODE}
        codes += await self._rest(sql.SWEEP_REDEEMED_CODES, redeemed_until, batch - codes)
        # Refresh tokens first: a grant goes when none of its (perhaps thousands of) tokens is left.
        tokens = await self._changed(sql.SWEEP_TOKENS_OF_RUN_OUT, ended)
        tokens += await self._rest(sql.SWEEP_TOKENS_OF_ENDED, ended, batch - tokens)
        grants = await self._changed(sql.SWEEP_RUN_OUT_GRANTS, ended)
        grants += await self._rest(sql.SWEEP_ENDED_GRANTS, ended, batch - grants)
        clients = await self._sweep_clients(now, batch)
        transactions = await self._changed(sql.SWEEP_TRANSACTIONS, minutes_ago)
        week_ago = {"until": now - retention.EVENT, "batch": batch}
        events = await self._changed(sql.SWEEP_EVENTS, week_ago)
        usage = await self._rest(
            sql.SWEEP_USAGE, {"until": now // _DAY - retention.USAGE_DAYS}, batch
        )
        audit = 0
        if audit_days:
            audit = await self._rest(sql.SWEEP_AUDIT, {"until": now - audit_days * _DAY}, batch)
        months_ago = {"until": now - retention.KEPT_SESSION, "now": now, "batch": batch}
        kept = await self._changed(sql.SWEEP_KEPT_SESSIONS, months_ago)
        return Swept(
            *(requests, codes, tokens, grants, sessions, clients),
            *(transactions, events, usage, audit, kept),
        )

    async def _rest(self, statement: str, given: dict[str, int], batch: int) -> int:
        return await self._changed(statement, {**given, "batch": batch}) if batch > 0 else 0

    async def _sweep_clients(self, now: int, batch: int) -> int:
        gone = 0
        for statement, until in (
            (sql.SWEEP_UNUSED_CLIENTS, now - retention.UNUSED_CLIENT),
            (sql.SWEEP_USED_CLIENTS, now - retention.USED_CLIENT),
        ):
            given: dict[str, Any] = {"until": until, "now": now, "batch": batch - gone}
            row = await self._one(statement, given)
            gone += row[0] if row else 0
        if gone:
            self._clients.clear()
        return gone
