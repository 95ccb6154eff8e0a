"""The statements that replace and revoke signing keys, and those that read the trail in its order.

The rest are in `statements`.
"""

from __future__ import annotations

from sqlalchemy import ClauseElement, bindparam, func, or_, select, update

from authgate.store.schema import audit_events, signing_keys
from authgate.store.statements import NOW, first

_P = bindparam
_key = signing_keys.c
_event = audit_events.c

_NAMED: dict[str, ClauseElement] = {
    # The deciding statement of a rotation on schedule: whoever comes second finds an end there.
    "supersede_signing_key": update(signing_keys)
    .values(retires_at=_P("retires_at"))
    .where(_key.kid == _P("kid"), _key.retires_at.is_(None)),
    "revoke_signing_key": update(signing_keys)
    .values(retires_at=NOW)
    .where(_key.kid == _P("kid"), or_(_key.retires_at.is_(None), _key.retires_at > NOW)),
    # By number, so that a page begins where the one before ended, whatever the clock did.
    "audit_after": first(
        select(*(c for c in audit_events.columns if c.name != "id"), _event.id)
        .where(_event.id > _P("number"), _event.at >= _P("since"), _event.at < _P("until"))
        .order_by(_event.id),
        _P("limit"),
    ),
}


def positional() -> dict[str, ClauseElement]:
    """Statements that take nothing."""
    return {"last_audit_number": select(func.max(_event.id))}


def named() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return _NAMED
