"""GET /healthz and /readyz: is the process alive, and should it be sent requests?

Ready is what this node alone can answer for: its store and its keys. What stands elsewhere (the
directories, the upstream, the clock of the database) is told and never counts: a Supabase outage
would otherwise take every node out at once, with all that they can still serve (tokens, refreshes
within the grace, guarded calls).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.store.contract import Store, StoreUnavailable
from authgate.web.answers import Answer, Header, json_answer, refusal_headers
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request

RETRY: tuple[Header, ...] = ((b"retry-after", b"5"),)
FRESH = 0.5  # seconds for which a look at the store serves everybody who asks

StoreSaid = Literal["ok", "unavailable"]


def endpoint() -> Endpoint:
    """Alive: the event loop answers. Says nothing about the store."""

    async def get(_: Request) -> Answer:
        return json_answer(200, {"status": "alive"})

    return Endpoint(get=get)


@dataclass(slots=True)
class Readiness:
    """What `/readyz` looks at.

    `keys_readable`: did the last look at the signing keys go well? `beside` is what is told of
    others, from what is known already: it must not wait. No address and no secret in it. `draining`
    is set when the server was told to stop and still serves whoever comes.
    """

    store: Store
    keys_readable: Callable[[], bool]
    beside: Callable[[], Mapping[str, object]]
    draining: bool = False
    _looking: asyncio.Task[StoreSaid] | None = field(default=None, init=False)
    _looked_at: float = field(default=float("-inf"), init=False)

    async def look(self, request: Request) -> StoreSaid:
        """Whether the store reads and writes: one look at a time, and two a second at most.

        Anybody may ask, and a look is a write to SQLite's file and a connection of PostgreSQL's
        pool: a stranger's flood of them would stand before the steps of those who sign in.
        """
        looking = self._looking
        if looking is None or (looking.done() and time.monotonic() - self._looked_at > FRESH):
            looking = self._looking = asyncio.create_task(self._look(request))
        return await asyncio.shield(looking)  # whoever leaves does not take it along

    async def _look(self, request: Request) -> StoreSaid:
        try:
            return await _ping(self.store, request)
        finally:
            self._looked_at = time.monotonic()


def readiness(state: Readiness) -> Endpoint:
    """Ready: the store reads and writes and the keys can be opened; 503 otherwise."""

    async def get(request: Request) -> Answer:
        if state.draining:
            # The store is not asked: the answer is no, and it is wanted at once.
            return json_answer(503, {"status": "draining"}, RETRY)
        store = await state.look(request)
        keys: Literal["ok", "unreadable"] = "ok" if state.keys_readable() else "unreadable"
        told = {"store": store, "keys": keys, **state.beside()}
        if store == keys == "ok":
            return json_answer(200, {"status": "ready", **told})
        refusal = Refusal(Reason.STORE_UNAVAILABLE, retry_after=5)
        body = {"status": "unavailable", "error": refusal.code, **told}
        return json_answer(503, body, refusal_headers(refusal))

    return Endpoint(get=get)


async def _ping(store: Store, request: Request) -> StoreSaid:
    try:
        await store.ping()
    except StoreUnavailable as trouble:
        log.trouble("store.unavailable", request.scope, trouble)
        return "unavailable"
    return "ok"
