"""When a person's directory last stood by them, in the row of their grant.

A column that may be empty: a server of the version before goes on working on this schema while the
workers are replaced one by one, and a grant that it begins or refreshes counts from its beginning.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "grants",
        sa.Column(
            "vouched_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when the directory last stood by the person",
        ),
    )
