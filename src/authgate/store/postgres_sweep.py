"""The sweep on PostgreSQL: each statement a transaction of its own, of at most a batch of rows.

No row that somebody has locked is waited for, so that many nodes may sweep at once.
"""

from __future__ import annotations

from typing import Any

from authgate.store import postgres_sql as sql
from authgate.store.contract import Swept
from authgate.store.postgres_engine import Engine

_TEN_MINUTES = 600
_HOUR = 3_600
_DAY = 24 * _HOUR
_MONTH = 30 * _DAY


class Sweep(Engine):
    """See `contract.Store.sweep` for what it promises."""

    async def sweep(
        self, now: int, *, access_ttl: int, audit_days: int = 0, batch: int = 500
    ) -> Swept:
        minutes_ago = {"until": now - _TEN_MINUTES, "batch": batch}
        hour_ago = {"until": now - _HOUR, "batch": batch}
        ended = {"before": now - _MONTH - access_ttl, "batch": batch}
        await self._changed(sql.SWEEP_FACTORS, {"now": now, "batch": batch})
        # Anybody may open them: they are kept just long enough to tell a latecomer what happened.
        requests = await self._changed(sql.SWEEP_REQUESTS, minutes_ago)
        sessions = await self._changed(sql.SWEEP_SESSIONS, hour_ago)
        codes = await self._changed(sql.SWEEP_UNSPENT_CODES, hour_ago)
        codes += await self._rest(sql.SWEEP_REDEEMED_CODES, {"until": now - _MONTH}, batch - codes)
        # Refresh tokens first: a grant goes when none of its (perhaps thousands of) tokens is left.
        tokens = await self._changed(sql.SWEEP_TOKENS_OF_RUN_OUT, ended)
        tokens += await self._rest(sql.SWEEP_TOKENS_OF_ENDED, ended, batch - tokens)
        grants = await self._changed(sql.SWEEP_RUN_OUT_GRANTS, ended)
        grants += await self._rest(sql.SWEEP_ENDED_GRANTS, ended, batch - grants)
        clients = await self._sweep_clients(now, batch)
        transactions = await self._changed(sql.SWEEP_TRANSACTIONS, minutes_ago)
        week_ago = {"until": now - 7 * _DAY, "batch": batch}
        events = await self._changed(sql.SWEEP_EVENTS, week_ago)
        usage = await self._rest(sql.SWEEP_USAGE, {"until": now // _DAY - 90}, batch)
        audit = 0
        if audit_days:
            audit = await self._rest(sql.SWEEP_AUDIT, {"until": now - audit_days * _DAY}, batch)
        months_ago = {"until": now - 3 * _MONTH, "now": now, "batch": batch}
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
            (sql.SWEEP_UNUSED_CLIENTS, now - _DAY),
            (sql.SWEEP_USED_CLIENTS, now - 90 * _DAY),
        ):
            given: dict[str, Any] = {"until": until, "now": now, "batch": batch - gone}
            row = await self._one(statement, given)
            gone += row[0] if row else 0
        if gone:
            self._clients.clear()
        return gone
