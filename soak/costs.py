"""What each step takes on both sides of PostgreSQL: `python -m soak.costs`, in two minutes.

Round trips of whole requests, counted on the wire; CPU of the node and of PostgreSQL (all its
processes), the write-ahead log and what the tables grow by; bytes of a row. PostgreSQL is asked for
nothing but what every one tells anybody. Token requests and calls come from 32 connections at once,
with a checkpoint before each measurement; people walk through the pages one after the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from itertools import repeat
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import uvloop

from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from bench import messages
from bench.load import Work, always, load
from bench.rounds import SUM, WORKS, access_token
from bench.servers import LOAD_CORE, cpu_seconds, pin
from bench.targets import Authgate, authgate, peer
from soak.book import Book
from soak.browser import Browser
from soak.connection import Client, Connection, code_in, registered
from soak.wire import Pool
from tests.live import ALICE, LiveServer
from tests.postgres import Cluster
from tests.store.counting_proxy import counting_proxy

CONNECTIONS, SECONDS, CODES, ROUNDS, WALKS, READS = 32, 2.0, 4000, 3, 30, 200
STEPS = ("registration", "code exchange", "refresh")
# One checkpoint, ours: what a checkpoint in the middle costs is nobody's step.
_SETTINGS = {"checkpoint_timeout": "1h", "max_wal_size": "8GB"}
_SECOND = 1.05  # what a node remembers of a guarded call is older then

Figures = dict[str, float]


def main() -> None:
    """Measure, and print a line of JSON for each step."""
    pin(LOAD_CORE)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="authgate-bench-")))
        cluster = stack.enter_context(Cluster(_SETTINGS))
        small = stack.enter_context(peer("small", "small"))
        given = {
            "AUTHGATE_UPSTREAM": f"http://127.0.0.1:{small.port}/mcp",
            "AUTHGATE_SECRET_KEY": secrets.token_urlsafe(32),
        }
        _tell(runner.run(_trips(cluster, {**given, "AUTHGATE_DATABASE_POOL": "1"})))
        given["AUTHGATE_DATABASE_URL"] = cluster.url
        with LiveServer(people=(), env=given) as server:
            _tell(runner.run(_pages(server, cluster)))
        ours = stack.enter_context(authgate(folder, given))
        _tell(runner.run(_under_load(ours, cluster)))
        _tell(runner.run(_read(cluster)))
        _tell(_updates(cluster))
        _tell({f"a row of {name}": {"bytes": size} for name, size in _rows(cluster).items()})


def _tell(found: dict[str, Figures]) -> None:
    for step, figures in found.items():
        print(json.dumps({"step": step, **{k: round(v, 1) for k, v in figures.items()}}))
    sys.stdout.flush()


# --- round trips ------------------------------------------------------------------------------


async def _trips(cluster: Cluster, given: dict[str, str]) -> dict[str, Figures]:
    """One of each, with a second before it: nothing is remembered then."""
    found: dict[str, Figures] = {}
    async with counting_proxy(cluster.url) as (url, counts), _person(given, url) as (client, one):

        async def count(step: str, asked: Awaitable[object]) -> None:
            before = counts.turns
            await asked
            found[step] = {"round_trips": float(counts.turns - before)}

        numbers = random.Random(1)
        back = await one.walk(client.question(), mistyped=False)
        connection = await _connected(one, client, back)
        await connection.call(numbers)
        await asyncio.sleep(_SECOND)
        await count("registration", registered(one.book, one.pool, confidential=False))
        await asyncio.sleep(_SECOND)
        await count("refresh", connection.rotate(repeated=False))
        await asyncio.sleep(_SECOND)
        await count("guarded call, not in this second", connection.call(numbers))
        await count("guarded call, again", connection.call(numbers))
        await asyncio.sleep(_SECOND)
        new = Browser(one.book, one.pool, ALICE)
        other = await registered(one.book, one.pool, confidential=False)
        assert other is not None
        ended = asyncio.get_running_loop().create_future()
        await count("sign-in and consent, all five pages", _into(ended, new, other))
        await asyncio.sleep(_SECOND)
        await count("code exchange", _connected(new, other, ended.result()))
    assert not one.book.errors, one.book.examples
    return found


async def _into(ended: asyncio.Future[str | None], browser: Browser, client: Client) -> None:
    ended.set_result(await browser.walk(client.question(), mistyped=False))


async def _connected(browser: Browser, client: Client, back: str | None) -> Connection:
    code = code_in(back or "")
    assert code is not None, browser.book.examples
    connection = Connection(browser.book, browser.pool, client)
    assert await connection.exchange(code), browser.book.examples
    return connection


@asynccontextmanager
async def _person(given: dict[str, str], url: str) -> AsyncIterator[tuple[Client, Browser]]:
    server = LiveServer(people=(ALICE,), env={**given, "AUTHGATE_DATABASE_URL": url})
    await asyncio.to_thread(server.start)
    try:
        book, pool = Book(), Pool(server.port)
        client = await registered(book, pool, confidential=False)
        assert client is not None
        yield client, Browser(book, pool, ALICE)
        pool.close()
    finally:
        await asyncio.to_thread(server.close)


# --- CPU and bytes ----------------------------------------------------------------------------


async def _pages(server: LiveServer, cluster: Cluster) -> dict[str, Figures]:
    """New browsers that sign in and consent; and the same for who is signed in."""
    book, pool = Book(), Pool(server.port)
    made = [await registered(book, pool, confidential=False) for _ in range(WALKS + 1)]
    client, *fresh = [one for one in made if one is not None]
    browser = Browser(book, pool, ALICE)
    await browser.walk(client.question(), mistyped=False)

    async def anew() -> None:
        await Browser(book, pool, ALICE).walk(fresh.pop().question(), mistyped=False)

    async def known() -> None:
        await browser.again(client.question())

    found = {}
    for step, walk in {"sign-in with password": anew, "signed in already": known}.items():
        found[step] = await _measured(cluster, lambda: cpu_seconds(server.pid), _walks(walk))
    pool.close()
    assert not book.errors, book.examples
    return found


def _walks(walk: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[int]]:
    async def made() -> int:
        for _ in range(WALKS):
            await walk()
        return WALKS

    return made


async def _under_load(ours: Authgate, cluster: Cluster) -> dict[str, Figures]:
    rounds: dict[str, list[Figures]] = {}
    for number in range(-1, ROUNDS):
        for name in STEPS:
            work = await WORKS[name](ours, CONNECTIONS, CODES if number >= 0 else 200)
            assert work is not None
            rounds.setdefault(name, []).append(await _loaded(ours, cluster, work))
        call = messages.call_add(ours.port, await access_token(ours))
        calls = Work([always(repeat(call)) for _ in range(CONNECTIONS)], 200, SUM)
        rounds.setdefault("guarded call", []).append(await _loaded(ours, cluster, calls))
    return {name: _median(found[1:]) for name, found in rounds.items()}


async def _loaded(ours: Authgate, cluster: Cluster, work: Work) -> Figures:
    async def made() -> int:
        return (await load(ours.port, work, seconds=SECONDS)).requests

    return await _measured(cluster, ours.server.cpu, made)


async def _measured(
    cluster: Cluster, node_cpu: Callable[[], float], do: Callable[[], Awaitable[int]]
) -> Figures:
    cluster.run("CHECKPOINT")
    wal, size = _held(cluster)
    await asyncio.sleep(0.2)  # whoever was asked has gone by then, and is not missed at the end
    node, postgres = node_cpu(), cpu_seconds(cluster.pid)
    requests = await do()
    node, postgres = node_cpu() - node, cpu_seconds(cluster.pid) - postgres
    wal_after, size_after = _held(cluster)
    return {
        "requests": float(requests),
        "node_us": node / requests * 1e6,
        "postgres_us": postgres / requests * 1e6,
        "wal_bytes": (wal_after - wal) / requests,
        "table_bytes": (size_after - size) / requests,
    }


def _held(cluster: Cluster) -> tuple[float, float]:
    """Bytes of write-ahead log so far, and of all tables with their indexes."""
    ((wal, size),) = cluster.run(
        "SELECT pg_current_wal_lsn() - '0/0', sum(pg_total_relation_size(relid))"
        " FROM pg_stat_user_tables WHERE schemaname = 'authgate'"
    )
    return float(wal), float(size)


async def _read(cluster: Cluster) -> dict[str, Figures]:
    """One row by its key, from 32 callers at once; the node is this process."""
    store = PostgresStore(PostgresPolicy(cluster.url))
    await store.open()
    (one, *_) = await store.accounts()

    async def caller() -> None:
        for _ in range(READS):
            assert await store.account(one.sub)

    async def read() -> int:
        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        return CONNECTIONS * READS

    await caller()
    try:
        own = os.getpid()
        return {"a read by key": await _measured(cluster, lambda: cpu_seconds(own), read)}
    finally:
        await store.close()


def _updates(cluster: Cluster) -> dict[str, Figures]:
    """How many rows were updated, and how many of them without a new entry in an index (HOT)."""
    time.sleep(_SECOND)  # what a connection has counted it tells once a second
    found = cluster.run(
        "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
        " WHERE schemaname = 'authgate' AND n_tup_upd > 500 ORDER BY relname"
    )
    return {
        f"updates of {name}": {"rows": float(rows), "hot": float(hot)} for name, rows, hot in found
    }


def _rows(cluster: Cluster) -> Figures:
    """Bytes of a row with its share of the indexes, where there are enough to tell."""
    cluster.run("VACUUM (FULL, ANALYZE)")
    found = cluster.run(
        "SELECT relname, pg_total_relation_size(oid) / reltuples FROM pg_class"
        " WHERE relnamespace = 'authgate'::regnamespace AND relkind = 'r' AND reltuples > 500"
    )
    return {name: float(size) for name, size in sorted(found)}


def _median(found: list[Figures]) -> Figures:
    return {key: median(one[key] for one in found) for key in found[0]}


if __name__ == "__main__":
    main()
