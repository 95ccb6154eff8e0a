"""The sweep beside the steps, and beside other sweeps: it waits for nobody, and nobody for it."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql as text

from authgate.store.contract import Store, Swept
from authgate.store.postgres import PostgresStore
from tests.store.contract.engines import PostgresEngine
from tests.store.contract.samples import (
    DAY,
    NOW,
    audit,
    begin,
    client,
    code,
    grant,
    issue,
    redeem,
    request,
    session,
    token,
    transaction,
)

DEAD = 50_000
LATER = NOW + 400 * DAY
TTL = 3_600


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
async def store(engine: PostgresEngine) -> AsyncIterator[Store]:
    store = engine.store()
    await store.open()
    yield store
    await store.close()


async def _all_kinds(store: Store, names: list[str]) -> None:
    for name in names:
        await store.register_client(client(f"c-{name}"), audit())
        await begin(store, name, expires_at=NOW + DAY, client_id=f"c-{name}")
        await issue(store, f"unspent-{name}")
        await store.open_request(request(f"r-{name}", state="x"))
        await store.open_session(session(f"s-{name}"), audit())
        await store.open_transaction(transaction(f"t-{name}"))
        await store.first_sight(name, NOW)


def _dead_of(engine: PostgresEngine, tables: Iterable[str]) -> dict[str, int]:
    """How many rows are left, without the requests by which `issue` made codes: they run on."""
    rows = engine.rows()
    rows["authorization_requests"] = [r for r in rows["authorization_requests"] if r[12] < LATER]
    return {table: len(rows[table]) for table in tables}


async def _sweep(store: Store, batch: int = 500) -> Swept:
    return await store.sweep(LATER, access_ttl=TTL, audit_days=1, batch=batch)


async def test_what_somebody_has_locked_is_passed_over(
    engine: PostgresEngine, store: Store
) -> None:
    names = ["free", "held"]
    await _all_kinds(store, names)
    locked = {
        "clients": "client_id = 'c-held'",
        "grants": "grant_id = 'grant-held'",
        "refresh_tokens": f"token_digest = '{token('held').token_digest}'",
        "codes": f"code_digest = '{code('held').code_digest}'",
        "authorization_requests": f"request_digest = '{request('r-held').request_digest}'",
        "sessions": f"session_digest = '{session('s-held').session_digest}'",
        "social_transactions": (
            f"transaction_digest = '{transaction('t-held').transaction_digest}'"
        ),
        "seen_events": "event_id = 'held'",
    }
    async with await psycopg.AsyncConnection.connect(engine.url) as db:
        for table, where in locked.items():
            await db.execute(
                text.SQL(f"SELECT 1 FROM {{}}.{table} WHERE {where} FOR UPDATE").format(
                    text.Identifier(engine.schema)
                )
            )
        async with asyncio.timeout(4):  # a call that waited would be refused after five
            swept = await _sweep(store)
        assert _dead_of(engine, locked) == dict.fromkeys(locked, 1)
        assert swept.total > len(locked)
    await _sweep(store)
    assert _dead_of(engine, locked) == dict.fromkeys(locked, 0)


async def test_two_nodes_sweep_at_once(engine: PostgresEngine, store: Store) -> None:
    await _all_kinds(store, [str(i) for i in range(60)])
    kinds = {
        "codes": "codes", "clients": "clients", "grants": "grants", "sessions": "sessions",
        "refresh_tokens": "refresh_tokens", "requests": "authorization_requests",
        "transactions": "social_transactions", "events": "seen_events", "audit": "audit_events",
    }  # fmt: skip
    expected = _dead_of(engine, kinds.values())
    other = engine.store()
    await other.open()
    before = engine.troubles()
    seen: list[Swept] = []

    async def sweeper(node: Store) -> None:
        while (swept := await _sweep(node, batch=7)).total:
            seen.append(swept)

    async with asyncio.timeout(30):
        await asyncio.gather(sweeper(store), sweeper(other))
    # What was locked by the one when the other came last.
    seen.append(await _sweep(store))
    for kind, table in kinds.items():
        counted = [getattr(swept, kind) for swept in seen]
        assert max(counted[:-1]) <= 7
        assert sum(counted) == expected[table], kind
    assert not any(_dead_of(engine, kinds.values()).values())
    await other.close()
    await store.close()
    assert engine.troubles() == before


def _much_is_dead(engine: PostgresEngine) -> None:
    """Codes, grants and tokens that ended long ago, as after a year of nobody sweeping."""
    ended = NOW - 300 * DAY
    for statement in (
        "INSERT INTO {schema}.codes SELECT 'dead-' || i, 'dead-' || i, 'c', 'u', 'x', '', 'r', "
        f"'ag', 'd', 'n', '', 1, 1, 1, {ended} + i % 1000, 0, {ended} + i % 1000 "
        f"FROM generate_series(1, {DEAD}) AS i",
        "INSERT INTO {schema}.grants SELECT 'dead-' || i, 'c', 'ag', 'd', 'n', '', 1, '', 'r', "
        f"1, 1, 1, {ended} + i % 1000 FROM generate_series(1, {DEAD}) AS i",
        "INSERT INTO {schema}.refresh_tokens SELECT 'dead-' || i, 'dead-' || i, 1, 1 "
        f"FROM generate_series(1, {DEAD}) AS i",
    ):
        engine.run(statement)  # no statistics of them yet, as after a burst


async def _waits(store: PostgresStore, name: str, rounds: int) -> list[float]:
    """How long each redemption and rotation took, in milliseconds."""
    took = []
    for i in range(rounds):
        which = f"{name}-{i}"
        await issue(store, which)
        begun = time.perf_counter()
        await redeem(store, which)
        await store.rotate_refresh_token(
            *(token(which).token_digest, token(which, 1), grant().expires_at, NOW, 60, audit())
        )
        took.append((time.perf_counter() - begun) * 500)
    return took


async def test_no_step_waits_for_a_sweep_of_much(engine: PostgresEngine, store: Store) -> None:
    assert isinstance(store, PostgresStore)
    await _waits(store, "warm", 20)
    quiet = await _waits(store, "quiet", 100)
    await asyncio.to_thread(_much_is_dead, engine)
    steps = asyncio.create_task(_waits(store, "busy", 200))
    swept: list[tuple[float, Swept]] = []
    while not steps.done():
        begun = time.perf_counter()
        one = await store.sweep(NOW, access_ttl=TTL)
        swept.append((time.perf_counter() - begun, one))
    busy = await steps
    taken = [one for _, one in swept]
    assert taken[0].codes == taken[0].grants == taken[0].refresh_tokens == 500
    assert max(one.codes for one in taken) == 500
    # A step beside the sweep takes a little longer (the machine does both), and never as long as a
    # sweep, for which it would wait if it had to.
    print(
        f"a step alone {statistics.median(quiet):.2f} ms, beside {len(swept)} sweeps "
        f"{statistics.median(busy):.2f} ms (at most {max(busy):.1f}); a sweep of 1,500 rows "
        f"{statistics.median(seconds for seconds, _ in swept) * 1000:.0f} ms"
    )
    assert statistics.median(busy) < statistics.median(quiet) + 5
