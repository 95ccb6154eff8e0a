"""Whom this server needs beside its store, and whether they answer: for the eyes of operators.

A look is taken every ten seconds, and only while somebody reads the result; nobody ever waits for
one. What is found decides nothing: every call that is made finds out for itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authgate.observe import log

if TYPE_CHECKING:
    from authgate.app.core import Core
    from authgate.app.home import Home

LOOK_EVERY = 10.0  # seconds; what is reported is no older than this and one look
LOOK_WITHIN = 3.0
ASKED_WITHIN = 60.0  # seconds; after that nobody reads it any more

Look = Callable[[], Awaitable[bool]]


class Services:
    """The last look at each service. For one event loop."""

    def __init__(self, looks: Mapping[str, Look]) -> None:
        self._looks = looks
        self._found: dict[str, str] = {}
        self._looked_at = float("-inf")
        self._asked_at = float("-inf")
        self._asked = asyncio.Event()

    def report(self) -> dict[str, str]:
        """`ok` or `unreachable` by service; `unknown` until the first look has ended."""
        now = time.monotonic()
        self._asked_at = now
        self._asked.set()
        fresh = now - self._looked_at <= LOOK_EVERY + LOOK_WITHIN
        return {
            name: self._found.get(name, "unknown") if fresh else "unknown" for name in self._looks
        }

    async def keep(self) -> None:
        """Look for as long as the process lives and somebody asks."""
        while self._looks:
            await self._asked.wait()
            if time.monotonic() - self._asked_at > ASKED_WITHIN:
                self._asked.clear()
                continue
            try:
                found = await asyncio.gather(*map(_looked, self._looks.values()))
            except Exception as trouble:  # a bug too: the looks must not end unheard
                log.error("services.look_broken", error=type(trouble).__name__)
            else:
                self._found = dict(zip(self._looks, found, strict=True))
                self._looked_at = time.monotonic()
            await asyncio.sleep(LOOK_EVERY)


async def _looked(look: Look) -> str:
    try:
        async with asyncio.timeout(LOOK_WITHIN):
            return "ok" if await look() else "unreachable"
    except (OSError, TimeoutError):
        return "unreachable"


def looks_of(core: Core, home: Home) -> dict[str, Look]:
    """The services of these settings, by the names they have in `/readyz`."""
    settings = core.settings
    looks = dict(home.looks)
    if settings.issuer == "authkit" and settings.workos_authkit_domain is not None:
        looks["authkit"] = connects(settings.workos_authkit_domain)
    if settings.upstream is not None:
        looks["upstream"] = connects(settings.upstream)
    return looks


def connects(url: str) -> Look:
    """Does anybody listen there? No TLS and no request: an answer would say little more, and the
    client libraries for it are not everybody's to load."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)

    async def look() -> bool:
        _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
        return True

    return look
