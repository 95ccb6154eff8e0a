"""One node is cut off from PostgreSQL, and says so; the others never notice.

It serves nothing from memory for longer than the second that every node remembers: what is taken
back meanwhile is never let in by it, however the network treats its questions and its answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.wire import Reply
from tests.nodes.between import Between
from tests.nodes.fleet import Fleet, Node
from tests.nodes.places import Hammer, Line, Tokens, clear, lines, minting, warm

DEADLINE = 5.0  # seconds a question to PostgreSQL may take
ASIDE = 2.0
HEALS = 5.0


@asynccontextmanager
async def beside(fleet: Fleet) -> AsyncIterator[tuple[Node, Between]]:
    """A node more, which has its own way to PostgreSQL."""
    async with Between(fleet.database) as between:
        env = {"AUTHGATE_DATABASE_URL": between.url}
        node = await asyncio.to_thread(fleet.add_node, env=env)
        try:
            async with minting(fleet) as mint:
                await warm(fleet, mint)
            yield node, between
        finally:
            await asyncio.to_thread(fleet.drop, node)


async def revoked(line: Line, tokens: Tokens) -> None:
    form = {"token": tokens.refresh, "client_id": tokens.client_id}
    assert (await line.wire.form("/oauth/revoke", form)).status == 200


async def test_a_node_that_nothing_passes_to_refuses_and_heals(fleet: Fleet) -> None:
    """It refuses by the deadline, is not ready, serves documents, and heals by itself."""
    async with beside(fleet) as (node, between), minting(fleet) as mint:
        with lines(fleet, fleet.nodes[:3]) as at, lines(fleet, [node] * 3) as (call, say, ready):
            tokens = await call.tokens(mint)
            at_node = Hammer(lambda line: line.call(tokens.access), [call])
            documents = Hammer(lambda line: line.wire.get("/.well-known/jwks.json"), [say])
            others = Hammer(lambda line: line.call(tokens.access), at)
            async with at_node.falling(), documents.falling(), others.falling():
                await asyncio.sleep(0.3)
                with between.frozen():
                    frozen_at = time.monotonic()
                    asked = asyncio.create_task(ready.wire.get("/readyz"))
                    with lines(fleet, [node] * 20) as crowd:
                        began = time.monotonic()
                        replies = await asyncio.gather(*(line.refresh(tokens) for line in crowd))
                        took = time.monotonic() - began
                    assert all(clear(reply) for reply in replies), replies
                    assert took < DEADLINE + ASIDE
                    reply = await asked
                    assert clear(reply), reply
                    assert reply.json()["store"] == "unavailable"
                    thawed_at = time.monotonic()
                await asyncio.sleep(0.1)
                while (await ready.wire.get("/readyz")).status != 200:
                    assert time.monotonic() - thawed_at < HEALS
                    await asyncio.sleep(0.05)
                while (await call_anew(fleet, node, tokens)).status != 200:
                    assert time.monotonic() - thawed_at < HEALS
        assert at_node.statuses() <= {200, 503}
        yes = at_node.last_yes_before(thawed_at, call.port)
        assert yes - frozen_at <= 1.0, "let in from a memory that was too old"
        assert documents.statuses() == {200}
        assert documents.slowest() < 0.5
        assert others.statuses() == {200}


async def call_anew(fleet: Fleet, node: Node, tokens: Tokens) -> Reply:
    with lines(fleet, [node]) as (line,):
        return await line.call(tokens.access)


@pytest.mark.parametrize("how", ["frozen", "deaf", "gone"])
async def test_what_is_taken_back_meanwhile(fleet: Fleet, how: str) -> None:
    """Questions that were on their way when it was taken back bring an answer from before, late: it
    must let in nobody who came after."""
    async with beside(fleet) as (node, between), minting(fleet) as mint:
        with lines(fleet, fleet.nodes[:1]) as (elsewhere,), lines(fleet, [node] * 6) as crowd:
            tokens = await elsewhere.tokens(mint)
            hammer = Hammer(lambda line: line.call(tokens.access), crowd)
            async with hammer.falling():
                await asyncio.sleep(0.3)
                with getattr(between, how)():
                    # The memory's second ends, and what the node asks then is answered "alive"; the
                    # answer waits on the way.
                    await asyncio.sleep(1.2)
                    await revoked(elsewhere, tokens)
                    done = time.monotonic()
                    await asyncio.sleep(1.2)
                    latecomers = [
                        asyncio.create_task(call_anew(fleet, node, tokens)) for _ in crowd
                    ]
                    await asyncio.sleep(0.3)
                for latecomer in latecomers:
                    assert (await latecomer).status in (401, 503)
                await asyncio.sleep(1.0)
            late = [
                (round(began - done, 2), round(ended - done, 2))
                for began, ended, reply in hammer.told[node.port]
                if reply.status == 200 and began > done + 1.0
            ]
            assert not late
            assert 200 in hammer.statuses()
            assert hammer.statuses() <= {200, 401, 503}
            async with asyncio.timeout(HEALS):
                while (reply := await crowd[0].call(tokens.access)).status != 401:
                    assert clear(reply), reply
