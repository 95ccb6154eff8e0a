"""The only place that builds: settings -> policies and parts -> route table.

`app` alone knows concrete names. Everything it makes gets contracts and small frozen policies,
never `Settings`. Neighbours: `cli` calls `build` and serves what it returns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from authgate.directories.embedded import EmbeddedDirectory
from authgate.directories.passwords import Passwords
from authgate.endpoints import (
    authorize,
    health,
    introspect,
    register,
    revoke,
    token,
    well_known,
)
from authgate.endpoints.nowhere import Nowhere
from authgate.gateway.guard import Guard, Guarded
from authgate.issuers.builtin import BuiltinIssuer
from authgate.observe import log
from authgate.pages import errors as error_pages
from authgate.pages import routes as page_routes
from authgate.pages.site import PublicUrl
from authgate.protocol.errors import Refusal
from authgate.protocol.policy import Policy
from authgate.protocol.tokens import Challenger
from authgate.security.key_material import KeyUnusable
from authgate.security.keys import KeyRing
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.session import Cookies
from authgate.security.vault import SealedValueUnreadable, Vault
from authgate.settings import Settings
from authgate.steps.authorize import Faulty
from authgate.steps.parts import Parts
from authgate.store.contract import StoreUnavailable
from authgate.store.sqlite import SqliteStore
from authgate.tools import routes as tool_routes
from authgate.web import address, listener
from authgate.web.answers import Answer
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.origins import OriginRule
from authgate.web.request import Receive, Scope, Send

App = Callable[[Scope, Receive, Send], Awaitable[None]]

MCP_PATH = "/mcp"
SWEEP_EVERY = 60.0
SWEEP_FULL = 500  # a sweep that found this many rows is followed by another
SWEEP_AGAIN = 0.1  # 5,000 rows a second: a flood of requests must not outrun its removal
KEYS_EVERY = 5.0


class Closable(Protocol):
    """Something that started on demand and must be stopped."""

    async def close(self) -> None: ...


def now() -> int:
    """The time in integer seconds since the epoch."""
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Core:
    """The parts below HTTP: what the command line needs too."""

    settings: Settings
    policy: Policy
    vault: Vault
    store: SqliteStore
    keys: KeyRing
    issuer: BuiltinIssuer
    passwords: Passwords

    async def open(self) -> None:
        """Create or migrate the store and load the signing keys."""
        await self.store.open()
        await self.keys.load(now())

    async def close(self) -> None:
        """Finish what was accepted and let go; hashes that still wait are given up."""
        self.passwords.close()
        await self.store.close()


def policy_of(settings: Settings) -> Policy:
    """What the rules need of the settings."""
    own = settings.public + MCP_PATH
    return Policy(
        issuer=settings.public,
        resources=tuple(dict.fromkeys((own, *settings.resources))),
        scopes=settings.scopes,
        redirect_schemes=settings.redirect_schemes,
        code_ttl=settings.code_ttl,
        access_token_ttl=settings.access_token_ttl,
        refresh_token_ttl=settings.refresh_token_ttl,
        refresh_grace=settings.refresh_grace,
        tool_passwords=settings.tool_passwords,
    )


def build_core(settings: Settings) -> Core:
    """Make the parts below HTTP; nothing is opened yet."""
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    vault = Vault.load(key, settings.data_folder)
    store = SqliteStore(settings.sqlite_path)
    keys = KeyRing(
        store, vault, algorithm=settings.signing_alg, access_ttl=settings.access_token_ttl
    )
    issuer = BuiltinIssuer(settings.public, keys, access_ttl=settings.access_token_ttl)
    return Core(settings, policy_of(settings), vault, store, keys, issuer, Passwords())


def build(settings: Settings) -> Application:
    """The whole application of one process."""
    core = build_core(settings)
    parts = Parts(
        policy=core.policy,
        store=core.store,
        issuer=core.issuer,
        passwords=EmbeddedDirectory(core.store, core.passwords),
        vault=core.vault,
        throttles=Throttles(
            LimitPolicy(
                sign_in_account=settings.limit_account,
                sign_in_address=settings.limit_address,
                registration=settings.limit_registration,
                client_secret=settings.limit_client,
            )
        ),
        clock=now,
    )
    place = well_known.Place.of(settings.public)
    origins = OriginRule(frozenset((place.origin, *settings.allowed_origins)))
    example = LazyMcpApp(_example)
    tools = tool_routes(parts, origins)
    guarded = Guarded(example, _guard(core, place, origins))
    table = _routes(parts, place)
    table |= {place.prefix + path: app for path, app in tools.items()}
    table[place.prefix + MCP_PATH] = guarded
    return Application(core, table, (example, *tools.values()))


def _example() -> object:
    from authgate.gateway.example import server  # the MCP SDK behind it costs half a second

    return server()


def _guard(core: Core, place: well_known.Place, origins: OriginRule) -> Guard:
    return Guard(
        issuer=core.issuer,
        store=core.store,
        resource=core.policy.default_resource,
        scopes=core.policy.scopes,
        challenger=Challenger(place.resource_metadata_url(MCP_PATH), core.policy.scopes),
        origins=origins,
        clock=now,
    )


def _routes(parts: Parts, place: well_known.Place) -> dict[str, App]:
    """Every path with its application: what is not here does not exist.

    The aliases at the root are where clients look that found no metadata (their fallback of the
    2025-03-26 specification).
    """
    cookies = Cookies.of(parts.policy.issuer)
    authorization = authorize.endpoint(parts, cookies, place.prefix, _error_pages(parts))
    registration, tokens = register.endpoint(parts), token.endpoint(parts)
    own: dict[str, App] = {
        "/oauth/authorize": authorization,
        "/oauth/register": registration,
        "/oauth/token": tokens,
        "/oauth/revoke": revoke.endpoint(parts),
        "/oauth/introspect": introspect.endpoint(parts),
        "/authorize": authorization,
        "/register": registration,
        "/token": tokens,
        "/healthz": health.endpoint(),
        "/readyz": health.readiness(parts.store),
        **page_routes(parts, cookies),
    }
    table: dict[str, App] = {place.prefix + path: app for path, app in own.items()}
    table |= well_known.routes(parts.policy, parts.issuer, place, MCP_PATH)
    return table


def _error_pages(parts: Parts) -> authorize.ErrorPages:
    """How the authorization endpoint says no: a page, and never a 401, which is for programs."""
    url = PublicUrl.of(parts.policy.issuer)

    def refuse(refusal: Refusal) -> Answer:
        status = 400 if refusal.face.status == 401 else None
        return error_pages.refusal_page(refusal, url, status=status)

    def show_faulty(faulty: Faulty) -> Answer:
        return error_pages.faulty_answer(faulty, parts.policy.issuer)

    return authorize.ErrorPages(refuse, show_faulty)


class Application:
    """The ASGI application: exact paths to their applications, and the life of the process.

    Paths are matched as they are: a router that redirects `/mcp/` to `/mcp` would make clients
    drop their token on the way.
    """

    def __init__(self, core: Core, table: dict[str, App], lazy: Sequence[Closable]) -> None:
        self.core = core
        self.table = table
        self._lazy = lazy
        self._trusted = address.networks(core.settings.trusted_proxies)
        self._not_found = Nowhere(error_pages.writer(core.policy.issuer))
        self._jobs: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._trusted:
                scope["authgate.address"] = address.caller(scope, self._trusted)
            await self.table.get(scope["path"], self._not_found)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def start(self) -> None:
        """Open the store, load the keys, begin the background jobs."""
        await self.core.open()
        jobs = (_sweeping(self.core), _reading_keys(self.core), listener.watch())
        self._jobs = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """End the background jobs and let go of everything."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for lazy in self._lazy:
            await lazy.close()
        await self.core.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as trouble:  # told to the server, which ends with a failure
            log.error("start.failed", error=type(trouble).__name__, detail=str(trouble))
            await send({"type": "lifespan.startup.failed", "message": str(trouble)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _sweeping(core: Core) -> None:
    """Remove what nothing can need any more, in small batches, for as long as the process lives."""
    while True:
        try:
            swept = await core.store.sweep(now(), access_ttl=core.policy.access_token_ttl)
            await core.store.forget_signing_keys(now())
            if swept.total:
                log.debug("store.swept", rows=swept.total)
            pause = SWEEP_AGAIN if swept.total >= SWEEP_FULL else SWEEP_EVERY
        except StoreUnavailable as trouble:
            log.warning("store.sweep_failed", detail=str(trouble))
            pause = SWEEP_EVERY
        await asyncio.sleep(pause)


async def _reading_keys(core: Core) -> None:
    """See a rotation made by the command line or another worker within seconds."""
    while True:
        await asyncio.sleep(KEYS_EVERY)
        try:
            if await core.keys.refresh(now()):
                log.info("keys.changed")
        except (StoreUnavailable, SealedValueUnreadable, KeyUnusable) as trouble:
            # The keys in use stay in use: one unreadable row must not end this watch.
            log.warning("keys.read_failed", detail=str(trouble))
