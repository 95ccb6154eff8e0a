"""authgate inside other people's programs: one module a framework, thin, each importable alone.

`fastmcp`, `mcp_sdk`, `starlette` and `fastapi` are the doors. Behind them are two guards: `remote`,
for a program whose authgate is elsewhere, and `embedded`, for one that has a whole authgate within.
Never here: a rule of its own. What a token must be is `protocol.tokens`, who verifies it is an
issuer, what a caller is told is the one table of refusals.
"""

from __future__ import annotations


def missing(extra: str, error: ModuleNotFoundError) -> ImportError:
    """What to raise where the package behind an extra is not installed; another import's error, if
    that is what went wrong."""
    if error.name is None or error.name.partition(".")[0] != extra:
        return error
    return ImportError(
        f"authgate.adapters.{extra} needs {extra}, which is not installed: "
        f'pip install "authgate[{extra}]"'
    )
