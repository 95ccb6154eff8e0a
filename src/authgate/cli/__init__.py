"""The command line: one module a command, and this one, which hangs them on one tree.

For operators and for `make demo`. Nothing here decides anything about OAuth: commands get their
parts from `app`, as the server does, and obey the same settings. Everything heavy (the server, the
rich tables, the MCP client) is imported inside the command that needs it, so that `authgate serve`
starts fast and `authgate --help` answers at once. Neighbours: `app` below, `server` above.

Exit codes, the same everywhere: 0 done; 1 refused, not found or not possible now; 2 the command
line or the settings are wrong (nothing was done).
"""

from __future__ import annotations

from typing import Annotated

import typer

from authgate import __version__
from authgate.cli import clients, demo, keys, migrate, people, serve

_HELP = {"help_option_names": ["-h", "--help"]}
_EXIT_CODES = "Exit codes: 0 done; 1 refused, not found or not possible; 2 wrong usage or settings."


def _tree() -> typer.Typer:
    # No pretty exceptions: they would print the values of local variables, secrets among them.
    tree = typer.Typer(
        name="authgate",
        help="A self-hosted OAuth 2.1 authorization server for MCP servers.",
        epilog=_EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )
    tree.callback()(_options)
    tree.command("serve")(serve.serve)
    tree.command("demo")(demo.demo)
    tree.add_typer(people.commands, name="people")
    tree.add_typer(clients.commands, name="clients")
    tree.add_typer(keys.commands, name="keys")
    tree.command("migrate")(migrate.migrate)
    return tree


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"authgate {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options of `authgate` itself; the callback does the work."""


def main() -> None:
    """The `authgate` command."""
    _tree()(prog_name="authgate")


def serve_main() -> None:
    """`python -m authgate.server`: the serve command alone, with the same options."""
    alone = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings=_HELP
    )
    alone.command(epilog=_EXIT_CODES)(serve.serve)
    alone(prog_name="python -m authgate.server")


__all__ = ["main", "serve_main"]
