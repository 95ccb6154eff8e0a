"""Sending a person or a client away on PostgreSQL: everything that lets them in ends at once.

Several statements that are sent together, each of which sees what was committed before it began
(`statements_joined_many` says why in this order). What each method promises is said in `contract`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from authgate.protocol.records import AuditEvent
from authgate.store import postgres_sql as sql
from authgate.store import rows
from authgate.store.postgres_engine import Engine
from authgate.store.postgres_rows import audited

Statement = tuple[str, Any]


def lock_person(sub: str) -> Statement:
    """The statement behind which all that opens or closes sessions of one person queues up.

    Held until the transaction ends. Two people may share a number and then merely wait for each
    other now and then.
    """
    name = sub.encode(errors="surrogatepass")
    number = hashlib.blake2b(name, digest_size=8, person=b"authgate").digest()
    return sql.LOCK_PERSON, (int.from_bytes(number, signed=True),)


class Away(Engine):
    """See `contract.Store` for what each method promises."""

    async def remove_client(self, client_id: str, now: int, audit: AuditEvent) -> bool:
        given: dict[str, Any] = audited(audit)
        given |= {"client_id": client_id, "now": now, "reason": "client_removed"}
        done = await self._forgetting(
            self._forget_client(client_id),
            (sql.EXPIRE_CODES_OF_KNOWN_CLIENT, given),
            (sql.END_GRANTS_OF_KNOWN_CLIENT, given),
            (sql.REMOVE_CLIENT_TOLD, given),
        )
        return done[-1].rowcount == 1

    async def end_grants_of(self, sub: str, reason: str, now: int, audit: AuditEvent) -> int:
        given = {"sub": sub, "reason": reason, "now": now}
        done = await self._forgetting(
            self._forget_person(sub),
            lock_person(sub),
            (sql.EXPIRE_CODES_OF_SUB_IN_ORDER, given),
            (sql.END_GRANTS_OF_SUB_IN_ORDER, given),
            (sql.DELETE_SESSIONS_OF, (sub,)),
            (sql.DELETE_TRANSACTIONS_OF, (sub,)),
            (sql.BAR_SENT_AWAY, given),
            (sql.INSERT_AUDIT_EVENT, rows.audit_row(audit)),
        )
        return done[2].rowcount

    async def set_account_disabled(
        self, sub: str, disabled_at: int | None, now: int, audit: AuditEvent
    ) -> bool:
        given = {**audited(audit), "sub": sub, "disabled_at": disabled_at}
        if disabled_at is None:
            return await self._changed(sql.DISABLE_ACCOUNT_TOLD, given) == 1
        return await self._send_away(
            {**given, "now": now, "reason": "account_disabled"},
            (sql.DISABLE_ACCOUNT_TOLD, given),
        )

    async def remove_account(self, sub: str, now: int, audit: AuditEvent) -> bool:
        given = {**audited(audit), "sub": sub, "now": now, "reason": "account_removed"}
        return await self._send_away(
            given,
            (sql.DELETE_CONSENTS_OF_ACCOUNT, given),
            (sql.DELETE_KEPT_SESSION_OF_ACCOUNT, given),
            (sql.REMOVE_ACCOUNT_TOLD, given),
        )

    async def _send_away(self, given: dict[str, Any], *then: Statement) -> bool:
        """Send a person with an account away; True if the last statement found the account.

        It comes last because those before ask whether there is one. Nobody can make or remove the
        account in between: whoever removes one holds the person as well, and `sub` is random.
        """
        done = await self._forgetting(
            self._forget_person(given["sub"]),
            lock_person(given["sub"]),
            (sql.EXPIRE_CODES_OF_ACCOUNT, given),
            (sql.END_GRANTS_OF_ACCOUNT, given),
            (sql.DELETE_SESSIONS_OF_ACCOUNT, given),
            (sql.DELETE_TRANSACTIONS_OF_ACCOUNT, given),
            (sql.BAR_ACCOUNT, given),
            *then,
        )
        return done[-1].rowcount == 1
