"""The ASGI application: exact paths to their applications, and the life of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from authgate.app import observing
from authgate.app.core import Core
from authgate.app.home import Home
from authgate.app.issuing import Closable, Job
from authgate.app.jobs import sweeping
from authgate.app.live import Live
from authgate.app.steady import SteadyClock
from authgate.endpoints.health import Readiness
from authgate.endpoints.nowhere import Nowhere
from authgate.observe import log
from authgate.pages import errors as error_pages
from authgate.pages.site import PublicUrl
from authgate.web import address, listener
from authgate.web.request import App, Receive, Scope, Send
from authgate.web.watching import Watching

NOWHERE = "elsewhere"  # every path that no table knows


@dataclass(frozen=True, slots=True)
class Beside:
    """What there is beside the routes: `jobs` run for as long as the process lives, `lazy` started
    on demand and is closed at the end."""

    lazy: Sequence[Closable]
    jobs: Sequence[Job]
    live: Live
    readiness: Readiness


def names_of(table: Iterable[str], issuer: str) -> dict[str, str]:
    """How the routes are called in log and metrics: by their paths, without that of the public URL,
    so that two tenants' are the same. The files of the pages are one."""
    prefix = PublicUrl.of(issuer).path
    names = {}
    for path in table:
        name = path.removeprefix(prefix)
        names[path] = "/static" if name.startswith("/static/") else name
    return names


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
        self._watching = Watching(self._trusted)
        self._names = names_of(table, core.policy.issuer)
        self._not_found = Nowhere(error_pages.writer(core.policy.issuer))
        self._jobs: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._trusted:
                scope["authgate.address"] = address.caller(scope, self._trusted)
            path = scope["path"]
            app = self.table.get(path, self._not_found)
            name = self._names.get(path, NOWHERE)
            await self._watching.serve(app, name, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def start(self) -> None:
        """Open the store, load the keys, begin the background jobs."""
        await self.core.open()
        jobs = (
            sweeping(self.core, SteadyClock()),
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
        await observing.end()

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
