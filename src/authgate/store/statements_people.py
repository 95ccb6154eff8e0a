"""The statements about people whom another service knows too; the rest are in `statements`.

Links, bars, told events and sessions kept at a directory. What happens at most once is decided by
the key: the insert that finds it taken changes nothing, and the number of rows says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Select,
    Table,
    bindparam,
    delete,
    literal_column,
    select,
    update,
)

from authgate.store.schema import bars, kept_sessions, links, seen_events
from authgate.store.statements import NOW, insert_row

_P = bindparam
_kept = kept_sessions.c
_THIS_VERSION = (_kept.sub == _P("sub"), _kept.version == _P("version"))


def _where(of: Table, key: ColumnElement[bool]) -> Select[Any]:
    return select(*of.columns).where(key)


_this_link = links.c.workos_id == _P("workos_id")
_their_bar = bars.c.sub == _P("sub")
_their_session = _kept.sub == _P("sub")

_BY_KEY: dict[str, ClauseElement] = {
    "link_of": _where(links, _this_link),
    "links_to": _where(links, links.c.sub == _P("sub")).order_by(
        links.c.linked_at, links.c.workos_id
    ),
    "delete_link": delete(links).where(_this_link).returning(*links.columns),
    "bar_of": _where(bars, _their_bar),
    "event": _where(seen_events, seen_events.c.event_id == _P("event_id")),
    "kept_session": _where(kept_sessions, _their_session),
    # Of two who keep a newer one at once, each is told of another that is no longer kept.
    "delete_kept_session": delete(kept_sessions)
    .where(_their_session)
    .returning(*kept_sessions.columns),
    "insert_kept_session": insert_row(kept_sessions),
}

_DECIDE: dict[str, ClauseElement] = {
    "lift_bar": delete(bars).where(_their_bar, bars.c.barred_at < _P("asked_at")),
    "hold_kept_session": update(kept_sessions)
    .values(held_until=_P("until"))
    .where(*_THIS_VERSION, _kept.held_until <= NOW),
    "replace_kept_session": update(kept_sessions)
    .values(
        sealed=_P("sealed"),
        version=_kept.version + literal_column("1"),
        kept_at=NOW,
        held_until=literal_column("0"),
    )
    .where(*_THIS_VERSION),
    "drop_kept_session": delete(kept_sessions).where(*_THIS_VERSION),
}


def positional(insert: Callable[[Table], Any]) -> dict[str, ClauseElement]:
    """Statements that take a tuple: a row in column order, or one key."""

    def unless_there(of: Table) -> ClauseElement:
        row = insert(of).values({c.name: _P(c.name) for c in of.columns})
        kept: ClauseElement = row.on_conflict_do_nothing(index_elements=list(of.primary_key))
        return kept

    return _BY_KEY | {
        "insert_link": unless_there(links),
        "insert_bar": unless_there(bars),
        "insert_event": unless_there(seen_events),
    }


def named() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _DECIDE
