"""`authgate migrate`: make the store, or bring it up to this version, and nothing else.

Every other command does the same before its own work; this one is for those who want it as a step
of its own, before a roll-out. With `--check` it only says whether there is anything to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authgate.cli.common import REFUSED, load_settings, print_json, run_or_fail, with_core
from authgate.cli.options import AsJson, EnvFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from authgate.app import Core

Check = Annotated[
    bool, typer.Option("--check", help="Change nothing; exit with 1 if there is anything to do.")
]


def migrate(check: Check = False, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Create the store, or migrate it to this version.

    \b
    Examples:
      authgate migrate
      authgate migrate --check
    """
    from authgate.store.migrations import HEAD

    if check:
        _check(as_json, env_file, HEAD)
        return

    async def work(core: Core) -> str:
        return core.settings.store_name

    name = with_core(env_file, work)
    if as_json:
        # The store is open, so it is at HEAD, or at a newer one that this version may work on.
        print_json({"store": name, "revision": HEAD})
    else:
        typer.echo(f"The store {name} is at revision {HEAD}, as this version needs it.")


def _check(as_json: bool, env_file: Path | None, head: str) -> None:
    settings = load_settings(env_file)

    async def look() -> Sequence[str]:
        from authgate.app.core import store_of

        return await store_of(settings).pending()

    pending = run_or_fail(look, settings)
    name = settings.store_name
    if as_json:
        print_json({"store": name, "revision": head, "pending": list(pending)})
    elif pending:
        typer.echo(
            f"The store {name} is not at revision {head} yet. authgate migrate would run: "
            f"{', '.join(pending)}"
        )
    else:
        typer.echo(f"The store {name} is as this version needs it; there is nothing to do.")
    if pending:
        raise typer.Exit(REFUSED)
