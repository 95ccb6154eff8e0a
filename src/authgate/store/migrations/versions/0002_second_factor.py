"""A second factor that is due, in the row of its authorization request.

Only columns that may be empty and a partial index: a server of the version before goes on working
on this schema while the workers are replaced one by one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column(
            "factor_kind",
            sa.Text(),
            nullable=True,
            comment="the second factor that is due: totp or phone",
        ),
        sa.Column("factor_hint", sa.Text(), nullable=True, comment="what the page may show of it"),
        sa.Column(
            "factor_sealed",
            sa.Text(),
            nullable=True,
            comment="the sign-in between its two factors, encrypted",
        ),
        sa.Column(
            "factor_expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when the password is due again",
        ),
        sa.Column(
            "factor_failures",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="wrong codes so far",
        ),
    ):
        op.add_column("authorization_requests", column)
    op.create_index(
        "authorization_requests_by_factor_end",
        "authorization_requests",
        ["factor_expires_at"],
        unique=False,
        sqlite_where=sa.text("factor_expires_at IS NOT NULL"),
        postgresql_where=sa.text("factor_expires_at IS NOT NULL"),
    )
