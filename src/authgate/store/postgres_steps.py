"""The steps of a token's life on PostgreSQL: requests, codes, refresh tokens and grants.

Each is one statement (`statements_joined`), or several that are sent together, and so one round
trip; only the loser looks why, in a second. What each one promises is said in `contract`. Never
here: SQL text (`postgres_sql`), the mapping of rows (`rows`), a rule of OAuth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from authgate.protocol.records import (
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Code,
    Consent,
    Grant,
    PendingFactor,
    Redemption,
    RefreshToken,
    Rotation,
    RotationOutcome,
)
from authgate.store import lost, rows
from authgate.store import postgres_sql as sql
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres_away import Away
from authgate.store.postgres_rows import audited, columns

_DAY = 86_400
# An answer that is taken back between a loss and the look why leaves the request to be won again.
_TRIES = 5

_CODE = columns("codes", sql.APPROVE_TOLD)
_CONSENT = columns("consents", sql.APPROVE_AND_REMEMBER_TOLD)
_GRANT = columns("grants", sql.REDEEM_CODE_TOLD)
_TOKEN = columns("refresh_tokens", sql.ROTATE_TOLD)


class Steps(Away):
    """See `contract.Store` for what each method promises."""

    # --- authorization requests -------------------------------------------------------------

    async def open_request(self, request: AuthorizationRequest) -> None:
        await self._changed(sql.INSERT_REQUEST, rows.request_row(request))

    async def request(self, request_digest: str) -> AuthorizationRequest | None:
        row = await self._one(sql.REQUEST, (request_digest,))
        return rows.request(row) if row else None

    async def approve(
        self,
        request_digest: str,
        code: Code,
        consent: Consent | None,
        now: int,
        audit: AuditEvent,
    ) -> Approval:
        given = audited(audit)
        given.update(zip(_CODE, rows.code_row(code), strict=True))
        statement = sql.APPROVE_TOLD
        if consent is not None:
            given.update(zip(_CONSENT, rows.consent_row(consent), strict=True))
            statement = sql.APPROVE_AND_REMEMBER_TOLD
        return await self._answer(statement, request_digest, now, given)

    async def deny(self, request_digest: str, now: int, audit: AuditEvent) -> Approval:
        return await self._answer(sql.DENY_TOLD, request_digest, now, audited(audit))

    async def _answer(
        self, statement: str, request_digest: str, now: int, given: dict[str, Any]
    ) -> Approval:
        given["request_digest"] = request_digest
        given["now"] = now
        for _ in range(_TRIES):
            if await self._changed(statement, given) == 1:
                return Approval.APPROVED
            row = await self._one(sql.WHY_NOT_ANSWERED_BY, (request_digest,))
            # No row: it ran out so long ago that it was swept.
            if row is None:
                return Approval.EXPIRED
            answered_at, expires_at = row
            if answered_at is not None:
                return Approval.ALREADY_ANSWERED
            if expires_at <= now:
                return Approval.EXPIRED
        raise StoreUnavailable("the request is answered and reopened all the time")

    async def reopen_login(self, request_digest: str, answered_at: int, audit: AuditEvent) -> bool:
        given = audited(audit)
        given["request_digest"] = request_digest
        given["answered_at"] = answered_at
        return await self._changed(sql.REOPEN_LOGIN_TOLD, given) == 1

    async def await_factor(self, request_digest: str, factor: PendingFactor, now: int) -> bool:
        given = rows.await_factor(request_digest, factor, now)
        return await self._changed(sql.AWAIT_FACTOR, given) == 1

    async def count_factor_failure(self, request_digest: str, limit: int) -> int:
        given = {"request_digest": request_digest, "failure_limit": limit}
        row = await self._one(sql.COUNT_FACTOR_FAILURE, given)
        return limit if row is None else int(row[0])

    async def settle_factor(self, request_digest: str, sealed: str) -> bool:
        given = {"request_digest": request_digest, "sealed": sealed}
        return await self._changed(sql.SETTLE_FACTOR, given) == 1

    async def consent(
        self, sub: str, client_id: str, redirect_host: str, resource: str
    ) -> Consent | None:
        given = {
            "sub": sub,
            "client_id": client_id,
            "redirect_host": redirect_host,
            "resource": resource,
        }
        row = await self._one(sql.CONSENT, given)
        return rows.consent(row) if row else None

    # --- codes ------------------------------------------------------------------------------

    async def code(self, code_digest: str) -> Code | None:
        row = await self._one(sql.CODE, (code_digest,))
        return rows.code(row) if row else None

    async def count_code_failure(self, code_digest: str, limit: int) -> int:
        given = {"code_digest": code_digest, "failure_limit": limit}
        row = await self._one(sql.COUNT_CODE_FAILURE, given)
        if row is None:
            row = await self._one(sql.CODE_FAILURES, (code_digest,))
        # An unknown code is as spent as one that failed too often.
        return limit if row is None else int(row[0])

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
        given = audited(audit)
        given.update(zip(_GRANT, rows.grant_row(grant), strict=True))
        given["code_digest"] = code_digest
        given["now"] = now
        given["failure_limit"] = failure_limit
        given["client_id"] = grant.client_id
        given["day_ago"] = now - _DAY
        statement = sql.REDEEM_CODE_TOLD
        if refresh_token is not None:
            given.update(zip(_TOKEN, rows.refresh_token_row(refresh_token), strict=True))
            statement = sql.REDEEM_CODE_FOR_REFRESH_TOLD
        if await self._changed(statement, given) == 1:
            return Redemption.REDEEMED
        return await self._not_redeemed(code_digest, grant.grant_id, now, audit)

    async def _not_redeemed(
        self, code_digest: str, grant_id: str, now: int, audit: AuditEvent
    ) -> Redemption:
        given = audited(replace(audit, outcome="replayed"))
        given["code_digest"] = code_digest
        given["now"] = now
        given["reason"] = "code_replayed"
        # The grant that a code begins is named by the code, so the first to redeem it had the same.
        forget = self._forget_grant(grant_id)
        done = await self._forgetting(forget, (sql.WHY_NOT_REDEEMED_TOLD, given))
        found = done[0].rows
        return lost.redemption(found[0] if found else None, now)

    # --- refresh tokens ---------------------------------------------------------------------

    async def refresh_token(self, token_digest: str) -> tuple[RefreshToken, Grant] | None:
        row = await self._one(sql.REFRESH_TOKEN, (token_digest,))
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
        given = audited(audit)
        given.update(zip(_TOKEN, rows.refresh_token_row(successor), strict=True))
        given["token_digest"] = token_digest
        given["successor_digest"] = successor.token_digest
        given["grant_id"] = successor.grant_id
        given["expires_at"] = grant_expires_at
        given["vouched_at"] = vouched_at
        given["now"] = now
        given["day_ago"] = now - _DAY
        forget = self._forget_grant(successor.grant_id)
        done = await self._forgetting(forget, (sql.ROTATE_TOLD, given))
        if done[0].rowcount == 1:
            return RotationOutcome(Rotation.ROTATED, successor.token_digest, successor.expires_at)
        return await self._not_rotated(token_digest, now, grace, audit)

    async def _not_rotated(
        self, token_digest: str, now: int, grace: int, audit: AuditEvent
    ) -> RotationOutcome:
        row = await self._one(sql.WHY_NOT_ROTATED, (token_digest,))
        outcome = lost.rotation(row, now, grace)
        if row is None or outcome.rotation is not Rotation.REPLAYED:
            return outcome
        grant_id = row[0]
        given = audited(replace(audit, outcome="replayed"))
        given["grant_id"] = grant_id
        given["reason"] = "refresh_token_replayed"
        given["now"] = now
        forget = self._forget_grant(grant_id)
        done = await self._forgetting(forget, (sql.END_REPLAYED_GRANT_TOLD, given))
        # Ended since we looked: whoever did that has told it, and a second replay tells no more.
        return outcome if done[0].rowcount == 1 else RotationOutcome(Rotation.ENDED)

    # --- grants -----------------------------------------------------------------------------

    async def grants(
        self, *, sub: str | None = None, client_id: str | None = None, live_at: int | None = None
    ) -> Sequence[Grant]:
        given = {"sub": sub, "client_id": client_id, "live_at": live_at}
        if sub is None and client_id is None:
            raise ValueError("whose grants? name a person, a client, or both")
        if sub is None:
            found = await self._all(sql.GRANTS_OF_CLIENT, given)
        elif client_id is None:
            found = await self._all(sql.GRANTS_OF_SUB, given)
        else:
            found = await self._all(sql.GRANTS_OF_SUB_AND_CLIENT, given)
        return [rows.grant(row) for row in found]

    async def end_grant(self, grant_id: str, reason: str, now: int, audit: AuditEvent) -> bool:
        given = audited(audit)
        given["grant_id"] = grant_id
        given["reason"] = reason
        given["now"] = now
        forget = self._forget_grant(grant_id)
        done = await self._forgetting(forget, (sql.END_GRANT_TOLD, given))
        return done[0].rowcount == 1
