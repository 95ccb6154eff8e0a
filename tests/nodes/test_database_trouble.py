"""PostgreSQL goes away in mid-load, comes back, freezes, is full of strangers or refuses us.

Meanwhile all nodes say 503 `temporarily_unavailable` and when to come again, and afterwards they go
on by themselves. None is restarted in this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.faults.people import Visitor, told_to_come_back
from tests.faults.traffic import Verdict
from tests.faults.wire import Reply
from tests.nodes.fleet import Fleet
from tests.nodes.places import (
    UNBRAKED,
    Hammer,
    Line,
    Tokens,
    busy,
    clear,
    lines,
    minting,
    ports,
)
from tests.postgres import Cluster, Stop
from tests.store.postgres_help import frozen

DEADLINE = 5.0  # seconds a question to PostgreSQL may take, and nearly as long to connect
ASIDE = 2.0
HEALS = 10.0

SETTINGS = {"max_connections": "40", "superuser_reserved_connections": "3"}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Nodes that come as a plain role: an administrator has connections in reserve."""
    with Cluster(SETTINGS) as cluster:
        cluster.run("CREATE ROLE plain LOGIN PASSWORD 'n0t-in-a-log'")
        cluster.run("GRANT CREATE ON DATABASE authgate TO plain")
        with PlainFleet(cluster) as running:
            yield running
            for node in running.nodes:
                assert "Traceback" not in node.logs()
                assert "n0t-in-a-log" not in node.logs()
                errors = [line for line in node.logs().splitlines() if '"level": "error"' in line]
                assert not [line for line in errors if '"store.unavailable"' not in line]


class PlainFleet(Fleet):
    """Three nodes that are not the database's owner."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(3, env=UNBRAKED, cluster=cluster)

    @property
    def database(self) -> str:
        return super().database.replace("authgate@", "plain:n0t-in-a-log@")

    @property
    def postgres(self) -> Cluster:
        assert self.cluster is not None
        return self.cluster


async def ready(fleet: Fleet) -> None:
    """Until every node says so."""
    ends = time.monotonic() + HEALS
    with lines(fleet) as at:
        while [(await line.wire.get("/readyz")).status for line in at] != [200] * 3:
            assert time.monotonic() < ends
            await asyncio.sleep(0.05)


def assert_refused_clearly(verdict: Verdict) -> None:
    """Nothing was refused otherwise than by 503, and something was."""
    verdict.assert_kept(heals_within=HEALS)
    ended = {act.reply.status or act.reply.lost for act in verdict.acts if not act.well}
    assert ended == {503}, verdict.counts


@pytest.mark.parametrize(("how", "down"), [("immediate", 0.0), ("fast", 10.0)])
async def test_restarted_in_mid_load(fleet: PlainFleet, how: Stop, down: float) -> None:
    """All promises of `tests.faults`; people at the pages and tools are told to come again."""
    node = fleet.nodes[0]
    async with busy(fleet, ports(fleet.nodes), clients=6, codes=8) as traffic:
        visitor = Visitor(node)
        client_id = (await visitor.register()).json()["client_id"]
        page = await visitor.sign_in_page(client_id)
        async with traffic.running():
            await asyncio.sleep(0.5)
            with traffic.cause():
                await asyncio.to_thread(fleet.postgres.stop, how)
                if down:
                    assert told_to_come_back(await visitor.sign_in(page), page=True)
                    assert told_to_come_back(await visitor.begin(client_id), page=True)
                    await asyncio.sleep(down)
                await asyncio.to_thread(fleet.postgres.start)
            await ready(fleet)
            await asyncio.sleep(0.5)
        verdict = await traffic.verify()
        assert (await visitor.sign_in(page)).status_code == 303
        await visitor.close()
    assert_refused_clearly(verdict)
    if down:
        # Those that PostgreSQL still answers while it stops are answered.
        assert {503} <= set(verdict.during("refresh")) <= {200, 503}
        assert set(verdict.during("call")) <= {200, 503}
        assert verdict.slowest("refresh") < DEADLINE + ASIDE


async def test_all_backends_frozen(fleet: PlainFleet) -> None:
    """Refused by the deadline, and nothing piles up: documents come at once, a call is let in from
    memory for a second and no longer, and when PostgreSQL goes on, so does everything."""
    async with minting(fleet) as mint:
        with lines(fleet) as calling, lines(fleet) as reading, lines(fleet) as asking:
            tokens = await calling[0].tokens(mint)
            for line in calling:
                assert (await line.call(tokens.access)).status == 200
            calls = Hammer(lambda line: line.call(tokens.access), calling)
            documents = Hammer(lambda line: line.wire.get("/.well-known/jwks.json"), reading)
            refreshes = Hammer(lambda line: line.refresh(tokens), asking)
            async with calls.falling(), documents.falling(), refreshes.falling():
                await asyncio.sleep(0.3)
                pids = [fleet.postgres.pid, *fleet.postgres.backends()]
                with frozen(pids):
                    began = time.monotonic()
                    await asyncio.sleep(8.0)
                    thawed = time.monotonic()
                await ready(fleet)
                assert time.monotonic() - thawed < HEALS
                well = time.monotonic()
                await asyncio.sleep(0.5)
    assert calls.statuses(well) == refreshes.statuses(well) == {200}
    for hammer in (calls, refreshes):
        assert hammer.statuses() == {200, 503}
        assert hammer.slowest() < DEADLINE + ASIDE
    assert documents.statuses() == {200}
    assert documents.slowest() < 0.5
    for line in calling:
        assert calls.last_yes_before(thawed, line.port) - began < 1.0
    said = [r for told in (*calls.told.values(), *refreshes.told.values()) for _, _, r in told]
    assert all(clear(reply) for reply in said if reply.status == 503)


async def test_strangers_hold_every_connection(fleet: PlainFleet) -> None:
    """Ours were ended and theirs came first: a clear no or a yes, soon, and well again after."""
    async with minting(fleet) as mint:
        with lines(fleet) as at:
            tokens = [await line.tokens(mint) for line in at]
            with strangers(fleet.postgres):
                replies = await a_burst(fleet, at, tokens)
            assert clear_or_well(replies)
            assert 503 in {reply.status for reply in replies}
            await ready(fleet)
            assert {r.status for r in await a_burst(fleet, at, tokens)} == {200}


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        ("ALTER ROLE plain CONNECTION LIMIT 1", "ALTER ROLE plain CONNECTION LIMIT -1"),
        ("ALTER ROLE plain NOLOGIN", "ALTER ROLE plain LOGIN"),
    ],
    ids=["one-connection", "not-let-in"],
)
async def test_the_role_is_refused(fleet: PlainFleet, trouble: str, remedy: str) -> None:
    async with minting(fleet) as mint:
        with lines(fleet) as at:
            tokens = [await line.tokens(mint) for line in at]
            fleet.postgres.run(trouble)
            try:
                end_ours(fleet.postgres)
                assert clear_or_well(await a_burst(fleet, at, tokens))
            finally:
                fleet.postgres.run(remedy)
            await ready(fleet)
            assert {r.status for r in await a_burst(fleet, at, tokens)} == {200}


async def test_the_password_was_changed_under_us(fleet: PlainFleet) -> None:
    """Or pg_hba.conf was: whoever is connected stays so, and nobody else is let in."""
    hba = fleet.postgres.data / "pg_hba.conf"
    before = hba.read_text()
    async with minting(fleet) as mint:
        with lines(fleet) as at:
            tokens = [await line.tokens(mint) for line in at]
            hba.write_text(
                "host all authgate 127.0.0.1/32 trust\nhost all plain all scram-sha-256\n"
            )
            fleet.postgres.run("ALTER ROLE plain PASSWORD 'another'")
            os.kill(fleet.postgres.pid, signal.SIGHUP)
            try:
                await asyncio.sleep(0.3)
                assert {r.status for r in await a_burst(fleet, at[:1], tokens[:1])} <= {200, 503}
                end_ours(fleet.postgres)
                replies = await a_burst(fleet, at, tokens)
                assert clear_or_well(replies)
                assert {reply.status for reply in replies} == {503}
            finally:
                fleet.postgres.run("ALTER ROLE plain PASSWORD 'n0t-in-a-log'")
                hba.write_text(before)
                os.kill(fleet.postgres.pid, signal.SIGHUP)
            await ready(fleet)
            assert {r.status for r in await a_burst(fleet, at, tokens)} == {200}


async def test_two_connections_and_a_hundred_exchanges(fleet: PlainFleet) -> None:
    """A node with a pool of two: everybody is answered in turn, and nobody hangs."""
    env = {"AUTHGATE_DATABASE_POOL": "2"}
    node = await asyncio.to_thread(fleet.add_node, env=env)
    try:
        async with minting(fleet) as mint:
            with lines(fleet, [node] * 100) as crowd:
                client_id = await crowd[0].register()
                form = {"grant_type": "authorization_code", "client_id": client_id}
                codes = await mint.codes(client_id, len(crowd))
                replies = await asyncio.gather(
                    *(
                        line.token(**form, code=code, code_verifier=verifier)
                        for line, (code, verifier) in zip(crowd, codes, strict=True)
                    )
                )
            assert clear_or_well(replies)
            assert {reply.status for reply in replies} == {200}
            held = "SELECT 1 FROM authgate.grants WHERE client_id = '{}'"
            assert len(fleet.postgres.run(held.format(client_id))) == 100
    finally:
        await asyncio.to_thread(fleet.drop, node)


def end_ours(cluster: Cluster) -> None:
    cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'plain'")


@contextlib.contextmanager
def strangers(cluster: Cluster) -> Iterator[None]:
    """They take what there is, and ours are ended until none comes free any more."""
    cluster.run("CREATE ROLE stranger LOGIN")
    url = cluster.url.replace("authgate@", "stranger@")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            end_ours(cluster)
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(url, connect_timeout=5))
        yield
    cluster.run("DROP ROLE stranger")


async def a_burst(fleet: Fleet, at: list[Line], tokens: list[Tokens]) -> list[Reply]:
    """Twenty refreshes and calls at each of these nodes at once; none may hang."""
    nodes = [node for node in fleet.nodes if node.port in {line.port for line in at}]
    with contextlib.ExitStack() as stack:
        crowd = [line for _ in range(20) for line in stack.enter_context(lines(fleet, nodes))]
        asked = [line.refresh(tokens[n % len(tokens)]) for n, line in enumerate(crowd)]
        return list(await asyncio.gather(*asked))


def clear_or_well(replies: list[Reply]) -> bool:
    """Each said yes, or no in time and in the words for it."""
    wrong = [reply for reply in replies if reply.status != 200 and not clear(reply)]
    assert not wrong, wrong[:3]
    assert max(reply.took for reply in replies) < DEADLINE + ASIDE
    return True
