"""What PostgreSQL runs as one statement about people, keys and provider sign-ins.

Data-modifying CTEs of the expressions in `statements_people`, `statements_social` and so on: the
statement that decides is the first, and the others take their rows from what it returned.
"""

from __future__ import annotations

from sqlalchemy import ClauseElement


def joined() -> dict[str, ClauseElement]:
    """Statements that take a mapping of names to values."""
    return {}
