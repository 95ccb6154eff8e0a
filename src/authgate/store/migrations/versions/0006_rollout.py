"""Static API keys, and counts of who still calls with what.

Tables of their own: a server of the version before neither reads nor writes them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _text(name: str, comment: str, *, optional: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=optional, comment=comment)


def _number(name: str, comment: str, *, optional: bool = False) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, nullable=optional, comment=comment)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        _text("key_digest", "SHA-256 of the API key"),
        _text("key_id", "public identifier, by which it is listed and revoked"),
        _text("name", "what the operator calls it; need not be unique"),
        _text("sub", "the operator's name for whoever calls with it", optional=True),
        _text("scopes", "scopes it stands for, space-separated"),
        _number("created_at", "when it was made"),
        _number("expires_at", "when it stops working; empty: never", optional=True),
        _number("revoked_at", "when it was revoked; set once", optional=True),
        _number("last_used_at", "last call with it, to the day", optional=True),
        sa.PrimaryKeyConstraint("key_digest"),
        comment="static API keys that an operator gave out",
        sqlite_strict=True,
    )
    op.create_index("api_keys_by_id", "api_keys", ["key_id"], unique=True)
    op.create_table(
        "usage_counts",
        _number("day", "days since the epoch"),
        _text("kind", "the kind of credential that came, none among them"),
        _text("client", "the client, or the name of the API key; empty if nobody said"),
        _number("calls", "how many calls came so"),
        _number("would_refuse", "how many of them would be refused if OAuth were required"),
        sa.PrimaryKeyConstraint("day", "kind", "client"),
        comment="who still calls with what, counted by day",
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
