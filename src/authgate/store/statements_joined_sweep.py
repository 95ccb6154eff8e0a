"""The sweep as PostgreSQL runs it, built from the conditions of `statements_sweep`.

Oldest first, so that the index gives the batch at once, also while much is dead. A row that
somebody has locked is passed over: it is needed, or another node is taking it away, and no sweep
ever waits for it. What may go, and when, is promised in `contract.Store.sweep`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Select,
    any_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from authgate.store.schema import (
    audit_events,
    authorization_requests,
    clients,
    codes,
    consents,
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
_batch: BindParameter[int] = _P("batch")
_one: ColumnElement[int] = literal_column("1")
_requests = authorization_requests.c


def _dead(key: Any, *conditions: ColumnElement[bool], by: ColumnElement[Any]) -> Select[Any]:
    """The keys of a batch of rows, oldest first, without those that somebody has locked."""
    found = first(select(key).where(*conditions).order_by(by), _batch)
    return found.with_for_update(skip_locked=True, of=key.table)


def _is_among(key: Any, found: Select[Any]) -> ColumnElement[bool]:
    # An array is made once, before. A subquery might be run again for each row of the table, and
    # pass over what it has just locked: more than a batch would go.
    among: ColumnElement[bool] = key == any_(func.array(found.scalar_subquery()))
    return among


def _sweep(key: Any, *conditions: ColumnElement[bool], by: ColumnElement[Any]) -> Any:
    return delete(key.table).where(_is_among(key, _dead(key, *conditions, by=by)))


# NOT EXISTS where SQLite is asked NOT IN: a list that is too long for the memory of one statement
# would be searched from its beginning for every client.
_idle = (
    clients.c.self_registered == _one,
    ~exists().where(grants.c.client_id == clients.c.client_id, LIVE_GRANT),
    ~exists().where(
        _requests.client_id == clients.c.client_id,
        _requests.expires_at > NOW,
        _requests.answered_at.is_(None),
    ),
    ~exists().where(codes.c.client_id == clients.c.client_id, UNSPENT_CODE),
)


def _sweep_clients(*conditions: ColumnElement[bool], by: ColumnElement[Any]) -> Any:
    """Delete idle clients and what people allowed them; the row says how many clients."""
    key = clients.c.client_id
    gone = _sweep(key, *conditions, *_idle, by=by).returning(key).cte("gone")
    forgotten = delete(consents).where(_is_among(consents.c.client_id, select(gone.c.client_id)))
    return select(func.count()).select_from(gone).add_cte(forgotten.cte("forgotten"))


def _oldest(ended: ColumnElement[bool], by: ColumnElement[Any]) -> Select[Any]:
    """The grants that ended first, found alone.

    In a join with what is left of them the planner may think it better to read both tables whole.
    While their tokens are being cleared they stay the oldest.
    """
    return first(select(grants.c.grant_id).where(ended).order_by(by), _batch)


def _sweep_tokens(ended: ColumnElement[bool], by: ColumnElement[Any]) -> Any:
    key = refresh_tokens.c.token_digest
    found = first(
        select(key).where(_is_among(refresh_tokens.c.grant_id, _oldest(ended, by))), _batch
    )
    return delete(refresh_tokens).where(_is_among(key, found.with_for_update(skip_locked=True)))


def _sweep_grants(ended: ColumnElement[bool], by: ColumnElement[Any]) -> Any:
    key = grants.c.grant_id
    left = exists().where(refresh_tokens.c.grant_id == key)
    found = select(key).where(_is_among(key, _oldest(ended, by)), ended, ~left)
    free = found.with_for_update(skip_locked=True, of=grants)
    return delete(grants).where(_is_among(key, free))


_usage = usage_counts.c
_oldest_events = first(select(audit_events.c.id).order_by(audit_events.c.id), _batch)
_until: BindParameter[int] = _P("until")
_before: BindParameter[int] = _P("before")
# Two questions where SQLite is asked one: each is a stretch of the index, and an OR is not.
_ran_out = grants.c.revoked_at.is_(None) & (grants.c.expires_at < _before)
_was_ended = grants.c.revoked_at < _before

# The key has three columns, and an array has one: by the place, which no lock lets change.
_place: ColumnElement[Any] = literal_column("usage_counts.ctid")
_usage_dead = (
    first(select(_place).select_from(usage_counts).where(_usage.day <= _until), _batch)
    .order_by(_usage.day)
    .with_for_update(skip_locked=True)
)

_SWEEP: dict[str, ClauseElement] = {
    "sweep_requests": _sweep(
        _requests.request_digest, _requests.expires_at <= _until, by=_requests.expires_at
    ),
    "sweep_factors": update(authorization_requests)
    .values(NO_FACTOR)
    .where(
        _is_among(
            _requests.request_digest,
            _dead(
                _requests.request_digest,
                _requests.factor_expires_at <= NOW,
                by=_requests.factor_expires_at,
            ),
        )
    ),
    "sweep_transactions": _sweep(
        social_transactions.c.transaction_digest,
        social_transactions.c.expires_at <= _until,
        by=social_transactions.c.expires_at,
    ),
    "sweep_sessions": _sweep(
        sessions.c.session_digest, sessions.c.expires_at <= _until, by=sessions.c.expires_at
    ),
    "sweep_kept_sessions": _sweep(
        kept_sessions.c.sub,
        kept_sessions.c.kept_at <= _until,
        ~exists().where(grants.c.sub == kept_sessions.c.sub, LIVE_GRANT),
        by=kept_sessions.c.kept_at,
    ),
    "sweep_events": _sweep(
        seen_events.c.event_id, seen_events.c.seen_at <= _until, by=seen_events.c.seen_at
    ),
    "sweep_usage": delete(usage_counts).where(_is_among(_place, _usage_dead)),
    "sweep_audit": delete(audit_events).where(
        _is_among(
            audit_events.c.id,
            select(audit_events.c.id)
            .where(_is_among(audit_events.c.id, _oldest_events), audit_events.c.at <= _until)
            .with_for_update(skip_locked=True),
        )
    ),
    "sweep_unspent_codes": _sweep(
        codes.c.code_digest,
        codes.c.redeemed_at.is_(None),
        codes.c.expires_at <= _until,
        by=codes.c.expires_at,
    ),
    "sweep_redeemed_codes": _sweep(
        codes.c.code_digest,
        codes.c.redeemed_at <= _until,
        codes.c.expires_at <= _until,
        by=codes.c.redeemed_at,
    ),
    "sweep_tokens_of_run_out": _sweep_tokens(_ran_out, grants.c.expires_at),
    "sweep_tokens_of_ended": _sweep_tokens(_was_ended, grants.c.revoked_at),
    "sweep_run_out_grants": _sweep_grants(_ran_out, grants.c.expires_at),
    "sweep_ended_grants": _sweep_grants(_was_ended, grants.c.revoked_at),
    "sweep_used_clients": _sweep_clients(
        clients.c.last_used_at <= _until, by=clients.c.last_used_at
    ),
    "sweep_unused_clients": _sweep_clients(
        clients.c.last_used_at.is_(None), clients.c.issued_at <= _until, by=clients.c.issued_at
    ),
}


def joined() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _SWEEP
