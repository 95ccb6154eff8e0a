"""What each part of a start costs: `python -m bench.parts FOLDER` takes the steps one by one.

Each step is timed and the resident memory noted after it. The order is that of a real start, so a
package that two parts need is on the bill of the first.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.servers import plain_environment, resident


def _load(*names: str) -> Callable[[], None]:
    def step() -> None:
        for name in names:
            importlib.import_module(name)

    return step


async def _open(folder: Path) -> None:
    from authgate.app import build
    from authgate.settings import Settings

    app = build(Settings(_env_file=None, AUTHGATE_DATA_DIR=folder))
    await app.start()
    await app.stop()


def _tools() -> None:
    from authgate.gateway.example import server

    server().streamable_http_app()


def take(folder: Path) -> list[tuple[str, float, float]]:
    """Every step with its ms and the MiB it added."""
    steps: dict[str, Callable[[], None]] = {
        "command line (Typer, Click)": _load("typer"),
        "uvicorn, uvloop, httptools": _load(
            "uvloop", "uvicorn.server", "uvicorn.protocols.http.httptools_impl"
        ),
        "settings (pydantic, pydantic-settings)": _load("pydantic_settings"),
        "cryptography": _load(
            "cryptography.fernet", "cryptography.hazmat.primitives.asymmetric.ec"
        ),
        "log (structlog)": _load("structlog"),
        "throttles (limits)": _load("limits", "limits.strategies"),
        "passwords, templates, JSON (argon2, Jinja2, orjson)": _load("argon2", "jinja2", "orjson"),
        "authgate's own modules": _load("authgate.cli", "authgate.cli.serving"),
        "build, open the database, load the keys": lambda: asyncio.run(_open(folder)),
        "only if a database is made: SQLAlchemy, Alembic": _load("sqlalchemy", "alembic"),
        "only at the first tool call: the MCP SDK": _tools,
    }
    found = [("Python with asyncio", 0.0, resident("self"))]
    for name, step in steps.items():
        before, begun = resident("self"), time.perf_counter()
        step()
        elapsed = (time.perf_counter() - begun) * 1e3
        found.append((name, elapsed, resident("self") - before))
    return found


def packages(top: int = 12) -> list[tuple[str, float]]:
    """The dearest top-level packages of a start: ms of their own, as `-X importtime` counts."""
    code = "import authgate.server, authgate.cli.serving, uvloop"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        env=plain_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    cost: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        own, _, rest = line.removeprefix("import time:").partition("|")
        if own.strip().isdigit():
            name = rest.partition("|")[2].strip().partition(".")[0]
            known = name in sys.stdlib_module_names
            cost["standard library" if known else name] += int(own)
    return [(name, spent / 1e3) for name, spent in cost.most_common(top)]


if __name__ == "__main__":
    print(json.dumps(take(Path(sys.argv[1]))))
