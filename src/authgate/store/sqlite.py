"""The store on SQLite: the whole contract, for one machine and any number of worker processes.

Reads run where they are asked, in the event loop, on a connection of their own: 3 to 6 µs, and with
WAL no writer ever makes them wait. Writes go to `sqlite_writer`'s thread. SQLAlchemy is nowhere on
this path. Never here: SQL text (`sqlite_sql`), the mapping of rows (`rows`), a rule of OAuth.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from authgate.protocol.records import (
    Account,
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Client,
    Code,
    Consent,
    Grant,
    Redemption,
    RefreshToken,
    RotationOutcome,
    Session,
    SigningKey,
)
from authgate.store import rows, sqlite_steps, sqlite_upkeep
from authgate.store import sqlite_sql as sql
from authgate.store.contract import StoreUnavailable, Swept
from authgate.store.sqlite_file import as_unavailable, connect, disconnect, prepare
from authgate.store.sqlite_writer import Writer, WriterPolicy

T = TypeVar("T")

# A read holds up the event loop, so it waits for the rare exclusive moment (recovery after a
# crash, the last checkpoint of a closing process) far less long than a write does.
_READ_WAIT = 0.25
# Grants remembered by this process; each costs about 1 KiB.
_KNOWN_GRANTS = 4096


class SqliteStore:
    """See `contract.Store` for what each method promises."""

    def __init__(self, path: str | Path, policy: WriterPolicy | None = None) -> None:
        self._path = Path(path)
        self._policy = policy or WriterPolicy()
        self._writer: Writer | None = None
        self._reader: sqlite3.Cursor | None = None
        self._file_in_doubt = False
        self._known: dict[str, tuple[rows.Row, Grant]] = {}

    # --- life -------------------------------------------------------------------------------

    async def open(self) -> None:
        await asyncio.to_thread(prepare, self._path, self._policy.busy_timeout)
        self._writer = Writer(
            lambda: connect(self._path, self._policy.busy_timeout),
            self._policy,
            self._doubt_file,
        )
        self._read(sql.REVISION)

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
            self._writer = None
        self._let_go_of_reader()

    async def ping(self) -> None:
        self._read(sql.REVISION)
        await self._write(sqlite_steps.ping)

    async def sweep(self, now: int, *, access_ttl: int, batch: int = 500) -> Swept:
        requests = await self._write(sqlite_upkeep.sweep_requests, now, batch)
        sessions = await self._write(sqlite_upkeep.sweep_sessions, now, batch)
        codes = await self._write(sqlite_upkeep.sweep_codes, now, batch)
        tokens, grants = await self._write(sqlite_upkeep.sweep_grants, now, access_ttl, batch)
        clients = await self._write(sqlite_upkeep.sweep_clients, now, batch)
        return Swept(requests, codes, tokens, grants, sessions, clients)

    def _write(self, step: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        if self._writer is None:
            raise StoreUnavailable("the store is not open")
        if self._file_in_doubt:
            # SQLite shares what it knows of a file (that it is read-only, say) among a process's
            # connections: the writer learns anew only if no reader still holds the old knowledge.
            self._file_in_doubt = False
            self._let_go_of_reader()
        return self._writer.submit(step, *arguments)

    def _doubt_file(self) -> None:
        self._file_in_doubt = True

    def _cursor(self) -> sqlite3.Cursor:
        if self._writer is None:
            raise StoreUnavailable("the store is not open")
        self._reader = connect(self._path, _READ_WAIT).cursor()
        return self._reader

    def _read(self, statement: str, given: Any = ()) -> rows.Row | None:
        """The one row, if any; with it the statement is over and holds no snapshot."""
        try:
            row: rows.Row | None = (
                (self._reader or self._cursor()).execute(statement, given).fetchone()
            )
        except sqlite3.Error as error:
            raise self._reading_failed(error) from error
        return row

    def _read_all(self, statement: str, given: Any = ()) -> list[rows.Row]:
        try:
            return (self._reader or self._cursor()).execute(statement, given).fetchall()
        except sqlite3.Error as error:
            raise self._reading_failed(error) from error

    def _reading_failed(self, error: sqlite3.Error) -> BaseException:
        # A connection that met trouble is not used again: the next read begins afresh.
        self._let_go_of_reader()
        return as_unavailable(error) or error

    def _let_go_of_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            disconnect(reader)

    # --- clients ----------------------------------------------------------------------------

    async def register_client(self, client: Client, audit: AuditEvent) -> None:
        await self._write(sqlite_steps.register_client, client, audit)

    async def client(self, client_id: str) -> Client | None:
        row = self._read(sql.CLIENT, (client_id,))
        return rows.client(row) if row else None

    async def clients(self, *, limit: int = 1000, after: str = "") -> Sequence[Client]:
        found = self._read_all(sql.CLIENTS, {"after": after, "limit": limit})
        return [rows.client(row) for row in found]

    async def remove_client(self, client_id: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_steps.remove_client, client_id, now, audit)

    # --- authorization requests -------------------------------------------------------------

    async def open_request(self, request: AuthorizationRequest) -> None:
        await self._write(sqlite_steps.open_request, request)

    async def request(self, request_digest: str) -> AuthorizationRequest | None:
        row = self._read(sql.REQUEST, (request_digest,))
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

    async def consent(
        self, sub: str, client_id: str, redirect_host: str, resource: str
    ) -> Consent | None:
        given = {
            "sub": sub,
            "client_id": client_id,
            "redirect_host": redirect_host,
            "resource": resource,
        }
        row = self._read(sql.CONSENT, given)
        return rows.consent(row) if row else None

    # --- codes and grants -------------------------------------------------------------------

    async def code(self, code_digest: str) -> Code | None:
        row = self._read(sql.CODE, (code_digest,))
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
        row = self._read(sql.REFRESH_TOKEN, (token_digest,))
        return rows.refresh_token_with_grant(row) if row else None

    async def rotate_refresh_token(
        self,
        token_digest: str,
        successor: RefreshToken,
        grant_expires_at: int,
        now: int,
        grace: int,
        audit: AuditEvent,
    ) -> RotationOutcome:
        return await self._write(
            sqlite_steps.rotate_refresh_token,
            token_digest,
            successor,
            grant_expires_at,
            now,
            grace,
            audit,
        )

    async def grant(self, grant_id: str) -> Grant | None:
        # The row is read on every call, so another process's revocation counts at once; only what
        # cannot change (11 of 15 columns) is taken from memory, which halves the cost.
        known = self._known.get(grant_id)
        if known is not None:
            changes = self._read(sql.GRANT_CHANGES, (grant_id,))
            if changes == known[0]:
                return known[1]
        row = self._read(sql.GRANT, (grant_id,))
        if row is None:
            self._known.pop(grant_id, None)
            return None
        if len(self._known) >= _KNOWN_GRANTS:
            self._known.clear()
        grant = rows.grant(row)
        self._known[grant_id] = (row[11:], grant)
        return grant

    async def grants(
        self, *, sub: str | None = None, client_id: str | None = None, live_at: int | None = None
    ) -> Sequence[Grant]:
        given = {"sub": sub, "client_id": client_id, "live_at": live_at}
        if sub is None and client_id is None:
            raise ValueError("whose grants? name a person, a client, or both")
        if sub is None:
            found = self._read_all(sql.GRANTS_OF_CLIENT, given)
        elif client_id is None:
            found = self._read_all(sql.GRANTS_OF_SUB, given)
        else:
            found = self._read_all(sql.GRANTS_OF_SUB_AND_CLIENT, given)
        return [rows.grant(row) for row in found]

    async def end_grant(self, grant_id: str, reason: str, now: int, audit: AuditEvent) -> bool:
        return await self._write(sqlite_steps.end_grant, grant_id, reason, now, audit)

    async def end_grants_of(self, sub: str, reason: str, now: int, audit: AuditEvent) -> int:
        return await self._write(sqlite_steps.end_grants_of, sub, reason, now, audit)

    # --- browser sessions -------------------------------------------------------------------

    async def open_session(self, session: Session, audit: AuditEvent) -> None:
        await self._write(sqlite_upkeep.open_session, session, audit)

    async def session(self, session_digest: str, now: int) -> Session | None:
        row = self._read(sql.SESSION, {"session_digest": session_digest, "now": now})
        return rows.session(row) if row else None

    async def close_session(self, session_digest: str, audit: AuditEvent) -> bool:
        return await self._write(sqlite_upkeep.close_session, session_digest, audit)

    # --- signing keys -----------------------------------------------------------------------

    async def signing_keys(self) -> Sequence[SigningKey]:
        return [rows.signing_key(row) for row in self._read_all(sql.SIGNING_KEYS)]

    async def add_first_signing_key(self, key: SigningKey) -> None:
        await self._write(sqlite_upkeep.add_first_signing_key, key)

    async def add_signing_key(
        self, key: SigningKey, retire_others_at: int, audit: AuditEvent
    ) -> None:
        await self._write(sqlite_upkeep.add_signing_key, key, retire_others_at, audit)

    async def forget_signing_keys(self, now: int) -> int:
        return await self._write(sqlite_upkeep.forget_signing_keys, now)

    # --- people of the embedded directory ---------------------------------------------------

    async def account_by_email(self, email_key: str) -> Account | None:
        row = self._read(sql.ACCOUNT_BY_EMAIL, (email_key,))
        return rows.account(row) if row else None

    async def account(self, sub: str) -> Account | None:
        row = self._read(sql.ACCOUNT, (sub,))
        return rows.account(row) if row else None

    async def accounts(self) -> Sequence[Account]:
        return [rows.account(row) for row in self._read_all(sql.ACCOUNTS)]

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

    # --- audit ------------------------------------------------------------------------------

    async def record(self, audit: AuditEvent) -> None:
        await self._write(sqlite_steps.record, audit)

    async def audit_events(self, *, limit: int = 100) -> Sequence[AuditEvent]:
        return [rows.audit_event(row) for row in self._read_all(sql.AUDIT_EVENTS, (limit,))]
