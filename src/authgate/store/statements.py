"""Every statement of the store as a SQLAlchemy Core expression: here alone SQL is written.

`POSITIONAL` statements take a tuple: a whole row in the order of its columns, or one key. `NAMED`
ones take a mapping, because two moments in the wrong order would be a silent disaster that saves
0.3 µs. Statements that decide a race carry the condition in their WHERE clause and are judged by
the number of rows they changed: nothing is looked at first. `compile` turns them into text. Those
that clear away are in `statements_sweep`.

The upsert is spelled per dialect in SQLAlchemy though both engines spell it alike, hence `insert`
as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    case,
    column,
    delete,
    exists,
    func,
    literal_column,
    null,
    or_,
    select,
    table,
    update,
)

from authgate.store.schema import (
    accounts,
    audit_events,
    authorization_requests,
    clients,
    codes,
    consents,
    grants,
    refresh_tokens,
    sessions,
    signing_keys,
)

_P = bindparam
NOW: BindParameter[int] = bindparam("now")
_version = table("alembic_version", column("version_num"))


def insert_row(of: Table, *but: str) -> Any:
    """An insert of a whole row, one parameter a column, in the order of the columns."""
    return of.insert().values({c.name: _P(c.name) for c in of.columns if c.name not in but})


def _by(of: Table, name: str) -> Select[Any]:
    """The rows of `of` with exactly this value in the column `name`."""
    return select(*of.columns).where(of.c[name] == _P(name))


def first(rows: Select[Any], limit: ColumnElement[Any]) -> Select[Any]:
    """The first `limit` of these rows."""
    # SQLite's dialect would add the offset as a parameter of its own making.
    return rows.limit(limit).offset(literal_column("0"))


LIVE_GRANT = and_(grants.c.revoked_at.is_(None), grants.c.expires_at > NOW)
UNSPENT_CODE = and_(codes.c.redeemed_at.is_(None), codes.c.expires_at > NOW)
_END = {"revoked_at": NOW, "revoked_reason": _P("reason")}

# --- reads ------------------------------------------------------------------------------------

_successor = refresh_tokens.alias("successor")
_grants_live_if_asked = or_(
    _P("live_at", type_=grants.c.expires_at.type).is_(None),
    and_(grants.c.revoked_at.is_(None), grants.c.expires_at > _P("live_at")),
)


def _grants_where(*conditions: ColumnElement[bool]) -> Select[Any]:
    rows = select(*grants.columns).where(*conditions, _grants_live_if_asked)
    return first(
        rows.order_by(grants.c.created_at.desc(), grants.c.grant_id), literal_column("1000")
    )


_of_sub = grants.c.sub == _P("sub")
_of_client = grants.c.client_id == _P("client_id")

_READ_BY_KEY: dict[str, ClauseElement] = {
    "client": _by(clients, "client_id"),
    "request": _by(authorization_requests, "request_digest"),
    "code": _by(codes, "code_digest"),
    "grant": _by(grants, "grant_id"),
    # Whatever of a grant can change under a process that has seen it before.
    "grant_changes": select(
        grants.c.last_used_at,
        grants.c.expires_at,
        grants.c.revoked_at,
        grants.c.revoked_reason,
        grants.c.vouched_at,
    ).where(grants.c.grant_id == _P("grant_id")),
    "refresh_token": select(*refresh_tokens.columns, *grants.columns)
    .join(grants, grants.c.grant_id == refresh_tokens.c.grant_id)
    .where(refresh_tokens.c.token_digest == _P("token_digest")),
    "account": _by(accounts, "sub"),
    "account_by_email": _by(accounts, "email_key"),
    "accounts": select(*accounts.columns).order_by(accounts.c.email_key),
    "signing_keys": select(*signing_keys.columns).order_by(
        signing_keys.c.created_at, signing_keys.c.kid
    ),
    "audit_events": first(
        select(*(c for c in audit_events.columns if c.name != "id")).order_by(
            audit_events.c.id.desc()
        ),
        _P("limit"),
    ),
    "revision": select(_version.c.version_num),
}

_READ_NAMED: dict[str, ClauseElement] = {
    "clients": first(
        select(*clients.columns)
        .where(clients.c.client_id > _P("after"))
        .order_by(clients.c.client_id),
        _P("limit"),
    ),
    "consent": select(*consents.columns).where(
        *(consents.c[k] == _P(k) for k in ("sub", "client_id", "redirect_host", "resource"))
    ),
    "grants_of_sub": _grants_where(_of_sub),
    "grants_of_client": _grants_where(_of_client),
    "grants_of_sub_and_client": _grants_where(_of_sub, _of_client),
    "session": _by(sessions, "session_digest").where(sessions.c.expires_at > NOW),
}

# --- what the writer looks at after its deciding statement changed nothing ----------------------

_WHY: dict[str, ClauseElement] = {
    "why_not_answered": select(authorization_requests.c.answered_at).where(
        authorization_requests.c.request_digest == _P("request_digest")
    ),
    "why_not_redeemed": select(codes.c.redeemed_at, codes.c.expires_at, codes.c.grant_id).where(
        codes.c.code_digest == _P("code_digest")
    ),
    "code_failures": select(codes.c.failures).where(codes.c.code_digest == _P("code_digest")),
    "why_not_rotated": select(
        refresh_tokens.c.grant_id,
        refresh_tokens.c.superseded_at,
        grants.c.revoked_at,
        _successor.c.token_digest,
        _successor.c.expires_at,
        _successor.c.superseded_at,
    )
    .select_from(refresh_tokens)
    .join(grants, grants.c.grant_id == refresh_tokens.c.grant_id)
    .outerjoin(_successor, _successor.c.token_digest == refresh_tokens.c.successor_digest)
    .where(refresh_tokens.c.token_digest == _P("token_digest")),
}

# --- the second factor of a request ---------------------------------------------------------------

_requests = authorization_requests.c
_OF_REQUEST = _requests.request_digest == _P("request_digest")
_UNANSWERED = and_(_requests.answered_at.is_(None), _requests.expires_at > NOW)
NO_FACTOR: dict[str, ColumnElement[Any]] = {
    column.name: null()
    for column in authorization_requests.columns
    if column.name.startswith("factor_")
}
_one_failure_more = _requests.factor_failures + literal_column("1")
_was_the_last = _one_failure_more >= _P("failure_limit")

# --- statements that decide -----------------------------------------------------------------------

_DECIDE: dict[str, ClauseElement] = {
    "answer_request": update(authorization_requests)
    .values(answered_at=NOW, **NO_FACTOR)
    .where(_OF_REQUEST, _UNANSWERED),
    "reopen_login": update(authorization_requests)
    .values(answered_at=null())
    .where(
        _OF_REQUEST,
        _requests.kind == literal_column("'login'"),
        _requests.answered_at == _P("answered_at"),
    ),
    "await_factor": update(authorization_requests)
    .values(
        factor_kind=_P("kind"),
        factor_hint=_P("hint"),
        factor_sealed=_P("sealed"),
        factor_expires_at=_P("until"),
        factor_failures=_P("failures"),
    )
    .where(_OF_REQUEST, _UNANSWERED),
    # Without `factor_sealed` there is no pending factor; the sweep takes what else is left of it.
    "count_factor_failure": update(authorization_requests)
    .values(
        factor_failures=_one_failure_more,
        factor_sealed=case((_was_the_last, null()), else_=_requests.factor_sealed),
    )
    .where(_OF_REQUEST, _requests.factor_sealed.is_not(None))
    .returning(_requests.factor_failures),
    "settle_factor": update(authorization_requests)
    .values(NO_FACTOR)
    .where(_OF_REQUEST, _requests.factor_sealed == _P("sealed")),
    "count_code_failure": update(codes)
    .values(failures=codes.c.failures + literal_column("1"))
    .where(codes.c.code_digest == _P("code_digest"), codes.c.failures < _P("failure_limit"))
    .returning(codes.c.failures),
    "redeem_code": update(codes)
    .values(redeemed_at=NOW)
    .where(
        codes.c.code_digest == _P("code_digest"),
        codes.c.redeemed_at.is_(None),
        codes.c.expires_at > NOW,
        codes.c.failures < _P("failure_limit"),
    ),
    "supersede_refresh_token": update(refresh_tokens)
    .values(superseded_at=NOW, successor_digest=_P("successor_digest"))
    .where(
        refresh_tokens.c.token_digest == _P("token_digest"),
        refresh_tokens.c.superseded_at.is_(None),
        refresh_tokens.c.expires_at > NOW,
        exists().where(
            grants.c.grant_id == refresh_tokens.c.grant_id, grants.c.revoked_at.is_(None)
        ),
    ),
    "rehash_account_password": update(accounts)
    .values(password_hash=_P("new_hash"))
    .where(accounts.c.sub == _P("sub"), accounts.c.password_hash == _P("old_hash")),
    "end_grant": update(grants).values(_END).where(grants.c.grant_id == _P("grant_id"), LIVE_GRANT),
    # A replay is told in the row even when the grant has run out meanwhile.
    "end_replayed_grant": update(grants)
    .values(_END)
    .where(grants.c.grant_id == _P("grant_id"), grants.c.revoked_at.is_(None)),
    "end_grants_of_sub": update(grants).values(_END).where(_of_sub, LIVE_GRANT),
    "end_grants_of_client": update(grants).values(_END).where(_of_client, LIVE_GRANT),
}

# --- statements that follow -----------------------------------------------------------------------

_FOLLOW: dict[str, ClauseElement] = {
    "touch_grant": update(grants)
    .values(
        last_used_at=NOW,
        expires_at=_P("expires_at"),
        # During an outage nobody vouches, and what was said before stands as it is.
        vouched_at=func.coalesce(_P("vouched_at"), grants.c.vouched_at),
    )
    .where(grants.c.grant_id == _P("grant_id")),
    "stamp_client": update(clients)
    .values(last_used_at=NOW)
    .where(
        clients.c.client_id == _P("client_id"),
        or_(clients.c.last_used_at.is_(None), clients.c.last_used_at <= _P("day_ago")),
    ),
    "stamp_client_of_grant": update(clients)
    .values(last_used_at=NOW)
    .where(
        clients.c.client_id
        == select(grants.c.client_id).where(grants.c.grant_id == _P("grant_id")).scalar_subquery(),
        or_(clients.c.last_used_at.is_(None), clients.c.last_used_at <= _P("day_ago")),
    ),
    # A code issued a moment before its person or client was sent away must not begin a grant after.
    "expire_codes_of_sub": update(codes)
    .values(expires_at=NOW)
    .where(UNSPENT_CODE, codes.c.sub == _P("sub")),
    "expire_codes_of_client": update(codes)
    .values(expires_at=NOW)
    .where(UNSPENT_CODE, codes.c.client_id == _P("client_id")),
    "delete_sessions_begun_by": delete(sessions).where(
        sessions.c.sub == _P("sub"), sessions.c.created_at <= _P("begun_by")
    ),
    "retire_signing_keys": update(signing_keys)
    .values(retires_at=_P("retires_at"))
    .where(or_(signing_keys.c.retires_at.is_(None), signing_keys.c.retires_at > _P("retires_at"))),
    "forget_signing_keys": delete(signing_keys).where(signing_keys.c.retires_at <= NOW),
    "disable_account": update(accounts)
    .values(disabled_at=_P("disabled_at"))
    .where(accounts.c.sub == _P("sub")),
    "set_account_password": update(accounts)
    .values(password_hash=_P("password_hash"))
    .where(accounts.c.sub == _P("sub")),
}

_FOLLOW_BY_KEY: dict[str, ClauseElement] = {
    "delete_client": delete(clients).where(clients.c.client_id == _P("client_id")),
    "delete_consents_of_client": delete(consents).where(consents.c.client_id == _P("client_id")),
    "delete_consents_of_sub": delete(consents).where(consents.c.sub == _P("sub")),
    "delete_session": delete(sessions).where(sessions.c.session_digest == _P("session_digest")),
    "delete_sessions_of": delete(sessions).where(sessions.c.sub == _P("sub")),
    "delete_account": delete(accounts).where(accounts.c.sub == _P("sub")),
    # Changes nothing and is a real write all the same: a full or read-only disk shows.
    "prove_writable": update(_version).values(version_num=_version.c.version_num),
}

_INSERT: dict[str, ClauseElement] = {
    "insert_client": insert_row(clients),
    "insert_request": insert_row(authorization_requests),
    "insert_code": insert_row(codes),
    "insert_grant": insert_row(grants),
    "insert_refresh_token": insert_row(refresh_tokens),
    "insert_session": insert_row(sessions),
    "insert_signing_key": insert_row(signing_keys),
    "insert_first_signing_key": signing_keys.insert().from_select(
        [c.name for c in signing_keys.columns],
        select(*(_P(c.name, type_=c.type) for c in signing_keys.columns)).where(
            ~exists(select(literal_column("1")).select_from(signing_keys))
        ),
    ),
    "insert_revision": _version.insert().values(version_num=_P("revision")),
    "insert_audit_event": insert_row(audit_events, "id"),
}


def _upserts(insert: Callable[[Table], Any]) -> dict[str, ClauseElement]:
    keep = insert(consents).values({c.name: _P(c.name) for c in consents.columns})
    add = insert(accounts).values({c.name: _P(c.name) for c in accounts.columns})
    return {
        "remember_consent": keep.on_conflict_do_update(
            index_elements=list(consents.primary_key.columns),
            set_={"scopes": keep.excluded.scopes, "granted_at": keep.excluded.granted_at},
        ),
        # Only the address may clash and be answered; a clash of `sub` is a fault.
        "insert_account": add.on_conflict_do_nothing(index_elements=[accounts.c.email_key]),
    }


def positional(insert: Callable[[Table], Any]) -> dict[str, ClauseElement]:
    """Statements that take a tuple: a row in column order, or one key, or nothing."""
    return _READ_BY_KEY | _WHY | _FOLLOW_BY_KEY | _INSERT | _upserts(insert)


def named() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _READ_NAMED | _DECIDE | _FOLLOW
