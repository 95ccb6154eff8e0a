"""What PostgreSQL runs where a person or a client is sent away, and about a person's sessions.

The same rules hold as in `statements_joined`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ClauseElement,
    ColumnElement,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql

from authgate.store import statements, statements_people, statements_social
from authgate.store.schema import (
    accounts,
    audit_events,
    bars,
    clients,
    consents,
    kept_sessions,
    sessions,
)
from authgate.store.statements import NOW
from authgate.store.statements_joined import any_of, decide, insert_if, told

_P = bindparam
_one: ColumnElement[int] = literal_column("1")
_PLAIN: dict[str, Any] = {
    **statements.named(),
    **statements.positional(postgresql.insert),
    **statements_social.positional(),
}

# --- many rows, in the order of their keys ----------------------------------------------------


def _in_order(name: str, *conditions: ColumnElement[bool]) -> Any:
    """A bulk statement that locks its rows in the order of their key before it changes one.

    Two of them over the same rows then wait for each other and never both. A row that was waited
    for is looked at again, as it is now.
    """
    bulk: Any = _PLAIN[name]
    (key,) = bulk.table.primary_key.columns
    locked = select(key).where(bulk.whereclause, *conditions).order_by(key).with_for_update()
    return bulk.where(key == any_(func.array(locked.scalar_subquery())))


_this_client = exists(select(_one).where(clients.c.client_id == _P("client_id")))
_this_account = exists(select(_one).where(accounts.c.sub == _P("sub")))
_gone = decide("delete_client", clients.c.client_id)
_forgotten = delete(consents).where(consents.c.client_id.in_(select(_gone.c.client_id)))


def _bar_if(*conditions: ColumnElement[bool]) -> Any:
    given = {"sub": _P("sub"), "reason": _P("reason"), "barred_at": NOW}
    row = select(*(cast(given[c.name], c.type) for c in bars.columns))
    return (
        postgresql.insert(bars)
        .from_select(list(given), row.where(*conditions))
        .on_conflict_do_nothing(index_elements=list(bars.primary_key))
    )


# Sending a person or a client away. Codes first: whoever is redeeming one is waited for, and the
# grant that began is seen by the statement after, which has a snapshot of its own; whoever comes
# later waits for us and finds the code expired.
_SEND_AWAY: dict[str, ClauseElement] = {
    "expire_codes_of_sub_in_order": _in_order("expire_codes_of_sub"),
    "end_grants_of_sub_in_order": _in_order("end_grants_of_sub"),
    "bar_sent_away": _bar_if(),
    "expire_codes_of_known_client": _in_order("expire_codes_of_client", _this_client),
    "end_grants_of_known_client": _in_order("end_grants_of_client", _this_client),
    "remove_client_told": told(_gone).add_cte(_forgotten.cte("forgotten")),
    "expire_codes_of_account": _in_order("expire_codes_of_sub", _this_account),
    "end_grants_of_account": _in_order("end_grants_of_sub", _this_account),
    "delete_sessions_of_account": _in_order("delete_sessions_of", _this_account),
    "delete_transactions_of_account": _in_order("delete_transactions_of", _this_account),
    "bar_account": _bar_if(_this_account),
    "delete_consents_of_account": _PLAIN["delete_consents_of_sub"].where(_this_account),
    "delete_kept_session_of_account": delete(kept_sessions).where(
        kept_sessions.c.sub == _P("sub"), _this_account
    ),
}

# --- a person's sessions and account ----------------------------------------------------------

_lifted: Any = statements_people.named()["lift_bar"]
_closed = _in_order("delete_sessions_of").returning(sessions.c.session_digest).cte("closed")
_closed_by = (
    _in_order("delete_sessions_begun_by").returning(sessions.c.session_digest).cte("closed")
)


def _count_told(closed: CTE) -> Any:
    row = insert_if(audit_events, any_of(closed), "id").cte("told")
    return select(func.count()).select_from(closed).add_cte(row)


_PEOPLE: dict[str, ClauseElement] = {
    # Whoever opens a session, bars, or closes and ends what a person has, comes one after another:
    # a session that is being opened cannot be seen by the bar that should close it, nor the other
    # way round. Held to the end of the transaction, so it is good through a pooler.
    "lock_person": select(func.pg_advisory_xact_lock(_P("person", type_=BigInteger()))),
    "open_session_told": told(
        insert_if(
            sessions,
            ~exists(
                select(_one).where(bars.c.sub == _P("sub"), bars.c.barred_at >= _P("asked_at"))
            ),
        )
        .returning(sessions.c.session_digest)
        .cte("won")
    ).add_cte(_lifted.cte("lifted")),
    "close_sessions_of_told": _count_told(_closed),
    "close_sessions_begun_by_told": _count_told(_closed_by),
    "disable_account_told": told(decide("disable_account", accounts.c.sub)),
    "set_account_password_told": told(decide("set_account_password", accounts.c.sub)),
    "remove_account_told": told(decide("delete_account", accounts.c.sub)),
}


def joined() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _SEND_AWAY | _PEOPLE
