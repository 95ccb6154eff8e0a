"""Rows as the joined statements take them: a value for each name, and the table in the name.

`rows` makes the values; the names come from the kept text itself, so that neither can drift.
"""

from __future__ import annotations

from typing import Any

from authgate.protocol.records import AuditEvent
from authgate.store import postgres_sql as sql
from authgate.store import rows


def columns(table: str, statement: str) -> tuple[str, ...]:
    """The parameters of a whole row of this table in this statement, in the order of columns."""
    return tuple(name for name in sql.ORDER[statement] if name.startswith(f"{table}_"))


_AUDIT = columns("audit_events", sql.DENY_TOLD)


def audited(audit: AuditEvent) -> dict[str, Any]:
    """What every statement that tells of itself takes; the step adds the rest."""
    return dict(zip(_AUDIT, rows.audit_row(audit), strict=True))
