"""`authgate serve`: the options. The work is in `serving`, imported only when it is to be done."""

from __future__ import annotations

import gc
import os
from typing import Annotated

import typer

from authgate.cli.options import EnvFile


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Server processes that share the store.")
    ] = 1,
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Your MCP server, to stand before it (AUTHGATE_UPSTREAM)."
        ),
    ] = None,
    upstream_command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Your stdio MCP server, to stand before it (AUTHGATE_UPSTREAM_COMMAND).",
        ),
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Run the server until it is told to stop (Ctrl-C, SIGTERM).

    \b
    Examples:
      authgate serve
      authgate serve --upstream http://127.0.0.1:9000/mcp
      authgate serve --upstream-command "npx -y @modelcontextprotocol/server-everything stdio"
      authgate serve --port 9000 --workers 2
      authgate serve --host 0.0.0.0 --env-file /etc/authgate/env
    """
    # What importing makes stays for good: collecting meanwhile finds nothing and takes an eighth of
    # the start; collecting it again and again afterwards would be the same waste.
    gc.disable()
    from authgate.cli.serving import run

    gc.enable()
    gc.freeze()
    if upstream is not None:
        # The environment goes before the file, and it is what a worker's own reading sees too.
        os.environ["AUTHGATE_UPSTREAM"] = upstream
    if upstream_command is not None:
        os.environ["AUTHGATE_UPSTREAM_COMMAND"] = upstream_command
    run(host, port, workers, env_file)
