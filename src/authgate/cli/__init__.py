"""The command line: one module a command, `tree` to hang them on, `common` for what all of them do.

For operators and for `make demo`. Nothing here decides anything about OAuth: commands get their
parts from `app`, as the server does, and obey the same settings. Everything heavy (the server, the
rich tables, the MCP client) is imported inside the command that needs it, so that `authgate serve`
starts fast and `authgate --help` answers at once. Neighbours: `app` below, `server` above.

Exit codes, the same everywhere: 0 done; 1 refused, not found or not possible now; 2 the command
line or the settings are wrong, and nothing was done.
"""

from __future__ import annotations

__all__ = ["main", "serve_main"]


def main() -> None:
    """Run the `authgate` command."""
    _run("main")


def serve_main() -> None:
    """Run `authgate serve` for `python -m authgate.server`."""
    _run("serve_main")


def _run(name: str) -> None:
    """Typer answers Ctrl+C while a command runs; here it is while all of it is being imported."""
    try:
        from authgate.cli import tree

        getattr(tree, name)()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
