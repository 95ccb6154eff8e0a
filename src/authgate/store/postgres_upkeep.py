"""The steps on PostgreSQL that are not part of a token's life: clients, sessions, accounts.

The same rules hold as in `postgres_steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from authgate.protocol.records import Account, AuditEvent, Client, Session
from authgate.store import postgres_sql as sql
from authgate.store import rows
from authgate.store.postgres_away import Away, lock_person
from authgate.store.postgres_rows import audited, columns

_CLIENT = columns("clients", sql.REGISTER_CLIENT_TOLD)
_SESSION = columns("sessions", sql.OPEN_SESSION_TOLD)
_ACCOUNT = columns("accounts", sql.ADD_ACCOUNT_TOLD)


class Upkeep(Away):
    """See `contract.Store` for what each method promises."""

    # --- clients ----------------------------------------------------------------------------

    async def register_client(self, client: Client, audit: AuditEvent) -> None:
        given = audited(audit)
        given.update(zip(_CLIENT, rows.client_row(client), strict=True))
        await self._changed(sql.REGISTER_CLIENT_TOLD, given)

    async def clients(self, *, limit: int = 1000, after: str = "") -> Sequence[Client]:
        found = await self._all(sql.CLIENTS, {"after": after, "limit": limit})
        return [rows.client(row) for row in found]

    # --- browser sessions -------------------------------------------------------------------

    async def open_session(self, session: Session, audit: AuditEvent) -> bool:
        given = audited(audit)
        given.update(zip(_SESSION, rows.session_row(session), strict=True))
        given["sub"] = session.person.sub
        given["asked_at"] = session.created_at
        done = await self._forgetting(
            self._forget_person(session.person.sub),
            lock_person(session.person.sub),
            (sql.OPEN_SESSION_TOLD, given),
        )
        return done[-1].rowcount == 1

    async def session(self, session_digest: str, now: int) -> Session | None:
        row = await self._one(sql.SESSION, {"session_digest": session_digest, "now": now})
        return rows.session(row) if row else None

    async def close_session(self, session_digest: str, audit: AuditEvent) -> bool:
        given = {**audited(audit), "session_digest": session_digest}
        return await self._changed(sql.CLOSE_SESSION_TOLD, given) == 1

    async def close_sessions_of(
        self, sub: str, audit: AuditEvent, begun_by: int | None = None
    ) -> int:
        given: dict[str, Any] = {**audited(audit), "sub": sub}
        statement = sql.CLOSE_SESSIONS_OF_TOLD
        if begun_by is not None:
            given["begun_by"] = begun_by
            statement = sql.CLOSE_SESSIONS_BEGUN_BY_TOLD
        done = await self._together(lock_person(sub), (statement, given))
        return int(done[-1].rows[0][0])

    # --- people of the embedded directory ---------------------------------------------------

    async def account_by_email(self, email_key: str) -> Account | None:
        row = await self._one(sql.ACCOUNT_BY_EMAIL, (email_key,))
        return rows.account(row) if row else None

    async def account(self, sub: str) -> Account | None:
        row = await self._one(sql.ACCOUNT, (sub,))
        return rows.account(row) if row else None

    async def accounts(self) -> Sequence[Account]:
        return [rows.account(row) for row in await self._all(sql.ACCOUNTS)]

    async def add_account(self, account: Account, audit: AuditEvent) -> bool:
        given = audited(audit)
        given.update(zip(_ACCOUNT, rows.account_row(account), strict=True))
        return await self._changed(sql.ADD_ACCOUNT_TOLD, given) == 1

    async def set_account_password(
        self, sub: str, password_hash: str, now: int, audit: AuditEvent
    ) -> bool:
        given = {**audited(audit), "sub": sub, "password_hash": password_hash}
        done = await self._together(
            lock_person(sub),
            (sql.DELETE_SESSIONS_OF_ACCOUNT, given),
            (sql.SET_ACCOUNT_PASSWORD_TOLD, given),
        )
        return done[-1].rowcount == 1

    async def rehash_account_password(self, sub: str, old_hash: str, new_hash: str) -> bool:
        given = {"sub": sub, "old_hash": old_hash, "new_hash": new_hash}
        return await self._changed(sql.REHASH_ACCOUNT_PASSWORD, given) == 1
