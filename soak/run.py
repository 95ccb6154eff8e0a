"""One run from an empty database to the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from soak.book import Book
from soak.traffic import Traffic
from soak.verdict import SWEEPS_LATE, Growth, Verdict
from soak.watch import Watch
from soak.wire import Pool
from soak.world import DUE_A_SECOND, POOL, SWEPT, World

ROTATES_AT, SABOTAGED_AT, RESTARTS_AT = 0.3, 0.45, 0.6  # shares of the run
STARTS_A_SECOND = 12  # registrations and authorizations of one address are limited
# A command of `authgate keys` has its own while it runs.
_MORE_CONNECTIONS = 2
_MADE = ("authorization_requests", "clients", "codes", "grants", "refresh_tokens", "sessions")


class Teller(Protocol):
    """Who is told how far it is."""

    def say(self, what: str) -> None: ...

    async def keep(self, book: Book, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run. `sabotage`: "kill" takes a node away with SIGKILL in the middle."""

    seconds: float = 600.0
    nodes: int = 3
    rate: float = 1.0
    seed: int = 1
    sabotage: str | None = None

    @property
    def people(self) -> int:
        return 20 if self.seconds >= 120 else 6

    @property
    def begins_with(self) -> int:
        """Connections that there are before it begins."""
        return 120 if self.seconds >= 120 else 24


async def run(plan: Plan, progress: Teller) -> Verdict:
    """Start everything, run, stop everything."""
    progress.say("starting PostgreSQL, Redis, the nodes, nginx and an MCP server")
    with contextlib.ExitStack() as stack:
        world = World(plan.nodes, plan.people)
        stack.callback(world.close)
        await asyncio.to_thread(world.start)
        await world.furnish(plan.seconds)
        book, pool = Book(), Pool(world.fleet.port)
        traffic = Traffic(book, pool, world.people, plan.seed)
        progress.say(f"{plan.begins_with} connections to begin with")
        await traffic.begin(plan.begins_with, STARTS_A_SECOND)
        return await _watched(plan, world, traffic, progress)


async def _watched(plan: Plan, world: World, traffic: Traffic, progress: Teller) -> Verdict:
    book = traffic.book
    watch = Watch(world, book, os.getpid(), world.nginx_pid)
    rows, sizes, counted = await asyncio.to_thread(_held, world)
    book.begin()
    async with _beside(watch.keep(), progress.keep(book, plan.seconds)):
        middle = asyncio.create_task(_middle(plan, world, traffic, progress))
        await traffic.run(plan.seconds, plan.rate)
        await middle
    await watch.look()
    progress.say("counting")
    overdue = await asyncio.to_thread(_overdue, world)
    rows_after, sizes_after, counted_after = await asyncio.to_thread(_held, world)
    left = await asyncio.to_thread(world.due_left)
    _judge_nodes(world, book)
    put_in = int(plan.seconds) * DUE_A_SECOND
    growth = [
        Growth(
            name,
            (rows[name], rows_after[name]),
            book.made[name] if name in _MADE else None,
            (sizes[name], sizes_after[name]),
            put_in if name in SWEPT else 0,
            put_in - left[name] if name in SWEPT else 0,
        )
        for name in sorted(rows_after)
        if rows_after[name] or name in SWEPT
    ]
    return Verdict(
        plan.seconds,
        plan.rate,
        plan.nodes,
        book,
        watch.looks,
        growth,
        {name: counted_after[name] - counted[name] for name in counted},
        plan.nodes * POOL + _MORE_CONNECTIONS,
        overdue,
        traffic.most_streams,
        len(world.restarted),
        world.rotations,
        await asyncio.to_thread(world.updates),
    )


async def _middle(plan: Plan, world: World, traffic: Traffic, progress: Teller) -> None:
    """What happens while the traffic runs."""
    try:
        await _rotated_and_restarted(plan, world, traffic, progress)
    except AssertionError as error:  # a command or a node that failed, with what it said
        traffic.book.wrong(f"in the middle: {str(error)[:500]}")


async def _rotated_and_restarted(
    plan: Plan, world: World, traffic: Traffic, progress: Teller
) -> None:
    book = traffic.book
    await asyncio.sleep(plan.seconds * ROTATES_AT)
    keys = set(book.keys)
    await world.rotate_keys()
    progress.say(f"[{book.now:4.0f} s] the keys were rotated")
    if plan.sabotage == "kill":
        await asyncio.sleep(max(0.0, plan.seconds * SABOTAGED_AT - book.now))
        world.nodes[0].kill9()
    await asyncio.sleep(max(0.0, plan.seconds * RESTARTS_AT - book.now))
    traffic.cut_allowed = True
    await world.restart(world.nodes[-1], traffic.pool.renew)
    traffic.cut_allowed = False
    progress.say(f"[{book.now:4.0f} s] node {plan.nodes} was restarted")
    await asyncio.sleep(max(0.0, plan.seconds * 0.95 - book.now))
    if set(book.keys) == keys:
        book.wrong("keys: nobody signs with the new one")


def _judge_nodes(world: World, book: Book) -> None:
    for place, node in enumerate(world.nodes, 1):
        if not node.up:
            book.wrong(f"node {place}: it is gone")
        try:
            node.assert_quiet()
        except AssertionError:
            book.wrong(f"node {place}: its log has errors or secrets")


def _held(world: World) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    return world.rows(), world.sizes(), world.database()


def _overdue(world: World) -> dict[str, int]:
    """Rows that were due so long ago that a sweep must have taken them, by table."""
    return {name: left for name, left in world.overdue(time.time() - SWEEPS_LATE).items() if left}


@asynccontextmanager
async def _beside(*doing: Awaitable[None]) -> AsyncIterator[None]:
    """These run on until the end of the block, and a fault of theirs is one of the run."""
    tasks = [asyncio.ensure_future(each) for each in doing]
    try:
        yield
        for task in tasks:
            if task.done():
                await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
