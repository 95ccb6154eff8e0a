"""The writing steps on SQLite of a sign-in at a provider.

The same rules hold as in `sqlite_steps`.
"""

from __future__ import annotations

from sqlite3 import Cursor

from authgate.protocol.records import (
    AuditEvent,
    HandOver,
    PendingFactor,
    Person,
    SocialTransaction,
)
from authgate.store import rows
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_steps import record


def open_transaction(db: Cursor, transaction: SocialTransaction) -> None:
    db.execute(sql.INSERT_TRANSACTION, rows.transaction_row(transaction))


def take_transaction(db: Cursor, transaction_digest: str, browser_digest: str, now: int) -> bool:
    given = {
        "transaction_digest": transaction_digest,
        "browser_digest": browser_digest,
        "now": now,
    }
    return db.execute(sql.TAKE_TRANSACTION, given).rowcount == 1


def vouch_transaction(db: Cursor, transaction_digest: str, vouched: Person | PendingFactor) -> bool:
    said = dict(zip(rows.VOUCHED, rows.vouched_row(vouched), strict=True))
    given = {"transaction_digest": transaction_digest, **said}
    return db.execute(sql.VOUCH_TRANSACTION, given).rowcount == 1


def issue_hand_over(  # noqa: PLR0913, PLR0917 (the contract's arguments)
    db: Cursor,
    transaction_digest: str,
    browser_digest: str,
    code_digest: str,
    code_expires_at: int,
    now: int,
    audit: AuditEvent,
) -> bool:
    given = {
        "transaction_digest": transaction_digest,
        "browser_digest": browser_digest,
        "code_digest": code_digest,
        "code_expires_at": code_expires_at,
        "now": now,
    }
    if db.execute(sql.ISSUE_HAND_OVER, given).rowcount == 0:
        return False
    record(db, audit)
    return True


def take_hand_over(
    db: Cursor, code_digest: str, request_digest: str, provider: str, now: int
) -> HandOver | None:
    given = {
        "code_digest": code_digest,
        "request_digest": request_digest,
        "provider": provider,
        "now": now,
    }
    row = db.execute(sql.TAKE_HAND_OVER, given).fetchone()
    return None if row is None else rows.hand_over(row)
