"""A proxy behind a guard that believes everybody, on the real listener, for tests of the proxy.

`Authorization: Bearer ada` is ada. Everything else is what `authgate serve` runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from authgate.gateway.caller import Caller
from authgate.gateway.identity import Identity, Nothing
from authgate.gateway.proxy import Proxy, ProxyPolicy
from authgate.gateway.sessions import Sessions
from authgate.gateway.slots import Slots
from authgate.gateway.upstream import Upstream
from authgate.security.vault import Vault
from authgate.web.request import Receive, Scope, Send
from tests.web.serving import serving

SECRET = "the secret of these tests, 8Xq2Lm7Pz4Kw"
BODY_LIMIT = 1 << 20
WITHIN = 10.0


def proxy_to(
    url: str,
    *,
    identity: Identity | None = None,
    timeout: float = 20.0,
    body_limit: int = BODY_LIMIT,
    total: int = 1000,
    each: int = 100,
) -> Proxy:
    return Proxy(
        ProxyPolicy(body_limit, timeout, "https", "auth.example"),
        Upstream(url),
        Sessions(Vault([SECRET])),
        identity or Nothing(),
        Slots(total, each),
    )


def caller(sub: str) -> Caller:
    return Caller(sub, "client_1", ("mcp:use",), "grant_1", f"{sub}@example.com", 2_000_000_000)


def guarded(proxy: Proxy) -> Callable[..., Any]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sub = dict(scope["headers"]).get(b"authorization", b"Bearer ada").decode()
        await proxy(
            {**scope, "authgate.caller": caller(sub.removeprefix("Bearer "))}, receive, send
        )

    return app


@asynccontextmanager
async def in_front_of(url: str, **options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway to `url`; `base_url` says where."""
    proxy = proxy_to(url, **options)
    try:
        async with serving(guarded(proxy)) as port:
            base = f"http://127.0.0.1:{port}"
            async with httpx2.AsyncClient(base_url=base, timeout=WITHIN, trust_env=False) as http:
                yield http
            await until(lambda: proxy.slots.open == 0)
    finally:
        await proxy.close()


async def until(holds: Callable[[], bool], seconds: float = WITHIN) -> None:
    """Wait for something that nobody tells; bounded."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), WITHIN)
