"""What only PostgreSQL can suffer: frozen, restarted, full, refusing, and behind a pooler."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest

from authgate.protocol.records import UsageRow
from authgate.store import postgres_sql as sql
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from authgate.store.postgres_schema import Place
from authgate.store.postgres_wire import Statement
from tests.live import reserved_port
from tests.postgres import Cluster, new_schema, shared
from tests.store.contract.samples import (
    NOW,
    account,
    audit,
    begin,
    client,
    issue,
    redeem,
    request,
    token,
)
from tests.store.postgres_help import frozen, opened, pgbouncer, policy


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster({"max_connections": "12", "superuser_reserved_connections": "3"}) as own:
        yield own


# --- callers and connections ----------------------------------------------------------------------


async def test_a_hundred_callers_share_two_connections() -> None:
    async with opened(shared().url, pool=2) as store:
        await store.register_client(client(), audit())
        asked = [store._one(sql.CLIENT, ("client-1",)) for _ in range(100)]
        assert len([row for row in await asyncio.gather(*asked) if row]) == 100
        assert store.pool_stats() == {
            "size": 2, "open": 2, "idle": 2, "busy": 0, "opening": 0, "waiting": 0,
        }  # fmt: skip


async def test_who_waits_too_long_or_comes_too_late_is_refused() -> None:
    async with opened(shared().url, pool=1, wait=0.2, waiting=3) as store:
        store._statements["sleep"] = _statement("SELECT 1 FROM pg_sleep(0.6)")
        busy = asyncio.ensure_future(store._one("sleep"))
        await asyncio.sleep(0.1)
        waiting = [asyncio.ensure_future(store._one(sql.REVISION)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable, match="too many"):
            await store._one(sql.REVISION)
        for refused in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(refused, StoreUnavailable)
        assert await busy == (1,)
        assert await store._one(sql.REVISION)


async def test_a_statement_that_takes_too_long_is_stopped() -> None:
    async with opened(shared().url, deadline=0.3) as store:
        store._statements["sleep"] = _statement("SELECT 1 FROM pg_sleep(60)")
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="in time"):
            await store._one("sleep")
        assert time.monotonic() - began < 2
        assert await store._one(sql.REVISION)
        still = (
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT 1 FROM pg_sleep(60%'"
        )
        for _ in range(50):
            if shared().run(still + " AND state = 'active' AND pid <> pg_backend_pid()") == [(0,)]:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("it still runs")


async def test_a_deadlock_is_tried_again_and_nobody_hears_of_it() -> None:
    async with opened(shared().url, deadline=10) as store:
        for name in ("a", "b"):
            await store.add_account(account(f"ag_{name}", f"{name}@x"), audit())
        set_ = "UPDATE @.accounts SET created_at = created_at + 1 WHERE sub = $1"
        store._statements["set"] = _statement(store._place.in_schema(set_), "sub")
        store._statements["wait"] = _statement("SELECT pg_sleep(0.3)")
        there = (("set", ("ag_a",)), ("wait", ()), ("set", ("ag_b",)))
        await asyncio.gather(store._together(*there), store._together(*reversed(there)))
        assert [a.created_at for a in await store.accounts()] == [NOW + 2, NOW + 2]


def _statement(text: str, *order: str) -> Statement:
    return Statement(text, order)


# --- a server in trouble --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_after_a_restart_it_goes_on_by_itself(cluster: Cluster, how: str) -> None:
    async with opened(cluster.url, pool=4) as store:
        await asyncio.gather(*(store._one(sql.REVISION) for _ in range(8)))
        cluster.stop(how)
        with pytest.raises(StoreUnavailable) as refused:
            await store.register_client(client("lost"), audit())
        assert "authgate@" not in str(refused.value)
        cluster.start()
        for _ in range(50):
            try:
                await store.ping()
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
        await store.register_client(client("kept"), audit())
        assert [c.client_id for c in await store.clients()] == ["kept"]


async def test_a_frozen_server_holds_nobody_and_it_heals(cluster: Cluster) -> None:
    async with opened(cluster.url, pool=3, deadline=0.4, wait=0.3, connect=1) as store:
        await asyncio.gather(*(store._one(sql.REVISION) for _ in range(6)))
        with frozen(cluster.backends()):
            began = time.monotonic()
            asked = [store.ping() for _ in range(20)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert time.monotonic() - began < 5
            assert any(isinstance(a, StoreUnavailable) for a in answers)
            # New connections have a backend of their own, which is not frozen.
            await store.ping()
        assert store.pool_stats()["busy"] == 0
        await asyncio.gather(*(store.ping() for _ in range(10)))


async def test_no_connection_left(cluster: Cluster) -> None:
    cluster.run("CREATE ROLE plain LOGIN")
    cluster.run("GRANT CREATE ON DATABASE authgate TO plain")
    url = cluster.url.replace("authgate@", "plain@")
    async with opened(url, pool=4) as store:
        with contextlib.ExitStack() as others:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    others.enter_context(psycopg.connect(url))
            with pytest.raises(StoreUnavailable, match="no connection left to give"):
                await asyncio.gather(*(store.ping() for _ in range(4)))
        await asyncio.sleep(0.1)
        await store.ping()


async def test_a_server_that_turned_read_only_is_not_ready_and_says_so(cluster: Cluster) -> None:
    async with opened(cluster.url) as store:
        await store.ping()
        cluster.run("ALTER DATABASE authgate SET default_transaction_read_only = on")
        try:
            await store.close()
            with pytest.raises(StoreUnavailable, match="read-only"):
                await store.open()
        finally:
            cluster.run(
                "ALTER DATABASE authgate RESET default_transaction_read_only", database="postgres"
            )
        await store.open()
        await store.ping()


# --- what an opening refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((r"/authgate$", "/nowhere"), "has no database of that name"),
        ((r"$", "?sslmode=require"), "offers no TLS, which sslmode asks for"),
        (("authgate@", "nobody:s3cret@"), "does not know the user"),
        (("127.0.0.1", "nowhere.invalid"), "cannot be found by that name"),
    ],
)
async def test_who_cannot_be_reached_is_named_without_secrets(
    cluster: Cluster, change: tuple[str, str], said: str
) -> None:
    store = PostgresStore(policy(re.sub(*change, cluster.url), connect=2))
    with pytest.raises(StoreUnavailable, match=said) as refused:
        await store.open()
    assert "AUTHGATE_DATABASE_URL" in str(refused.value)
    assert "s3cret" not in f"{refused.value!r} {store._policy!r} {store._place!r} {vars(store)}"


async def _refusal(url: str) -> str:
    store = PostgresStore(policy(url))
    try:
        await store.open()
    except StoreUnavailable as error:
        return str(error)
    await store.close()
    return ""


async def test_a_wrong_password_is_not_repeated() -> None:
    with Cluster() as own:
        own.run("ALTER ROLE authgate PASSWORD 'right'")
        hba = own.data / "pg_hba.conf"
        hba.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        os.kill(own.pid, signal.SIGHUP)
        wrong = own.url.replace("authgate@", "authgate:wr0ng@")
        for _ in range(50):
            said = await _refusal(wrong)
            if said:
                break
            await asyncio.sleep(0.1)
        assert "refuses the user or the password; check AUTHGATE_DATABASE_URL" in said
        assert "server is up" not in said
        assert "wr0ng" not in said
        async with opened(own.url.replace("authgate@", "authgate:right@")) as store:
            await store.ping()


async def test_nobody_is_there() -> None:
    with reserved_port() as held:
        url = f"postgresql://authgate@127.0.0.1:{held.getsockname()[1]}/authgate"
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await PostgresStore(policy(url)).open()


async def test_another_isolation_is_refused_with_its_remedy(cluster: Cluster) -> None:
    cluster.run("CREATE ROLE strict LOGIN")
    cluster.run("GRANT CREATE ON DATABASE authgate TO strict")
    cluster.run("ALTER ROLE strict SET default_transaction_isolation = 'serializable'")
    store = PostgresStore(policy(cluster.url.replace("authgate@", "strict@")))
    with pytest.raises(StoreUnavailable) as refused:
        await store.open()
    with pytest.raises(StoreUnavailable, match="read committed"):
        await store.pending()
    remedy = str(refused.value).partition("ALTER ROLE")
    cluster.run("".join(remedy[1:]))
    await store.open()
    await store.close()


async def test_without_the_right_to_make_a_schema_the_command_is_told(cluster: Cluster) -> None:
    cluster.run("CREATE ROLE humble LOGIN")
    store = PostgresStore(policy(cluster.url.replace("authgate@", "humble@"), schema="ours"))
    with pytest.raises(StoreUnavailable, match="CREATE SCHEMA ours AUTHORIZATION"):
        await store.open()
    cluster.run("CREATE SCHEMA ours AUTHORIZATION humble")
    await store.open()
    await store.close()


# --- text that PostgreSQL cannot hold -----------------------------------------------------------


@pytest.mark.parametrize("text", ["a\0b", "\x1a0000", "\x1a", "\ud800", "x\0\x1a\udfff\0"])
async def test_what_it_cannot_hold_comes_back_as_it_was(text: str) -> None:
    async with opened(shared().url) as store:
        await store.open_request(request(state=text))
        assert await store.request(request().request_digest) == request(state=text)
        assert await store.client(text) is None


# --- poolers and prepared statements --------------------------------------------------------------


@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("prepare", [None, False])
async def test_behind_a_pooler_steps_are_what_they_are(mode: str, prepare: bool | None) -> None:
    with pgbouncer(shared().url, mode) as url:
        async with opened(url, pool=3, prepare=prepare) as store:
            for i in range(6):
                names = [f"{i}-{k}" for k in range(6)]
                await asyncio.gather(*(issue(store, name) for name in names))
                won = await asyncio.gather(*(redeem(store, n) for n in names for _ in range(3)))
                assert [w.value for w in won].count("redeemed") == 6
            await begin(store, "refreshed")
            rotated = await store.rotate_refresh_token(
                token("refreshed").token_digest, token("refreshed", 1), NOW + 9, NOW, 60, audit()
            )
            assert rotated.rotation.value == "rotated"
            assert store._pool is not None
            if mode == "session" and prepare is None:
                assert store._pool._prepare


async def test_a_statement_that_is_sent_twice_at_once_is_prepared_once() -> None:
    async with opened(shared().url, pool=1, prepare=True) as store:
        await store.add_usage([UsageRow(day, "ours", "", 1, 0) for day in range(20)])
        assert len(await store.usage(0)) == 20
        assert store._pool is not None
        assert store._pool._prepare


async def test_prepared_statements_that_went_away_are_done_without() -> None:
    async with opened(shared().url, pool=1, prepare=True) as store:
        await store.register_client(client(), audit())
        assert await store._one(sql.CLIENT, ("client-1",))
        store._statements["forget"] = _statement("DEALLOCATE ALL")
        await store._changed("forget")
        assert await store._one(sql.CLIENT, ("client-1",))
        assert store._pool is not None
        assert not store._pool._prepare


def test_the_ports_of_transaction_poolers_are_known() -> None:
    def prepares(port: int, prepare: bool | None = None) -> bool:
        url = f"postgresql://u@h:{port}/d"
        return Place(PostgresPolicy(url, new_schema(), prepare=prepare)).may_prepare

    assert prepares(5432)
    assert not prepares(6543)
    assert not prepares(6432)
    assert prepares(6543, True)
    assert not prepares(5432, False)
