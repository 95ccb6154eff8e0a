"""What PostgreSQL runs as one statement where SQLite runs several, built from the same expressions.

A step is one statement: the one that decides is its first part (`won`), and everything that follows
takes its rows from what that returned. The parts see one snapshot, the one from before all of them,
and run in no order but that of what they read of each other. So no part relies on another's effect
on a table, and where locks must be taken in an order, the later part reads the earlier.

Who locks more than one row does it in this order, and bulk statements in the order of their keys:
person (`lock_person`), codes, refresh tokens, grants, sessions, accounts, clients, consents. Steps
that must see what others have just written are several statements sent together: each has a
snapshot of its own. The parameters of a row that is inserted are named by its table.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    Table,
    bindparam,
    exists,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.visitors import replacement_traverse

from authgate.store import statements
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
)
from authgate.store.statements import NOW

_P = bindparam
_DECIDE = statements.named()
_BY_KEY = statements.positional(postgresql.insert)
_one: ColumnElement[int] = literal_column("1")


def by_key(statement: Any) -> Any:
    """The same statement, in which nothing but its key can find the row.

    A plan that was made while the tables were new may find the few that have not ended, and look
    for the key among them; it is kept until the table is analyzed, and by then they may be many.
    """

    def plain(element: Any, **_: Any) -> Any:
        if isinstance(element, Column) and isinstance(element.type, BigInteger):
            return element + literal_column("0")
        return None

    keyed = statement._clone()
    keyed._where_criteria = tuple(
        replacement_traverse(condition, {}, plain) for condition in statement._where_criteria
    )
    return keyed


def decide(name: str, *returned: ColumnElement[Any]) -> CTE:
    """The deciding statement of this name as the part whose rows say that it was won."""
    decides = {**_DECIDE, **_BY_KEY}[name]
    won: CTE = by_key(decides).returning(*returned).cte("won")
    return won


def row_of(of: Table, *but: str) -> dict[str, ColumnElement[Any]]:
    """A whole row as parameters, each named by its table and its column."""
    return {
        c.name: _P(f"{of.name}_{c.name}", type_=c.type) for c in of.columns if c.name not in but
    }


def insert_if(of: Table, won: Any, *but: str) -> Any:
    """Insert a row for every row of `won`, a part of the statement or a condition."""
    row = row_of(of, *but)
    values = select(*row.values())
    values = values.select_from(won) if isinstance(won, CTE) else values.where(won)
    return insert(of).from_select(list(row), values)


def told(won: Any) -> Any:
    """The audit event of a step: the statement proper, whose count of rows says who won."""
    return insert_if(audit_events, won, "id")


def any_of(won: CTE) -> ColumnElement[bool]:
    return exists(select(_one).select_from(won))


def _follow(name: str, won: CTE) -> Any:
    """A statement that follows, if anything was won.

    The question is put once, before: it must not be asked again where the row had to be waited
    for, because a part that writes cannot be run a second time.
    """
    follows: Any = _DECIDE[name]
    return follows.where(any_of(won))


# --- one statement, one row decided -----------------------------------------------------------

_answered = decide("answer_request", authorization_requests.c.request_digest)
_spent = decide("redeem_code", codes.c.code_digest)

_remembered = postgresql.insert(consents).from_select(
    [c.name for c in consents.columns], select(*row_of(consents).values()).select_from(_answered)
)
_remembered = _remembered.on_conflict_do_update(
    index_elements=list(consents.primary_key.columns),
    set_={"scopes": _remembered.excluded.scopes, "granted_at": _remembered.excluded.granted_at},
)
_code_kept = insert_if(codes, _answered).cte("kept")

_still_live = (grants.c.revoked_at + literal_column("0")).is_(None)  # as in `by_key`
# The grant is asked about by its own key, once and before: of a join the planner may make one over
# both tables. That it is this token's grant is a condition as well.
_superseded = (
    by_key(
        update(refresh_tokens)
        .values(superseded_at=NOW, successor_digest=_P("successor_digest"))
        .where(
            refresh_tokens.c.token_digest == _P("token_digest"),
            refresh_tokens.c.grant_id + literal_column("''") == _P("grant_id"),
            refresh_tokens.c.superseded_at.is_(None),
            refresh_tokens.c.expires_at > NOW,
        )
    )
    .where(exists(select(_one).where(grants.c.grant_id == _P("grant_id"), _still_live)))
    .returning(refresh_tokens.c.token_digest)
    .cte("won")
)

# The grant may have ended while its row was waited for: then there is no successor, and the spent
# token of an ended grant is nobody's loss. What follows hangs on this part, which also brings the
# client, so that its row is locked after the grant's.
_touched = (
    by_key(_DECIDE["touch_grant"])
    .where(any_of(_superseded), _still_live)
    .returning(grants.c.client_id)
    .cte("touched")
)
_stamp_of_touched = (
    update(clients)
    .values(last_used_at=NOW)
    .where(
        clients.c.client_id == select(_touched.c.client_id).scalar_subquery(),
        or_(clients.c.last_used_at.is_(None), clients.c.last_used_at <= _P("day_ago")),
    )
)
_begun = (
    insert_if(grants, _spent).cte("begun"),
    _follow("stamp_client", _spent).cte("stamped"),
)

_why = _BY_KEY["why_not_redeemed"].cte("why")  # type: ignore[attr-defined]
_replayed = _why.c.redeemed_at.is_not(None)
_ended_by_replay = (
    update(grants)
    .values(revoked_at=NOW, revoked_reason=_P("reason"))
    .where(
        grants.c.grant_id == select(_why.c.grant_id).where(_replayed).scalar_subquery(),
        _still_live,
    )
)

_STEPS: dict[str, ClauseElement] = {
    "register_client_told": told(literal_column("true")).add_cte(
        insert_if(clients, literal_column("true")).cte("kept")
    ),
    "approve_told": told(_answered).add_cte(_code_kept),
    "approve_and_remember_told": told(_answered).add_cte(_code_kept, _remembered.cte("remembered")),
    "deny_told": told(_answered),
    # With its end: an answer may have been taken back meanwhile, and then there is one to be given.
    "why_not_answered_by": select(
        authorization_requests.c.answered_at, authorization_requests.c.expires_at
    ).where(authorization_requests.c.request_digest == _P("request_digest")),
    "reopen_login_told": told(decide("reopen_login", authorization_requests.c.request_digest)),
    "redeem_code_told": told(_spent).add_cte(*_begun),
    "redeem_code_for_refresh_told": told(_spent).add_cte(
        *_begun, insert_if(refresh_tokens, _spent).cte("given")
    ),
    # What the loser of a redemption looks at; a replay ends the grant by the same statement.
    "why_not_redeemed_told": select(_why).add_cte(
        _ended_by_replay.cte("ended"),
        insert_if(audit_events, exists(select(_one).select_from(_why).where(_replayed)), "id").cte(
            "told"
        ),
    ),
    "rotate_told": told(_touched).add_cte(
        insert_if(refresh_tokens, _touched).cte("given"), _stamp_of_touched.cte("stamped")
    ),
    "end_grant_told": told(decide("end_grant", grants.c.grant_id)),
    "end_replayed_grant_told": told(decide("end_replayed_grant", grants.c.grant_id)),
    "close_session_told": told(decide("delete_session", sessions.c.session_digest)),
    "add_account_told": told(
        postgresql.insert(accounts)
        .values(row_of(accounts))
        .on_conflict_do_nothing(index_elements=[accounts.c.email_key])
        .returning(accounts.c.sub)
        .cte("won")
    ),
}


def joined() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _STEPS
