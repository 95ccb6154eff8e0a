"""The writing steps on SQLite: each a function on a cursor, inside a transaction it does not see.

Each begins with its deciding statement and judges by the rows it changed; only the loser looks why.
`sqlite_writer` runs them (twice, if a neighbour in the batch failed, after a rollback), so a step
has no effect but on the database. What each one promises is said in `contract`.
"""

from __future__ import annotations

from dataclasses import replace
from sqlite3 import Cursor

from authgate.protocol.records import (
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Bar,
    Client,
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
from authgate.store import sqlite_sql as sql

_DAY = 86_400


def record(db: Cursor, audit: AuditEvent) -> None:
    db.execute(sql.INSERT_AUDIT_EVENT, rows.audit_row(audit))


def ping(db: Cursor) -> None:
    db.execute(sql.PROVE_WRITABLE)


# --- clients ----------------------------------------------------------------------------------


def register_client(db: Cursor, client: Client, audit: AuditEvent) -> None:
    db.execute(sql.INSERT_CLIENT, rows.client_row(client))
    record(db, audit)


def remove_client(db: Cursor, client_id: str, now: int, audit: AuditEvent) -> bool:
    if db.execute(sql.DELETE_CLIENT, (client_id,)).rowcount == 0:
        return False
    given = {"client_id": client_id, "now": now, "reason": "client_removed"}
    db.execute(sql.END_GRANTS_OF_CLIENT, given)
    db.execute(sql.EXPIRE_CODES_OF_CLIENT, given)
    db.execute(sql.DELETE_CONSENTS_OF_CLIENT, (client_id,))
    record(db, audit)
    return True


# --- authorization requests -------------------------------------------------------------------


def open_request(db: Cursor, request: AuthorizationRequest) -> None:
    db.execute(sql.INSERT_REQUEST, rows.request_row(request))


def _answer(db: Cursor, request_digest: str, now: int) -> Approval:
    given = {"request_digest": request_digest, "now": now}
    if db.execute(sql.ANSWER_REQUEST, given).rowcount == 1:
        return Approval.APPROVED
    row = db.execute(sql.WHY_NOT_ANSWERED, (request_digest,)).fetchone()
    # No row: it ran out so long ago that it was swept.
    return Approval.EXPIRED if row is None or row[0] is None else Approval.ALREADY_ANSWERED


def approve(
    db: Cursor,
    request_digest: str,
    code: Code,
    consent: Consent | None,
    now: int,
    audit: AuditEvent,
) -> Approval:
    approval = _answer(db, request_digest, now)
    if approval is Approval.APPROVED:
        db.execute(sql.INSERT_CODE, rows.code_row(code))
        if consent is not None:
            db.execute(sql.REMEMBER_CONSENT, rows.consent_row(consent))
        record(db, audit)
    return approval


def deny(db: Cursor, request_digest: str, now: int, audit: AuditEvent) -> Approval:
    approval = _answer(db, request_digest, now)
    if approval is Approval.APPROVED:
        record(db, audit)
    return approval


def reopen_login(db: Cursor, request_digest: str, answered_at: int, audit: AuditEvent) -> bool:
    given = {"request_digest": request_digest, "answered_at": answered_at}
    if db.execute(sql.REOPEN_LOGIN, given).rowcount == 0:
        return False
    record(db, audit)
    return True


def await_factor(db: Cursor, request_digest: str, factor: PendingFactor, now: int) -> bool:
    given = rows.await_factor(request_digest, factor, now)
    return db.execute(sql.AWAIT_FACTOR, given).rowcount == 1


def count_factor_failure(db: Cursor, request_digest: str, limit: int) -> int:
    given = {"request_digest": request_digest, "failure_limit": limit}
    row = db.execute(sql.COUNT_FACTOR_FAILURE, given).fetchone()
    return limit if row is None else int(row[0])


def settle_factor(db: Cursor, request_digest: str, sealed: str) -> bool:
    given = {"request_digest": request_digest, "sealed": sealed}
    return db.execute(sql.SETTLE_FACTOR, given).rowcount == 1


# --- codes ------------------------------------------------------------------------------------


def count_code_failure(db: Cursor, code_digest: str, limit: int) -> int:
    given = {"code_digest": code_digest, "failure_limit": limit}
    row = db.execute(sql.COUNT_CODE_FAILURE, given).fetchone()
    if row is None:
        row = db.execute(sql.CODE_FAILURES, (code_digest,)).fetchone()
    # An unknown code is as spent as one that failed too often.
    return limit if row is None else int(row[0])


def redeem_code(  # noqa: PLR0913, PLR0917 (the contract's arguments)
    db: Cursor,
    code_digest: str,
    grant: Grant,
    refresh_token: RefreshToken | None,
    now: int,
    audit: AuditEvent,
    failure_limit: int,
) -> Redemption:
    given = {"code_digest": code_digest, "now": now, "failure_limit": failure_limit}
    if db.execute(sql.REDEEM_CODE, given).rowcount == 0:
        return _not_redeemed(db, code_digest, now, audit)
    db.execute(sql.INSERT_GRANT, rows.grant_row(grant))
    if refresh_token is not None:
        db.execute(sql.INSERT_REFRESH_TOKEN, rows.refresh_token_row(refresh_token))
    record(db, audit)
    stamp = {"client_id": grant.client_id, "now": now, "day_ago": now - _DAY}
    db.execute(sql.STAMP_CLIENT, stamp)
    return Redemption.REDEEMED


def _not_redeemed(db: Cursor, code_digest: str, now: int, audit: AuditEvent) -> Redemption:
    row = db.execute(sql.WHY_NOT_REDEEMED, (code_digest,)).fetchone()
    outcome = lost.redemption(row, now)
    if outcome is Redemption.REPLAYED:
        _end_replayed(db, row[2], "code_replayed", now, audit)
    return outcome


def _end_replayed(db: Cursor, grant_id: str, reason: str, now: int, audit: AuditEvent) -> None:
    given = {"grant_id": grant_id, "reason": reason, "now": now}
    db.execute(sql.END_REPLAYED_GRANT, given)
    record(db, replace(audit, outcome="replayed"))


# --- refresh tokens and grants ----------------------------------------------------------------


def rotate_refresh_token(  # noqa: PLR0913, PLR0917 (the contract's arguments)
    db: Cursor,
    token_digest: str,
    successor: RefreshToken,
    grant_expires_at: int,
    now: int,
    grace: int,
    audit: AuditEvent,
    vouched_at: int | None = None,
) -> RotationOutcome:
    given = {
        "token_digest": token_digest,
        "successor_digest": successor.token_digest,
        "grant_id": successor.grant_id,
        "expires_at": grant_expires_at,
        "vouched_at": vouched_at,
        "now": now,
        "day_ago": now - _DAY,
    }
    if db.execute(sql.SUPERSEDE_REFRESH_TOKEN, given).rowcount == 0:
        return _not_rotated(db, token_digest, now, grace, audit)
    db.execute(sql.INSERT_REFRESH_TOKEN, rows.refresh_token_row(successor))
    db.execute(sql.TOUCH_GRANT, given)
    # A client whose people only ever refresh is in use as well.
    db.execute(sql.STAMP_CLIENT_OF_GRANT, given)
    record(db, audit)
    return RotationOutcome(Rotation.ROTATED, successor.token_digest, successor.expires_at)


def _not_rotated(
    db: Cursor, token_digest: str, now: int, grace: int, audit: AuditEvent
) -> RotationOutcome:
    row = db.execute(sql.WHY_NOT_ROTATED, (token_digest,)).fetchone()
    outcome = lost.rotation(row, now, grace)
    if outcome.rotation is Rotation.REPLAYED:
        _end_replayed(db, row[0], "refresh_token_replayed", now, audit)
    return outcome


def end_grant(db: Cursor, grant_id: str, reason: str, now: int, audit: AuditEvent) -> bool:
    given = {"grant_id": grant_id, "reason": reason, "now": now}
    if db.execute(sql.END_GRANT, given).rowcount == 0:
        return False
    record(db, audit)
    return True


def end_grants_of(db: Cursor, sub: str, reason: str, now: int, audit: AuditEvent) -> int:
    ended = send_away(db, sub, reason, now)
    record(db, audit)
    return ended


def send_away(db: Cursor, sub: str, reason: str, now: int) -> int:
    """End what lets a person in: live grants, unspent codes, sessions, what others issued to them.

    Returns how many grants.
    """
    given = {"sub": sub, "reason": reason, "now": now}
    ended = db.execute(sql.END_GRANTS_OF_SUB, given).rowcount
    db.execute(sql.EXPIRE_CODES_OF_SUB, given)
    db.execute(sql.DELETE_SESSIONS_OF, (sub,))
    db.execute(sql.DELETE_TRANSACTIONS_OF, (sub,))
    db.execute(sql.INSERT_BAR, rows.bar_row(Bar(sub, reason, now)))
    return ended
