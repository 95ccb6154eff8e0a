"""The schema's history (Alembic), carried inside the package: no alembic.ini, no command line.

An engine compares the database's revision with `HEAD` itself and calls `upgrade` only when they
differ, so that Alembic is imported on the first start and after an update, and never else. The
caller holds the engine's lock and the transaction: a migration happens whole, once, or not at all.
A revision is named `NNNN_since_MMMM` when programs that know MMMM can work on it (`revisions`).
Revisions are frozen: they never import `schema`, which moves on. A test holds `HEAD` and `schema`
to what the revisions make.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

HEAD = "0007_since_0006"


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def steps_from(revision: str | None) -> tuple[str, ...]:
    """The revisions that bring a schema of that one (None: an empty place) to HEAD, in order."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    steps = [script.revision for script in scripts.iterate_revisions(HEAD, revision or "base")]
    return tuple(reversed(steps))


def upgrade(connection: Connection) -> None:
    """Bring the schema to HEAD in the transaction that `connection` is in; the caller commits."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
