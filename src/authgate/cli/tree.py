"""The tree of commands: every command's module hung on one Typer application.

A command's module is light: what it needs is imported when it runs. Never here: an option or a word
of a command.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from authgate import __version__
from authgate.cli import (
    api_keys,
    audit,
    clients,
    demo,
    doctor,
    keys,
    migrate,
    people,
    rollout,
    serve,
    store,
)

_HELP = {"help_option_names": ["-h", "--help"]}
_EXIT_CODES = "Exit codes: 0 done; 1 refused, not found or not possible; 2 wrong usage or settings."


def tree() -> typer.Typer:
    """Every command, ready to be called."""
    # No pretty exceptions: they would print the values of local variables, secrets among them.
    root = typer.Typer(
        name="authgate",
        help="A self-hosted OAuth 2.1 authorization server for MCP servers.",
        epilog=_EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_HELP,
    )
    root.callback()(_options)
    root.command("serve")(serve.serve)
    root.command("demo")(demo.demo)
    root.command("doctor")(doctor.doctor)
    root.add_typer(people.commands, name="people")
    root.add_typer(clients.commands, name="clients")
    root.add_typer(keys.commands, name="keys")
    root.add_typer(api_keys.commands, name="api-keys")
    root.add_typer(audit.commands, name="audit")
    root.command("rollout")(rollout.rollout)
    root.command("migrate")(migrate.migrate)
    root.add_typer(store.commands, name="store")
    return root


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
    """Before every command: a locale that lacks a character must not stop one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def main() -> None:
    """The `authgate` command."""
    tree()(prog_name="authgate")


def serve_main() -> None:
    """`python -m authgate.server`: the serve command alone, with the same options."""
    alone = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings=_HELP
    )
    alone.command(epilog=_EXIT_CODES)(serve.serve)
    alone(prog_name="python -m authgate.server")
