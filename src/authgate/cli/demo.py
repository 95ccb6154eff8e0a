"""`authgate demo`: a server of its own, a person, and the whole flow with a real MCP client.

It touches nothing of this machine: own data folder, own port, own person, all gone at the end. The
client side (`demo_walk`, with the MCP SDK) is imported once the server is up.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from authgate.cli.common import REFUSED, USAGE, fail
from authgate.cli.options import EnvFile, PasswordStdin

if TYPE_CHECKING:
    from rich.console import Console

    from authgate.cli.demo_authkit import AuthKit
    from authgate.cli.demo_guest import Guest
    from authgate.cli.demo_server import DemoServer
    from authgate.cli.demo_trail import Trail

# Spelled out, because the options are read before anything heavier is imported.
ByProvider = Literal["github", "google"]


def demo(  # noqa: PLR0913, PLR0917 (each is an option)
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
    provider: Annotated[
        ByProvider | None,
        typer.Option(
            "--with",
            help="With --as: sign in by this provider instead of a password. It takes a project "
            "whose provider a script may visit; the real ones want a person's browser.",
        ),
    ] = None,
    authkit: Annotated[
        bool,
        typer.Option(
            "--authkit",
            help="The AuthKit of the settings issues the tokens. It has to be a stand-in on this "
            "machine; for a real one the demo says what to do with a browser.",
        ),
    ] = False,
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
      authgate demo --as ada@example.com --with github
    """
    from rich.console import Console

    from authgate.cli.demo_server import DemoFailed, DemoServer, stop_on_signals

    issuer = _issuer(env_file, port) if authkit else None
    guest = _guest(person, provider, env_file, from_stdin=password_stdin)
    stop_on_signals()
    console = Console(highlight=False)
    stays = sys.stdout.isatty() and not once
    try:
        with DemoServer(port, guest, issuer) as server:
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


def _issuer(env_file: Path | None, port: int) -> AuthKit:
    from authgate.cli.demo_authkit import authkit

    return authkit(env_file, port)


def _guest(
    email: str | None, provider: ByProvider | None, env_file: Path | None, *, from_stdin: bool
) -> Guest | None:
    """Who walks, if it is somebody of a project."""
    if provider is not None and (email is None or from_stdin):
        fail(
            "--with goes with --as EMAIL, and without --password-stdin: no password is typed.",
            USAGE,
        )
    if email is None:
        return None
    from authgate.cli.demo_guest import invite, invite_by

    if provider is not None:
        return invite_by(provider, email, env_file)
    return invite(email, env_file, from_stdin=from_stdin)


def _show(console: Console, server: DemoServer) -> None:
    import time
    from importlib.metadata import version

    from authgate.cli.demo_steps import BUILTIN, at_authkit
    from authgate.cli.demo_trail import Trail

    console.print(
        f"authgate demo, with the official MCP client (mcp {version('mcp')})", style="bold"
    )
    console.print(f"    server   {server.url}, up after {server.seconds:.2f} s")
    console.print(f"    person   {server.email}, {server.introduce()}", markup=False)
    plan = BUILTIN
    if server.authkit is not None:
        console.print(f"    tokens   of {server.issuer}, which is AuthKit here")
        plan = at_authkit(server.issuer, own_people=server.guest is None)
    began = time.perf_counter()
    trail = Trail(console, plan)
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
    from authgate.cli.demo_visitor import VisitorLost

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, VisitorLost):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _stay(console: Console, server: DemoServer) -> None:
    from authgate.cli.demo_server import DemoFailed

    proof = ("password", "(as at Supabase)")
    if server.guest is None:
        proof = ("password", server.password)
    elif server.guest.provider is not None:
        proof = ("with", server.guest.provider.label)
    facts = (("MCP URL for your client", server.mcp_url), ("sign in as", server.email), proof)
    console.print("\nStill running. Try it with your own MCP client; Ctrl-C ends it.", style="bold")
    for name, value in facts:
        console.print(f"    {name:<24} {value}", markup=False, soft_wrap=True)
    raise DemoFailed(f"the server ended by itself with exit code {server.wait()}.")
