"""GET /healthz and /readyz: is the process alive, and can it serve?"""

from __future__ import annotations

from authgate.store.contract import Store
from authgate.web.answers import Answer, json_answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request


def endpoint() -> Endpoint:
    """Alive: the event loop answers. Says nothing about the store."""

    async def get(_: Request) -> Answer:
        return json_answer(200, {"status": "alive"})

    return Endpoint(get=get)


def readiness(store: Store) -> Endpoint:
    """Ready: the store reads and writes. 503 otherwise, by way of `StoreUnavailable`."""

    async def get(_: Request) -> Answer:
        await store.ping()
        return json_answer(200, {"status": "ready"})

    return Endpoint(get=get)
