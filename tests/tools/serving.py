"""A running server for tests of the MCP faces: real parts, real uvicorn, a free loopback port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from authgate.directories.embedded import EmbeddedDirectory
from authgate.directories.passwords import Passwords
from authgate.directories.people import add_person
from authgate.issuers.builtin import BuiltinIssuer
from authgate.protocol.policy import Policy
from authgate.security.keys import KeyRing
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.vault import Vault
from authgate.steps.parts import IssuingParts
from authgate.store.sqlite import SqliteStore

ISSUER = "http://localhost:8000"
EMAIL = "user@example.com"
PASSWORD = "user_password"


@dataclass
class Clock:
    """The real time, plus what a test lets pass."""

    ahead: int = 0

    def __call__(self) -> int:
        return int(time.time()) + self.ahead


def policy(**changes: Any) -> Policy:
    return Policy(
        **{
            "issuer": ISSUER,
            "resources": (f"{ISSUER}/mcp",),
            "scopes": ("mcp:use",),
            **changes,
        }
    )


@asynccontextmanager
async def parts_in(
    folder: Path, *, limits: LimitPolicy | None = None, **changes: Any
) -> AsyncIterator[IssuingParts]:
    """Everything below HTTP in `folder`, with one person, and a clock that tests can move."""
    store = SqliteStore(folder / "authgate.sqlite3")
    await store.open()
    clock = Clock()
    vault = Vault.from_folder(folder)
    ring = KeyRing(store, vault)
    await ring.load(clock())
    passwords = Passwords(time_cost=1, memory_kib=64)  # as fast as argon2 goes
    try:
        await add_person(store, passwords, EMAIL, PASSWORD, clock())
        yield IssuingParts(
            policy=policy(**changes),
            store=store,
            issuer=BuiltinIssuer(ISSUER, ring),
            passwords=EmbeddedDirectory(store, passwords),
            social=EmbeddedDirectory(store, passwords),
            vault=vault,
            throttles=Throttles(limits),
            clock=clock,
        )
    finally:
        await store.close()


@asynccontextmanager
async def served(app: Callable[..., Any]) -> AsyncIterator[str]:
    """`app` behind uvicorn; gives the base URL. Ends with every connection closed."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        lifespan="off",
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
