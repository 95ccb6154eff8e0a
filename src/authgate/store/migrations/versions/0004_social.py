"""Sign-ins under way at a provider, and the one-time codes that tools were handed over.

A table of its own: a server of the version before neither reads nor writes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "social_transactions",
        sa.Column(
            "transaction_digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the name that comes back from the provider",
        ),
        sa.Column(
            "provider",
            sa.Text(),
            nullable=False,
            comment="github or google",
        ),
        sa.Column(
            "request_digest",
            sa.Text(),
            nullable=False,
            comment="the authorization request or challenge it is for",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="browser or tool: what kind of request that is",
        ),
        sa.Column(
            "browser_digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the cookie of the browser that was sent away",
        ),
        sa.Column(
            "sealed",
            sa.Text(),
            nullable=False,
            comment="what the way back needs, encrypted",
        ),
        sa.Column(
            "created_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when the browser was sent away",
        ),
        sa.Column(
            "expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when it may no longer come back",
        ),
        sa.Column(
            "used_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when it came back; set once",
        ),
        sa.Column(
            "sub",
            sa.Text(),
            nullable=True,
            comment="the person: the home directory's own identifier, never an e-mail address",
        ),
        sa.Column(
            "directory",
            sa.Text(),
            nullable=True,
            comment="the directory that vouched for the person",
        ),
        sa.Column(
            "display",
            sa.Text(),
            nullable=True,
            comment="what a page may show for the person; recognises nobody",
        ),
        sa.Column(
            "methods",
            sa.Text(),
            nullable=True,
            comment="how the person proved who they are, space-separated",
        ),
        sa.Column(
            "assurance",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="how many independent factors that was",
        ),
        sa.Column(
            "factor_kind",
            sa.Text(),
            nullable=True,
            comment="the second factor still due: totp or phone",
        ),
        sa.Column(
            "factor_hint",
            sa.Text(),
            nullable=True,
            comment="what may be shown of it",
        ),
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
            comment="when the sign-in has to begin again",
        ),
        sa.Column(
            "handed_over_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when a tool was given its one-time code; set once",
        ),
        sa.Column(
            "code_digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of that oauth_code",
        ),
        sa.Column(
            "code_expires_at",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="when that code stops working",
        ),
        sa.PrimaryKeyConstraint("transaction_digest"),
        comment="sign-ins under way at GitHub or Google, and what tools were handed over of them",
        sqlite_strict=True,
    )
    op.create_index(
        "social_transactions_by_end", "social_transactions", ["expires_at"], unique=False
    )
    for name, column in (
        ("social_transactions_by_code", "code_digest"),
        ("social_transactions_by_sub", "sub"),
    ):
        op.create_index(
            name,
            "social_transactions",
            [column],
            unique=False,
            sqlite_where=sa.text(f"{column} IS NOT NULL"),
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )
