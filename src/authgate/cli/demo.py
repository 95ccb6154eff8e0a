"""`authgate demo`: a server of its own, a person, and the whole flow with a real MCP client.

It touches nothing of this machine: own data folder, own port, own person, all gone at the end. The
client side (`demo_walk`, with the MCP SDK) is imported once the server is up.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from authgate.cli.common import REFUSED
from authgate.cli.options import EnvFile, PasswordStdin

if TYPE_CHECKING:
    from rich.console import Console

    from authgate.cli.demo_server import DemoServer
    from authgate.cli.demo_trail import Trail


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the walk, even on a terminal.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the demo's server; 0 takes a free one.")
    ] = 0,
    person: Annotated[
        str | None,
        typer.Option("--as", metavar="EMAIL", help="Sign in as this person of your Supabase."),
    ] = None,
    password_stdin: PasswordStdin = False,
    env_file: EnvFile = None,
) -> None:
    """Start a server and walk the whole flow with the official MCP client.

    On a terminal it then stays up for your own MCP client, until Ctrl-C. With --as nobody is added:
    the Supabase project of the settings is asked for the person.

    \b
    Examples:
      authgate demo
      authgate demo --once
      authgate demo --as ada@example.com
    """
    from rich.console import Console

    from authgate.cli.demo_guest import invite
    from authgate.cli.demo_server import DemoFailed, DemoServer, stop_on_signals

    guest = invite(person, env_file, from_stdin=password_stdin) if person else None
    stop_on_signals()
    console = Console(highlight=False)
    stays = sys.stdout.isatty() and not once
    try:
        with DemoServer(port, guest) as server:
            try:
                _show(console, server)
                if stays:
                    _stay(console, server)
            except DemoFailed as failure:
                typer.echo(f"\nThe server's last lines:\n{server.log()}", err=True)
                raise failure from None
    except DemoFailed as failure:
        typer.echo(f"authgate demo failed: {failure}", err=True)
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        typer.echo("\nThe demo has ended; nothing is left of it.", err=True)


def _show(console: Console, server: DemoServer) -> None:
    import time
    from importlib.metadata import version

    from authgate.cli.demo_trail import Trail

    console.print(
        f"authgate demo, with the official MCP client (mcp {version('mcp')})", style="bold"
    )
    console.print(f"    server   {server.url}, up after {server.seconds:.2f} s")
    console.print(f"    person   {server.email}, {server.introduce()}", markup=False)
    began = time.perf_counter()
    trail = Trail(console)
    _walk(server, trail)
    console.print(
        f"\nDone: {len(trail.seen)} steps, each as it must be, "
        f"in {time.perf_counter() - began:.2f} s.",
        style="bold green",
    )


def _walk(server: DemoServer, trail: Trail) -> None:
    """Run the walk; whatever the client says went wrong, our own finding comes first."""
    from authgate.cli.demo_server import DemoFailed
    from authgate.cli.demo_walk import walk

    # The client logs its errors with a traceback; the one sentence below is what helps.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    try:
        asyncio.run(walk(server, trail))
    except DemoFailed:
        raise
    except Exception as error:  # the SDK's errors, in groups and of many kinds
        raise DemoFailed(trail.problem or _innermost(error)) from error


def _innermost(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _stay(console: Console, server: DemoServer) -> None:
    from authgate.cli.demo_server import DemoFailed

    facts = (
        ("MCP URL for your client", server.mcp_url),
        ("sign in as", server.email),
        ("password", server.password if server.guest is None else "(as at Supabase)"),
    )
    console.print("\nStill running. Try it with your own MCP client; Ctrl-C ends it.", style="bold")
    for name, value in facts:
        console.print(f"    {name:<24} {value}", markup=False, soft_wrap=True)
    raise DemoFailed(f"the server ended by itself with exit code {server.wait()}.")
