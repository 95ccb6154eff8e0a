"""The writing steps on SQLite that are not part of a token's life: sessions, accounts, sweep.

Split from `sqlite_steps` by how often they run; the same rules hold. A step of the sweep is small
(one kind, at most a batch of rows) so that a request never waits for a long transaction.
"""

from __future__ import annotations

from sqlite3 import Cursor

from authgate.protocol.records import Account, AuditEvent, Session
from authgate.store import retention, rows
from authgate.store import sqlite_sql as sql
from authgate.store.sqlite_steps import record, send_away

_DAY = 86_400

# --- sessions ---------------------------------------------------------------------------------


def open_session(db: Cursor, session: Session, audit: AuditEvent) -> bool:
    sub = session.person.sub
    db.execute(sql.LIFT_BAR, {"sub": sub, "asked_at": session.created_at})
    if db.execute(sql.BAR_OF, (sub,)).fetchone() is not None:
        return False
    db.execute(sql.INSERT_SESSION, rows.session_row(session))
    record(db, audit)
    return True


def close_session(db: Cursor, session_digest: str, audit: AuditEvent) -> bool:
    if db.execute(sql.DELETE_SESSION, (session_digest,)).rowcount == 0:
        return False
    record(db, audit)
    return True


def close_sessions_of(db: Cursor, sub: str, audit: AuditEvent, begun_by: int | None) -> int:
    if begun_by is None:
        closed = db.execute(sql.DELETE_SESSIONS_OF, (sub,)).rowcount
    else:
        given = {"sub": sub, "begun_by": begun_by}
        closed = db.execute(sql.DELETE_SESSIONS_BEGUN_BY, given).rowcount
    if closed:
        record(db, audit)
    return closed


# --- accounts ---------------------------------------------------------------------------------


def add_account(db: Cursor, account: Account, audit: AuditEvent) -> bool:
    if db.execute(sql.INSERT_ACCOUNT, rows.account_row(account)).rowcount == 0:
        return False
    record(db, audit)
    return True


def set_account_disabled(
    db: Cursor, sub: str, disabled_at: int | None, now: int, audit: AuditEvent
) -> bool:
    given = {"sub": sub, "disabled_at": disabled_at}
    if db.execute(sql.DISABLE_ACCOUNT, given).rowcount == 0:
        return False
    if disabled_at is not None:
        send_away(db, sub, "account_disabled", now)
    record(db, audit)
    return True


def set_account_password(db: Cursor, sub: str, password_hash: str, audit: AuditEvent) -> bool:
    given = {"sub": sub, "password_hash": password_hash}
    if db.execute(sql.SET_ACCOUNT_PASSWORD, given).rowcount == 0:
        return False
    db.execute(sql.DELETE_SESSIONS_OF, (sub,))
    record(db, audit)
    return True


def rehash_account_password(db: Cursor, sub: str, old_hash: str, new_hash: str) -> bool:
    given = {"sub": sub, "old_hash": old_hash, "new_hash": new_hash}
    return db.execute(sql.REHASH_ACCOUNT_PASSWORD, given).rowcount == 1


def remove_account(db: Cursor, sub: str, now: int, audit: AuditEvent) -> bool:
    if db.execute(sql.DELETE_ACCOUNT, (sub,)).rowcount == 0:
        return False
    send_away(db, sub, "account_removed", now)
    db.execute(sql.DELETE_CONSENTS_OF_SUB, (sub,))
    db.execute(sql.DELETE_KEPT_SESSION, (sub,))
    record(db, audit)
    return True


# --- sweep ------------------------------------------------------------------------------------


def sweep_requests(db: Cursor, now: int, batch: int) -> int:
    db.execute(sql.SWEEP_FACTORS, {"now": now, "batch": batch})
    # Anybody may open them, so they are kept just long enough to tell a latecomer what happened.
    given = {"until": now - retention.REQUEST, "batch": batch}
    return db.execute(sql.SWEEP_REQUESTS, given).rowcount


def sweep_transactions(db: Cursor, now: int, batch: int) -> int:
    given = {"until": now - retention.REQUEST, "batch": batch}
    return db.execute(sql.SWEEP_TRANSACTIONS, given).rowcount


def sweep_sessions(db: Cursor, now: int, batch: int) -> int:
    return db.execute(
        sql.SWEEP_SESSIONS, {"until": now - retention.SESSION, "batch": batch}
    ).rowcount


def sweep_kept_sessions(db: Cursor, now: int, batch: int) -> int:
    given = {"until": now - retention.KEPT_SESSION, "now": now, "batch": batch}
    return db.execute(sql.SWEEP_KEPT_SESSIONS, given).rowcount


def sweep_events(db: Cursor, now: int, batch: int) -> int:
    return db.execute(sql.SWEEP_EVENTS, {"until": now - retention.EVENT, "batch": batch}).rowcount


def sweep_usage(db: Cursor, now: int, batch: int) -> int:
    given = {"until": now // _DAY - retention.USAGE_DAYS, "batch": batch}
    return db.execute(sql.SWEEP_USAGE, given).rowcount


def sweep_audit(db: Cursor, now: int, days: int, batch: int) -> int:
    if days == 0:
        return 0
    return db.execute(sql.SWEEP_AUDIT, {"until": now - days * _DAY, "batch": batch}).rowcount


def sweep_codes(db: Cursor, now: int, batch: int) -> int:
    given = {"until": now - retention.UNSPENT_CODE, "batch": batch}
    swept = db.execute(sql.SWEEP_UNSPENT_CODES, given).rowcount
    given = {"until": now - retention.REDEEMED_CODE, "batch": batch - swept}
    return swept + db.execute(sql.SWEEP_REDEEMED_CODES, given).rowcount


def sweep_grants(db: Cursor, now: int, access_ttl: int, batch: int) -> tuple[int, int]:
    """Refresh tokens first: a grant goes when none of its (perhaps thousands of) tokens is left."""
    given = {"before": now - retention.ENDED_GRANT - access_ttl, "batch": batch}
    tokens = db.execute(sql.SWEEP_REFRESH_TOKENS, given).rowcount
    return tokens, db.execute(sql.SWEEP_GRANTS, given).rowcount


def sweep_clients(db: Cursor, now: int, batch: int) -> int:
    given = {"until": now - retention.UNUSED_CLIENT, "now": now, "batch": batch}
    gone = db.execute(sql.SWEEP_UNUSED_CLIENTS, given).fetchall()
    given = {"until": now - retention.USED_CLIENT, "now": now, "batch": batch - len(gone)}
    gone += db.execute(sql.SWEEP_USED_CLIENTS, given).fetchall()
    db.executemany(sql.DELETE_CONSENTS_OF_CLIENT, gone)
    return len(gone)
