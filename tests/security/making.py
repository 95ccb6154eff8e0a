"""What the tests of security, issuers and directories make alike: a vault, a store, a grant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from authgate.protocol.records import Grant, Person
from authgate.security.keys import KeyRing
from authgate.security.vault import Vault
from authgate.store.sqlite import SqliteStore

SECRET = "Zq4-mUe7_xTn2vLs9cWb6RkYd1Hf8GpJ"
OTHER_SECRET = "hT5_oXa0-wNi3bEr7yUc4MzVd9Kj2QgS"
NOW = 1_800_000_000
ISSUER = "http://localhost:8000"
RESOURCE = "http://localhost:8000/mcp"


def make_vault(*secrets: str) -> Vault:
    return Vault(secrets or (SECRET,))


@asynccontextmanager
async def opened_store(folder: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder / "authgate.db")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def loaded_ring(store: SqliteStore, **options: object) -> KeyRing:
    ring = KeyRing(store, make_vault(), **options)
    await ring.load(NOW)
    return ring


def make_grant(resource: str = RESOURCE, sub: str = "ag_" + "p" * 22) -> Grant:
    return Grant(
        grant_id="g" * 22,
        client_id="c" * 22,
        person=Person(sub, "embedded", "person@example.com"),
        scopes=("mcp:use", "notes:read"),
        resource=resource,
        authenticated_at=NOW - 30,
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + 86400,
    )
