"""The statements of a rollout: static API keys, and the counts of who still uses what.

The rest are in `statements`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ClauseElement, Table, bindparam, or_, select, update

from authgate.store.schema import api_keys, usage_counts
from authgate.store.statements import NOW, insert_row

_P = bindparam
_key = api_keys.c
_count = usage_counts.c

_BY_KEY: dict[str, ClauseElement] = {
    "insert_api_key": insert_row(api_keys),
    "api_key": select(*api_keys.columns).where(_key.key_digest == _P("key_digest")),
    "api_keys": select(*api_keys.columns).order_by(_key.created_at, _key.key_id),
    "usage": select(*usage_counts.columns)
    .where(_count.day >= _P("since_day"))
    .order_by(_count.day, _count.kind, _count.client),
}

_DECIDE: dict[str, ClauseElement] = {
    "revoke_api_key": update(api_keys)
    .values(revoked_at=NOW)
    .where(_key.key_id == _P("key_id"), _key.revoked_at.is_(None)),
    # Of two workers the one that comes late must not take the day back.
    "touch_api_key": update(api_keys)
    .values(last_used_at=_P("used_at"))
    .where(
        _key.key_digest == _P("key_digest"),
        or_(_key.last_used_at.is_(None), _key.last_used_at < _P("used_at")),
    ),
}


def positional(insert: Callable[[Table], Any]) -> dict[str, ClauseElement]:
    """Statements that take a tuple: a row in column order, or one key, or nothing."""
    row = insert(usage_counts).values({c.name: _P(c.name) for c in usage_counts.columns})
    add: ClauseElement = row.on_conflict_do_update(
        index_elements=list(usage_counts.primary_key),
        set_={
            "calls": _count.calls + row.excluded.calls,
            "would_refuse": _count.would_refuse + row.excluded.would_refuse,
        },
    )
    return _BY_KEY | {"add_usage": add}


def named() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _DECIDE
