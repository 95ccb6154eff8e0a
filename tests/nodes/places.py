"""What the tests of many nodes share: traffic, tokens without a sign-in, and a line to one node.

`direct` requests go past nginx to a node that the test chose; they carry the public host, as nginx
would send it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from tests.faults.traffic import _CALL, _CALL_HEADERS, CALLBACK, Mint, Traffic
from tests.faults.wire import Reply, Wire
from tests.nodes.fleet import Fleet, Node

# Everything comes from one address here.
UNBRAKED = {
    "AUTHGATE_LIMIT_REGISTRATION": "1000000/second",
    "AUTHGATE_LIMIT_AUTHORIZATION": "1000000/second",
    "AUTHGATE_LIMIT_ADDRESS": "1000000/second",
}


@asynccontextmanager
async def minting(fleet: Fleet) -> AsyncIterator[Mint]:
    """The fleet's own database, open in this process beside the nodes."""
    store = PostgresStore(PostgresPolicy(fleet.database, pool=4))
    await store.open()
    try:
        yield Mint(store, fleet.mcp_url)
    finally:
        await store.close()


@asynccontextmanager
async def busy(
    fleet: Fleet, ports: Sequence[int] | None = None, **how: Any
) -> AsyncIterator[Traffic]:
    """Traffic at these ports (nginx's, if none are named), prepared and not yet running."""
    async with minting(fleet) as mint:
        host = f"127.0.0.1:{fleet.port}"
        await warm(fleet, mint)
        yield await Traffic.prepared(mint, ports or [fleet.port], host=host, **how)


def ports(nodes: Sequence[Node]) -> list[int]:
    return [node.port for node in nodes]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client got for a code."""

    client_id: str
    access: str
    refresh: str


class Line:
    """A connection to one port of the fleet, a node's or nginx's."""

    def __init__(self, fleet: Fleet, port: int) -> None:
        self.port = port
        self.wire = Wire(port, f"127.0.0.1:{fleet.port}")

    async def call(self, access: str, **headers: str) -> Reply:
        """One guarded call."""
        shown = {**_CALL_HEADERS, "authorization": f"Bearer {access}", **headers}
        return await self.wire.json("/mcp", _CALL, shown)

    async def call_with_key(self, key: str) -> Reply:
        """One guarded call with a static API key."""
        return await self.wire.json("/mcp", _CALL, {**_CALL_HEADERS, "x-api-key": key})

    async def token(self, **form: str) -> Reply:
        return await self.wire.form("/oauth/token", form)

    async def refresh(self, tokens: Tokens) -> Reply:
        return await self.token(
            grant_type="refresh_token", client_id=tokens.client_id, refresh_token=tokens.refresh
        )

    async def register(self) -> str:
        document = {
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        reply = await self.wire.json("/oauth/register", document)
        assert reply.status == 201, reply.body
        return str(reply.json()["client_id"])

    async def tokens(self, mint: Mint) -> Tokens:
        """A new client's tokens of a new grant."""
        client_id = await self.register()
        ((code, verifier),) = await mint.codes(client_id, 1)
        reply = await self.token(
            grant_type="authorization_code",
            client_id=client_id,
            code=code,
            code_verifier=verifier,
        )
        assert reply.status == 200, reply.body
        return Tokens(client_id, reply.json()["access_token"], reply.json()["refresh_token"])

    def drop(self) -> None:
        self.wire.drop()


@contextmanager
def lines(fleet: Fleet, nodes: Sequence[Node] | None = None) -> Iterator[list[Line]]:
    """A line to each node."""
    made = [Line(fleet, node.port) for node in nodes or fleet.nodes]
    try:
        yield made
    finally:
        for line in made:
            line.drop()


async def warm(fleet: Fleet, mint: Mint, nodes: Sequence[Node] | None = None) -> None:
    """One guarded call at every worker: what it imports at the first is no fault's doing."""
    for node in nodes or fleet.nodes:
        # Connections go to whichever worker is free, so there are a few for each.
        crowd = [Line(fleet, node.port) for _ in range(1 if node.workers == 1 else 8)]
        tokens = await crowd[0].tokens(mint)
        for reply in await asyncio.gather(*(line.call(tokens.access) for line in crowd)):
            assert reply.status == 200, reply
        for line in crowd:
            line.drop()


async def until(true: Callable[[], bool], within: float, what: str) -> float:
    """Seconds until it was true; it must be within so many."""
    began = time.monotonic()
    while not await asyncio.to_thread(true):
        assert time.monotonic() - began < within, what
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def clear(reply: Reply) -> bool:
    """Is it a 503 that says `temporarily_unavailable` and when to come back?"""
    after = reply.headers.get("retry-after", "")
    known = b"temporarily_unavailable" in reply.body
    return reply.status == 503 and known and after.isdecimal() and int(after) >= 1


class Hammer:
    """Asks the same thing again and again at several lines, and keeps what was answered when."""

    def __init__(self, asked: Callable[[Line], Any], at: Sequence[Line]) -> None:
        self._asked = asked
        self._at = at
        self.told: dict[int, list[tuple[float, float, Reply]]] = {line.port: [] for line in at}

    @asynccontextmanager
    async def falling(self) -> AsyncIterator[None]:
        """While the block lasts."""
        work = [asyncio.create_task(self._fall(line)) for line in self._at]
        try:
            yield
        finally:
            for one in work:
                one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*work)

    async def _fall(self, line: Line) -> None:
        while True:
            began = time.monotonic()
            reply = await self._asked(line)
            self.told[line.port].append((began, time.monotonic(), reply))
            await asyncio.sleep(0.005)

    def statuses(self, since: float = 0.0, port: int | None = None) -> set[int | str]:
        """How requests ended that were begun since then."""
        return {
            reply.status or reply.lost
            for at, told in self.told.items()
            if port is None or at == port
            for began, _, reply in told
            if began >= since
        }

    def last_yes_before(self, moment: float, port: int) -> float:
        """When the newest request was begun that the port had said yes to before this moment."""
        return max(b for b, ended, r in self.told[port] if r.status == 200 and ended < moment)

    def slowest(self) -> float:
        """The longest that an answer took, in seconds."""
        return max(ended - began for told in self.told.values() for began, ended, _ in told)
