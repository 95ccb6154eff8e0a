"""The statements that clear away what nothing can need any more; the rest are in `statements`.

What may go, and when, is promised in `contract.Store.sweep`. Each statement takes a `batch`, so
that a step which waits for the writer never waits for a whole table.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Delete,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from authgate.store.schema import (
    audit_events,
    authorization_requests,
    clients,
    codes,
    grants,
    kept_sessions,
    refresh_tokens,
    seen_events,
    sessions,
    social_transactions,
    usage_counts,
)
from authgate.store.statements import LIVE_GRANT, NO_FACTOR, NOW, UNSPENT_CODE, first

_P = bindparam
_batch: BindParameter[int] = bindparam("batch")


def _ids(key: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Select[Any]:
    return first(select(key).where(*conditions), _batch)


def _sweep(key: Any, *conditions: ColumnElement[bool]) -> Delete:
    """Delete at most `batch` rows. (DELETE … LIMIT is neither PostgreSQL nor stock SQLite.)"""
    return delete(key.table).where(key.in_(_ids(key, *conditions)))


_open_requests = select(authorization_requests.c.client_id).where(
    authorization_requests.c.expires_at > NOW, authorization_requests.c.answered_at.is_(None)
)
# NOT IN rather than NOT EXISTS: both lists are the few minutes' worth that is under way, read once.
_idle = (
    clients.c.self_registered == literal_column("1"),
    ~exists().where(grants.c.client_id == clients.c.client_id, LIVE_GRANT),
    clients.c.client_id.not_in(_open_requests),
    clients.c.client_id.not_in(select(codes.c.client_id).where(UNSPENT_CODE)),
)
_ended_long_ago = or_(
    and_(grants.c.revoked_at.is_(None), grants.c.expires_at < _P("before")),
    grants.c.revoked_at < _P("before"),
)

_usage_key = tuple_(*usage_counts.primary_key)

_SWEEP: dict[str, ClauseElement] = {
    "sweep_requests": _sweep(
        authorization_requests.c.request_digest, authorization_requests.c.expires_at <= _P("until")
    ),
    # Not the rows: what waited in them for a second factor that never came.
    "sweep_factors": update(authorization_requests)
    .values(NO_FACTOR)
    .where(
        authorization_requests.c.request_digest.in_(
            _ids(
                authorization_requests.c.request_digest,
                authorization_requests.c.factor_expires_at <= NOW,
            )
        )
    ),
    "sweep_transactions": _sweep(
        social_transactions.c.transaction_digest, social_transactions.c.expires_at <= _P("until")
    ),
    "sweep_sessions": _sweep(sessions.c.session_digest, sessions.c.expires_at <= _P("until")),
    # Whoever has a live grant may be asked about any day, and then this session is what is asked.
    "sweep_kept_sessions": _sweep(
        kept_sessions.c.sub,
        kept_sessions.c.kept_at <= _P("until"),
        ~exists().where(grants.c.sub == kept_sessions.c.sub, LIVE_GRANT),
    ),
    "sweep_events": _sweep(seen_events.c.event_id, seen_events.c.seen_at <= _P("until")),
    "sweep_usage": delete(usage_counts).where(
        _usage_key.in_(
            first(
                select(*usage_counts.primary_key).where(usage_counts.c.day <= _P("until")), _batch
            )
        )
    ),
    # By number, which is the order of writing and so nearly that of time: an index on `at` would be
    # paid for with every event. After a clock that ran ahead this keeps events too long, and it
    # never takes one too early.
    "sweep_audit": delete(audit_events).where(
        audit_events.c.id.in_(first(select(audit_events.c.id).order_by(audit_events.c.id), _batch)),
        audit_events.c.at <= _P("until"),
    ),
    "sweep_unspent_codes": _sweep(
        codes.c.code_digest, codes.c.redeemed_at.is_(None), codes.c.expires_at <= _P("until")
    ),
    # A code is redeemed before its end, so the first condition only lets the index lead.
    "sweep_redeemed_codes": _sweep(
        codes.c.code_digest, codes.c.redeemed_at <= _P("until"), codes.c.expires_at <= _P("until")
    ),
    "sweep_refresh_tokens": delete(refresh_tokens).where(
        refresh_tokens.c.token_digest.in_(
            first(
                select(refresh_tokens.c.token_digest)
                .select_from(grants)
                .join(refresh_tokens, refresh_tokens.c.grant_id == grants.c.grant_id)
                .where(_ended_long_ago),
                _batch,
            )
        )
    ),
    "sweep_grants": _sweep(
        grants.c.grant_id,
        _ended_long_ago,
        ~exists().where(refresh_tokens.c.grant_id == grants.c.grant_id),
    ),
    "sweep_used_clients": _sweep(
        clients.c.client_id, clients.c.last_used_at <= _P("until"), *_idle
    ).returning(clients.c.client_id),
    "sweep_unused_clients": _sweep(
        clients.c.client_id,
        clients.c.last_used_at.is_(None),
        clients.c.issued_at <= _P("until"),
        *_idle,
    ).returning(clients.c.client_id),
}


def named() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _SWEEP
