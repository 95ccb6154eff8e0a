"""An index by which kept sessions of people who never came back are found and swept.

One index more, and a comment: a server of the version before works on as it did, hence
`since_0006`. PostgreSQL lets nobody write to the table while it is made, a second for a million
sessions; that is bearable for rows that are written once an hour and person, and CONCURRENTLY would
take the index out of the one transaction in which a migration happens or does not.
"""

from alembic import op

revision = "0007_since_0006"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("kept_sessions_by_time", "kept_sessions", ["kept_at"])
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column(
            "links",
            "how",
            comment="by which rule they were matched: completed, identity or email; or operator",
        )
