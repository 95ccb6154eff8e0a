"""The store on SQLite: the whole contract, for one machine and any number of worker processes.

`sqlite_engine` opens the file and runs the steps of `sqlite_steps` and `sqlite_upkeep`; the methods
about people whom another service knows too are in `sqlite_people`, those of a rollout in
`sqlite_rollout`, those of signing keys and the trail in `sqlite_keys`. SQLAlchemy is nowhere on
this path. Never here: SQL text (`sqlite_sql`), the mapping of rows (`rows`), a rule of OAuth.
"""

from __future__ import annotations

from collections.abc import Sequence

from authgate.protocol.records import (
    Account,
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Client,
    Code,
    Consent,
    Grant,
    HandOver,
    PendingFactor,
    Person,
    Redemption,
    RefreshToken,
    RotationOutcome,
    Session,
    SocialTransaction,
)
from authgate.store import rows, sqlite_social, sqlite_steps, sqlite_upkeep
from authgate.store import sqlite_sql as sql
from authgate.store.contract import Swept
from authgate.store.sqlite_keys import KeysAndTrail
from authgate.store.sqlite_people import PeopleElsewhere
from authgate.store.sqlite_rollout import Rollout


class SqliteStore(PeopleElsewhere, Rollout, KeysAndTrail):
    """See `contract.Store` for what each method promises."""

    # --- life -------------------------------------------------------------------------------

    async def ping(self) -> None:
        self._reader.one(sql.REVISION)
        await self._write(sqlite_steps.ping)

    async def clock(self) -> float | None:
        return None

    async def sweep(
        self, now: int, *, access_ttl: int, audit_days: int = 0, batch: int = 500
    ) -> Swept:
        requests = await self._write(sqlite_upkeep.sweep_requests, now, batch)
        sessions = await self._write(sqlite_upkeep.sweep_sessions, now, batch)
        codes = await self._write(sqlite_upkeep.sweep_codes, now, batch)
        tokens, grants = await self._write(sqlite_upkeep.sweep_grants, now, access_ttl, batch)
        clients = await self._write(sqlite_upkeep.sweep_clients, now, batch)
        transactions = await self._write(sqlite_upkeep.sweep_transactions, now, batch)
        events = await self._write(sqlite_upkeep.sweep_events, now, batch)
        usage = await self._write(sqlite_upkeep.sweep_usage, now, batch)
        audit = await self._write(sqlite_upkeep.sweep_audit, now, audit_days, batch)
        kept = await self._write(sqlite_upkeep.sweep_kept_sessions, now, batch)
        return Swept(
            *(requests, codes, tokens, grants, sessions, clients),
            *(transactions, events, usage, audit, kept),
        )

    # --- clients ----------------------------------------------------------------------------

    async def register_client(self, client: Client, audit: AuditEvent) -> None:
        await self._write(sqlite_steps.register_client, client, audit)

    async def client(self, client_id: str) -> Client | None:
        return self._reader.client(client_id)

    async def clients(self, *, limit: int = 1000, after: str = "") -> Sequence[Client]:
        found = self._reader.all(sql.CLIENTS, {"after": after, "limit": limit})
        return [rows.client(row) for row in found]

    async def remove_client(self, client_id: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_steps.remove_client, client_id, now, audit)

    # --- authorization requests -------------------------------------------------------------

    async def open_request(self, request: AuthorizationRequest) -> None:
        await self._write(sqlite_steps.open_request, request)

    async def request(self, request_digest: str) -> AuthorizationRequest | None:
        row = self._reader.one(sql.REQUEST, (request_digest,))
        return rows.request(row) if row else None

    async def approve(
        self,
        request_digest: str,
        code: Code,
        consent: Consent | None,
        now: int,
        audit: AuditEvent,
    ) -> Approval:
        return await self._write(sqlite_steps.approve, request_digest, code, consent, now, audit)

    async def deny(self, request_digest: str, now: int, audit: AuditEvent) -> Approval:
        return await self._write(sqlite_steps.deny, request_digest, now, audit)

    async def reopen_login(self, request_digest: str, answered_at: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_steps.reopen_login, request_digest, answered_at, audit)

    async def await_factor(self, request_digest: str, factor: PendingFactor, now: int) -> bool:
        return await self._write(sqlite_steps.await_factor, request_digest, factor, now)

    async def count_factor_failure(self, request_digest: str, limit: int) -> int:
        return await self._write(sqlite_steps.count_factor_failure, request_digest, limit)

    async def settle_factor(self, request_digest: str, sealed: str) -> bool:
        return await self._write(sqlite_steps.settle_factor, request_digest, sealed)

    # --- sign-ins at a provider -------------------------------------------------------------

    async def open_transaction(self, transaction: SocialTransaction) -> None:
        await self._write(sqlite_social.open_transaction, transaction)

    async def transaction(self, transaction_digest: str) -> SocialTransaction | None:
        row = self._reader.one(sql.TRANSACTION, (transaction_digest,))
        return rows.transaction(row) if row else None

    async def take_transaction(
        self, transaction_digest: str, browser_digest: str, now: int
    ) -> bool:
        return await self._write(
            sqlite_social.take_transaction, transaction_digest, browser_digest, now
        )

    async def vouch_transaction(
        self, transaction_digest: str, vouched: Person | PendingFactor
    ) -> bool:
        return await self._write(sqlite_social.vouch_transaction, transaction_digest, vouched)

    async def issue_hand_over(
        self,
        transaction_digest: str,
        browser_digest: str,
        code_digest: str,
        code_expires_at: int,
        now: int,
        audit: AuditEvent,
    ) -> bool:
        return await self._write(
            sqlite_social.issue_hand_over,
            transaction_digest,
            browser_digest,
            code_digest,
            code_expires_at,
            now,
            audit,
        )

    async def take_hand_over(
        self, code_digest: str, request_digest: str, provider: str, now: int
    ) -> HandOver | None:
        return await self._write(
            sqlite_social.take_hand_over, code_digest, request_digest, provider, now
        )

    async def consent(
        self, sub: str, client_id: str, redirect_host: str, resource: str
    ) -> Consent | None:
        given = {
            "sub": sub,
            "client_id": client_id,
            "redirect_host": redirect_host,
            "resource": resource,
        }
        row = self._reader.one(sql.CONSENT, given)
        return rows.consent(row) if row else None

    # --- codes and grants -------------------------------------------------------------------

    async def code(self, code_digest: str) -> Code | None:
        row = self._reader.one(sql.CODE, (code_digest,))
        return rows.code(row) if row else None

    async def count_code_failure(self, code_digest: str, limit: int) -> int:
        return await self._write(sqlite_steps.count_code_failure, code_digest, limit)

    async def redeem_code(
        self,
        code_digest: str,
        grant: Grant,
        refresh_token: RefreshToken | None,
        now: int,
        audit: AuditEvent,
        *,
        failure_limit: int,
    ) -> Redemption:
        return await self._write(
            sqlite_steps.redeem_code,
            code_digest,
            grant,
            refresh_token,
            now,
            audit,
            failure_limit,
        )

    async def refresh_token(self, token_digest: str) -> tuple[RefreshToken, Grant] | None:
        row = self._reader.one(sql.REFRESH_TOKEN, (token_digest,))
        return rows.refresh_token_with_grant(row) if row else None

    async def rotate_refresh_token(  # noqa: PLR0913, PLR0917 (the contract's arguments)
        self,
        token_digest: str,
        successor: RefreshToken,
        grant_expires_at: int,
        now: int,
        grace: int,
        audit: AuditEvent,
        vouched_at: int | None = None,
    ) -> RotationOutcome:
        return await self._write(
            sqlite_steps.rotate_refresh_token,
            token_digest,
            successor,
            grant_expires_at,
            now,
            grace,
            audit,
            vouched_at,
        )

    async def grant(self, grant_id: str) -> Grant | None:
        return self._reader.grant(grant_id)

    async def grants(
        self, *, sub: str | None = None, client_id: str | None = None, live_at: int | None = None
    ) -> Sequence[Grant]:
        given = {"sub": sub, "client_id": client_id, "live_at": live_at}
        if sub is None and client_id is None:
            raise ValueError("whose grants? name a person, a client, or both")
        if sub is None:
            found = self._reader.all(sql.GRANTS_OF_CLIENT, given)
        elif client_id is None:
            found = self._reader.all(sql.GRANTS_OF_SUB, given)
        else:
            found = self._reader.all(sql.GRANTS_OF_SUB_AND_CLIENT, given)
        return [rows.grant(row) for row in found]

    async def end_grant(self, grant_id: str, reason: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_steps.end_grant, grant_id, reason, now, audit)

    async def end_grants_of(self, sub: str, reason: str, now: int, audit: AuditEvent) -> int:
        return await self._write(sqlite_steps.end_grants_of, sub, reason, now, audit)

    # --- browser sessions -------------------------------------------------------------------

    async def open_session(self, session: Session, audit: AuditEvent) -> bool:
        return await self._write(sqlite_upkeep.open_session, session, audit)

    async def session(self, session_digest: str, now: int) -> Session | None:
        row = self._reader.one(sql.SESSION, {"session_digest": session_digest, "now": now})
        return rows.session(row) if row else None

    async def close_session(self, session_digest: str, audit: AuditEvent) -> bool:
        return await self._write(sqlite_upkeep.close_session, session_digest, audit)

    async def close_sessions_of(
        self, sub: str, audit: AuditEvent, begun_by: int | None = None
    ) -> int:
        return await self._write(sqlite_upkeep.close_sessions_of, sub, audit, begun_by)

    # --- people of the embedded directory ---------------------------------------------------

    async def account_by_email(self, email_key: str) -> Account | None:
        row = self._reader.one(sql.ACCOUNT_BY_EMAIL, (email_key,))
        return rows.account(row) if row else None

    async def account(self, sub: str) -> Account | None:
        row = self._reader.one(sql.ACCOUNT, (sub,))
        return rows.account(row) if row else None

    async def accounts(self) -> Sequence[Account]:
        return [rows.account(row) for row in self._reader.all(sql.ACCOUNTS)]

    async def add_account(self, account: Account, audit: AuditEvent) -> bool:
        return await self._write(sqlite_upkeep.add_account, account, audit)

    async def set_account_disabled(
        self, sub: str, disabled_at: int | None, now: int, audit: AuditEvent
    ) -> bool:
        return await self._write(sqlite_upkeep.set_account_disabled, sub, disabled_at, now, audit)

    async def set_account_password(
        self, sub: str, password_hash: str, now: int, audit: AuditEvent
    ) -> bool:
        return await self._write(sqlite_upkeep.set_account_password, sub, password_hash, audit)

    async def rehash_account_password(self, sub: str, old_hash: str, new_hash: str) -> bool:
        return await self._write(sqlite_upkeep.rehash_account_password, sub, old_hash, new_hash)

    async def remove_account(self, sub: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_upkeep.remove_account, sub, now, audit)
