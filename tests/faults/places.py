"""Servers as the faults need them, and the store on which their codes are made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from authgate.store.sqlite import SqliteStore
from tests.faults.traffic import Mint, Traffic
from tests.live import ALICE, LiveServer

# Test clients are all at one address.
UNBRAKED = {
    "AUTHGATE_LIMIT_REGISTRATION": "1000000/second",
    "AUTHGATE_LIMIT_AUTHORIZATION": "1000000/second",
}


def database(server: LiveServer) -> Path:
    """The server's SQLite file."""
    return server.folder / "data" / "authgate.db"


@asynccontextmanager
async def minting(server: LiveServer, path: Path | None = None) -> AsyncIterator[Mint]:
    """The store of a server on SQLite, open in this process beside it."""
    store = SqliteStore(path or database(server))
    await store.open()
    try:
        yield Mint(store, server.mcp_url)
    finally:
        await store.close()


@asynccontextmanager
async def busy(server: LiveServer, **how: Any) -> AsyncIterator[Traffic]:
    """Traffic for a server on SQLite, prepared and not yet running."""
    async with minting(server) as mint:
        yield await Traffic.prepared(mint, [server.port], **how)


def one_server(**how: Any) -> LiveServer:
    """A server with Alice and without limits; not started."""
    env = UNBRAKED | how.pop("env", {})
    return LiveServer(people=(ALICE,), env=env, **how)
