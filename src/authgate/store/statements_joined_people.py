"""What PostgreSQL runs as one statement about people, provider sign-ins, API keys and signing keys.

As in `statements_joined`, whose rules and order of locks hold here too: the deciding statement is
the first part, the event is told with the rows that it returned, and the number of rows told says
whether it was won.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ClauseElement,
    ColumnElement,
    cast,
    delete,
    extract,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql

from authgate.store import (
    statements,
    statements_people,
    statements_rollout,
    statements_social,
    statements_upkeep,
)
from authgate.store.schema import (
    api_keys,
    bars,
    kept_sessions,
    links,
    sessions,
    signing_keys,
    social_transactions,
)
from authgate.store.statements_joined import any_of, insert_if, row_of, told

_EXPRESSIONS: dict[str, Any] = {
    **statements.named(),
    **statements_people.positional(postgresql.insert),
    **statements_people.named(),
    **statements_rollout.named(),
    **statements_social.named(),
    **statements_upkeep.named(),
}


def _won(name: str, *returned: ColumnElement[Any]) -> CTE:
    decides: CTE = _EXPRESSIONS[name].returning(*returned).cte("won")
    return decides


_linked = _won("insert_link", links.c.workos_id)
_unlinked = _EXPRESSIONS["delete_link"].cte("won")
_barred = _won("insert_bar", bars.c.sub)
_keep = postgresql.insert(kept_sessions).values(row_of(kept_sessions))
_superseded = _won("supersede_signing_key", signing_keys.c.kid)
_revoked = _won("revoke_signing_key", signing_keys.c.kid)
# Not the one that has just been revoked: a statement must not change a row twice.
_others_retired = _EXPRESSIONS["retire_signing_keys"].where(
    any_of(_revoked), signing_keys.c.kid != select(_revoked.c.kid).scalar_subquery()
)

_JOINED: dict[str, ClauseElement] = {
    "link_told": told(_linked),
    "unlink_told": select(_unlinked).add_cte(told(_unlinked).cte("told")),
    # Sent behind the lock of the person, so that a session is either seen here or refused there.
    "bar_told": told(_barred).add_cte(
        delete(sessions)
        .where(sessions.c.sub == select(_barred.c.sub).scalar_subquery())
        .cte("closed")
    ),
    # Held until the newer one is in its place: whoever refreshes it meanwhile would lose what the
    # directory has just given them.
    "kept_session_held": _EXPRESSIONS["kept_session"].with_for_update(),
    "keep_session": _keep.on_conflict_do_update(
        index_elements=list(kept_sessions.primary_key),
        set_={
            "sealed": _keep.excluded.sealed,
            "version": kept_sessions.c.version + literal_column("1"),
            "kept_at": _keep.excluded.kept_at,
            "held_until": _keep.excluded.held_until,
        },
    ),
    "issue_hand_over_told": told(_won("issue_hand_over", social_transactions.c.transaction_digest)),
    "revoke_api_key_told": told(_won("revoke_api_key", api_keys.c.key_id)),
    # Keys change a few times a year, and the rules are about all of them at once: which one signs,
    # and whether there is one at all. So whoever changes them does it alone.
    "lock_signing_keys": select(
        func.pg_advisory_xact_lock(literal_column("7310201"), literal_column("2"))
    ),
    # In milliseconds: a whole number, as all times here are.
    "clock": select(
        cast(
            func.floor(extract("epoch", func.clock_timestamp()) * literal_column("1000")),
            BigInteger,
        )
    ),
    # What the server would do with a write now: on a standby it is read-only, whatever was set.
    "writable": select(func.current_setting(literal_column("'transaction_read_only'"))),
    "supersede_signing_key_told": told(_superseded).add_cte(
        insert_if(signing_keys, _superseded).cte("kept")
    ),
    "revoke_signing_key_told": told(_revoked),
    "replace_signing_key_told": told(_revoked).add_cte(
        _others_retired.cte("retired"), insert_if(signing_keys, _revoked).cte("kept")
    ),
}


def joined() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _JOINED
