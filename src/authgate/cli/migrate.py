"""`authgate migrate`: make the store, or bring it up to this version, and nothing else.

Every other command does the same before its own work; this one is for those who want it as a step
of its own, before a roll-out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from authgate.cli.common import print_json, with_core
from authgate.cli.options import AsJson, EnvFile

if TYPE_CHECKING:
    from authgate.app import Core


def migrate(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Create the store, or migrate it to this version.

    \b
    Example:
      authgate migrate
    """

    async def work(core: Core) -> tuple[str, str]:
        from authgate.store.migrations import HEAD

        return str(core.settings.sqlite_path), HEAD  # the store is open, so it is at HEAD

    path, revision = with_core(env_file, work)
    if as_json:
        print_json({"store": path, "revision": revision})
    else:
        typer.echo(f"The store {path} is at revision {revision}, as this version needs it.")
