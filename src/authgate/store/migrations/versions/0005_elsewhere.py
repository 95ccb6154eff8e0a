"""People whom another service knows too: links, bars, told events and kept sessions.

Tables of their own, and one column that may be empty: a server of the version before goes on
working on this schema while the workers are replaced one by one. It neither bars nor lifts a bar.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(name: str, comment: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _number(name: str, comment: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=False, comment=comment)


def upgrade() -> None:
    op.add_column(
        "authorization_requests",
        sa.Column(
            "external",
            sa.Text(),
            nullable=True,
            comment="the asking server's own name for a login, encrypted",
        ),
    )
    op.create_table(
        "links",
        _text("workos_id", "the WorkOS user"),
        _text("sub", "the person that user is; several users may be one person"),
        _text("how", "by which rule they were matched: completed, identity or email"),
        _number("linked_at", "when"),
        sa.PrimaryKeyConstraint("workos_id"),
        comment="which person a WorkOS user is",
        sqlite_strict=True,
    )
    op.create_index("links_by_sub", "links", ["sub", "linked_at"], unique=False)
    op.create_table(
        "bars",
        _text("sub", "the person from whom nothing issued elsewhere is taken"),
        _text("reason", "why"),
        _number("barred_at", "since when"),
        sa.PrimaryKeyConstraint("sub"),
        comment="people who have to sign in anew before tokens that we did not issue are taken "
        "again",
        sqlite_strict=True,
    )
    op.create_table(
        "seen_events",
        _text("event_id", "the teller's identifier of the event"),
        _number("seen_at", "when it was told first"),
        sa.PrimaryKeyConstraint("event_id"),
        comment="events that other services told, kept to know a repetition",
        sqlite_strict=True,
    )
    op.create_index("seen_events_by_time", "seen_events", ["seen_at"], unique=False)
    op.create_table(
        "kept_sessions",
        _text("sub", "the person whose session it is"),
        _text("sealed", "the session at their directory, encrypted"),
        _number("version", "names one state of the row, never another"),
        _number("kept_at", "when it was kept or refreshed"),
        _number("held_until", "until when one holder alone may refresh it; 0: nobody"),
        sa.PrimaryKeyConstraint("sub"),
        comment="sessions of people at their directory, to ask there whether they are still good",
        sqlite_strict=True,
    )
