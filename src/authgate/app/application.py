"""The ASGI application: exact paths to their applications, and the life of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from authgate.app.core import Core
from authgate.app.home import Home
from authgate.app.issuing import Closable, Job
from authgate.app.jobs import sweeping
from authgate.app.live import Live
from authgate.endpoints.health import Readiness
from authgate.endpoints.nowhere import Nowhere
from authgate.observe import log
from authgate.pages import errors as error_pages
from authgate.web import address, listener
from authgate.web.request import App, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Beside:
    """What there is beside the routes: `jobs` run for as long as the process lives, `lazy` started
    on demand and is closed at the end."""

    lazy: Sequence[Closable]
    jobs: Sequence[Job]
    live: Live
    readiness: Readiness


class Application:
    """Paths are matched as they are: a router that redirects `/mcp/` to `/mcp` would make clients
    drop their token on the way.
    """

    def __init__(
        self,
        core: Core,
        home: Home,
        table: dict[str, App],
        beside: Beside,
    ) -> None:
        self.live = beside.live
        self.readiness = beside.readiness
        self.core = core
        self.home = home
        self.table = table
        self._lazy = beside.lazy
        self._more_jobs = beside.jobs
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
        jobs = (
            sweeping(self.core),
            listener.watch(),
            self.home.looked_at(),
            *(job() for job in self._more_jobs),
        )
        self._jobs = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """End the background jobs and let go of everything."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for lazy in self._lazy:
            await lazy.close()
        await self.home.close()
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
