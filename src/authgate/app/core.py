"""The parts below HTTP, made from the settings: what the command line needs too."""

from __future__ import annotations

import time
from dataclasses import dataclass

from authgate.directories.passwords import Passwords
from authgate.issuers.builtin import BuiltinIssuer
from authgate.protocol.policy import Policy
from authgate.security.keys import KeyRing
from authgate.security.session import SESSION_SECONDS
from authgate.security.vault import Vault
from authgate.settings import Settings
from authgate.store.contract import Store
from authgate.store.sqlite import SqliteStore

MCP_PATH = "/mcp"


def now() -> int:
    """The time in integer seconds since the epoch."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Core:
    """What stands whichever directory people are in; `passwords` hashes for the embedded one.

    `mcp_path` is where the protected MCP server is, below the public URL.
    """

    settings: Settings
    policy: Policy
    vault: Vault
    store: Store
    keys: KeyRing
    issuer: BuiltinIssuer
    passwords: Passwords
    mcp_path: str = MCP_PATH

    async def open(self) -> None:
        """Create or migrate the store and load the signing keys."""
        await self.store.open()
        await self.keys.load(now())

    async def close(self) -> None:
        """Finish what was accepted and let go; hashes that still wait are given up."""
        self.passwords.close()
        await self.store.close()


def policy_of(settings: Settings, mcp_path: str = MCP_PATH) -> Policy:
    """What the rules need of the settings."""
    own = settings.public + mcp_path
    return Policy(
        issuer=settings.public,
        resources=tuple(dict.fromkeys((own, *settings.resources))),
        scopes=settings.scopes,
        redirect_schemes=settings.redirect_schemes,
        code_ttl=settings.code_ttl,
        access_token_ttl=settings.access_token_ttl,
        refresh_token_ttl=settings.refresh_token_ttl,
        refresh_grace=settings.refresh_grace,
        session_ttl=SESSION_SECONDS,
        outage_grace=settings.supabase_outage_grace,
        required_assurance=2 if settings.require_second_factor else 1,
        tool_passwords=settings.tool_passwords,
    )


def store_of(settings: Settings) -> Store:
    """The store that the database URL names, not open yet."""
    url = settings.postgres_url
    if url is None:
        return SqliteStore(settings.sqlite_path)
    # Whoever is on SQLite needs no driver of PostgreSQL's: 50 ms of a start, and 10 MiB.
    from authgate.store.postgres import PostgresStore
    from authgate.store.postgres_pool import PostgresPolicy

    prepare = {"auto": None, "true": True, "false": False}[settings.database_prepare]
    return PostgresStore(
        PostgresPolicy(url, settings.database_schema, settings.database_pool, prepare)
    )


def build_core(settings: Settings, mcp_path: str = MCP_PATH) -> Core:
    """Make the parts below HTTP; nothing is opened yet."""
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    vault = Vault.load(key, settings.data_folder)
    store = store_of(settings)
    keys = KeyRing(
        store, vault, algorithm=settings.signing_alg, access_ttl=settings.access_token_ttl
    )
    issuer = BuiltinIssuer(settings.public, keys, access_ttl=settings.access_token_ttl)
    policy = policy_of(settings, mcp_path)
    return Core(settings, policy, vault, store, keys, issuer, Passwords(), mcp_path)
