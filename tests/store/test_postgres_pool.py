"""Connections that are of no use any more though nobody says so, and changes nobody hears of."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from authgate.store import postgres_pool
from authgate.store import postgres_sql as sql
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_wire import Statement
from tests.live import reserved_port
from tests.postgres import new_schema, shared
from tests.store.contract.samples import DAY, NOW, audit, begin, client
from tests.store.postgres_help import opened, policy


def _tell(store: PostgresStore, name: str, text: str) -> str:
    store._statements[name] = Statement(text, ())
    return name


def _backend(store: PostgresStore) -> str:
    return _tell(store, "backend", "SELECT pg_backend_pid()")


# --- connections that must not be kept ------------------------------------------------------------


async def test_a_server_that_takes_no_writes_any_more_is_left_for_the_one_that_does() -> None:
    async with opened(shared().url, pool=3) as store:
        read_only = _tell(store, "read_only", "SET default_transaction_read_only = on")
        slowly = _tell(store, "slowly", "SELECT 1 FROM pg_sleep(0.1)")
        await asyncio.gather(*(store._one(slowly) for _ in range(3)))
        await asyncio.gather(*(store._together((slowly, ()), (read_only, ())) for _ in range(3)))
        await store.register_client(client(), audit())
        assert store.pool_stats()["open"] == 1


async def test_no_connection_is_made_to_a_standby() -> None:
    """What it says of a grant may be older than a second."""
    shared().run("DROP ROLE IF EXISTS reads_only")
    shared().run("CREATE ROLE reads_only LOGIN SUPERUSER")
    schema = new_schema()
    url = shared().url.replace("authgate@", "reads_only@")
    async with opened(url, schema=schema) as store:
        await store.ping()
        assert store._pool is not None
        shared().run("ALTER ROLE reads_only SET default_transaction_read_only = on")
        store._pool._let_go_of_idle(float("inf"))
        with pytest.raises(StoreUnavailable, match="is read-only"):
            await store.client("client-1")
        shared().run("ALTER ROLE reads_only RESET default_transaction_read_only")
        await asyncio.sleep(postgres_pool._PAUSE)
        assert await store.client("client-1") is None


async def test_a_column_of_another_type_is_met_once() -> None:
    async with opened(shared().url, pool=6, prepare=True) as store:
        await store.register_client(client(), audit())
        slowly = _tell(store, "slowly", "SELECT 1 FROM pg_sleep(0.1)")
        prepared = ((slowly, ()), (sql.CLIENT, ("client-1",)))
        await asyncio.gather(*(store._together(*prepared) for _ in range(6)))
        shared().run(f"ALTER TABLE {store._policy.schema}.clients ALTER name TYPE varchar")
        for _ in range(8):
            assert await store._one(sql.CLIENT, ("client-1",))
        shared().run(f"ALTER TABLE {store._policy.schema}.clients ADD unheard_of text")
        assert await store._one(sql.CLIENT, ("client-1",))


async def test_a_pooler_that_keeps_what_it_prepared_is_done_without() -> None:
    """PgBouncer from 1.21 on prepares by the text, on connections of its own that outlive ours."""
    async with opened(shared().url, pool=2, prepare=True) as store:
        schema = store._policy.schema
        shared().run(
            f"CREATE FUNCTION {schema}.outdated() RETURNS int LANGUAGE plpgsql AS "
            "$$ BEGIN IF EXISTS (SELECT FROM pg_prepared_statements) THEN "
            "RAISE 'cached plan must not change result type' USING ERRCODE = '0A000'; END IF; "
            "RETURN 1; END $$"
        )
        outdated = _tell(store, "outdated", f"SELECT {schema}.outdated()")
        assert await store._one(outdated) == (1,)


async def test_connections_are_replaced_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_pool, "_LIFETIME", 0.3)
    monkeypatch.setattr(postgres_pool, "_LIFETIME_SPREAD", 0.0)
    async with opened(shared().url, pool=2) as store:
        backend = _backend(store)
        (first,) = await store._one(backend) or ()
        assert await store._one(backend) == (first,)
        await asyncio.sleep(0.35)
        await store._one(backend)  # still answered by the old one
        assert await store._one(backend) != (first,)
        assert store.pool_stats()["open"] == 1


async def test_a_connection_that_waits_at_the_bottom_is_let_go_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_pool, "_LIFETIME_SPREAD", 0.0)
    async with opened(shared().url, pool=2) as store:
        monkeypatch.setattr(postgres_pool, "_LIFETIME", 0.3)
        slowly = _tell(store, "slowly", "SELECT 1 FROM pg_sleep(0.1)")
        await store._one(slowly)
        monkeypatch.setattr(postgres_pool, "_LIFETIME", 60.0)
        await asyncio.gather(*(store._one(slowly) for _ in range(2)))
        assert store.pool_stats()["idle"] == 2
        await asyncio.sleep(0.2)
        for _ in range(3):
            await store.ping()
        assert store.pool_stats()["idle"] == 1


async def test_an_idle_connection_that_the_server_ends_costs_nobody_an_error() -> None:
    async with opened(shared().url, pool=2) as store:
        (pid,) = await store._one(_backend(store)) or ()
        shared().run(f"SELECT pg_terminate_backend({pid})")
        async with asyncio.timeout(5):
            while store.pool_stats()["idle"]:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.01)
        await store.ping()


async def test_a_close_that_is_cut_short_leaves_no_connection_behind() -> None:
    store = PostgresStore(policy(shared().url, pool=2))
    await store.open()
    pool = store._pool
    assert pool is not None
    slowly = _tell(store, "slowly", "SELECT 1 FROM pg_sleep(0.2)")
    await asyncio.gather(store._one(slowly), store._one(slowly))
    asked = asyncio.ensure_future(store._one(slowly))
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0.05)
    closing.cancel()
    assert await asked == (1,)
    assert pool.stats()["open"] == 0


class Gone:
    """A host between us and PostgreSQL. Once `gone`, nothing passes on the connections there are,
    and no end of them either; new ones find another host."""

    def __init__(self) -> None:
        self.carriers: set[asyncio.Task[None]] = set()
        self.writers: list[asyncio.StreamWriter] = []

    def gone(self) -> None:
        for task in self.carriers:
            task.cancel()


@contextlib.asynccontextmanager
async def _host(url: str) -> AsyncIterator[tuple[str, Gone]]:
    to = urlsplit(url)
    host = Gone()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection(to.hostname, to.port)
        host.writers += [writer, ahead]
        for task in (
            asyncio.create_task(carry(reader, ahead)),
            asyncio.create_task(carry(behind, writer)),
        ):
            host.carriers.add(task)
            task.add_done_callback(host.carriers.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield urlunsplit(to._replace(netloc=f"{to.username}@127.0.0.1:{port}")), host
    finally:
        host.gone()
        for writer in host.writers:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_host_that_is_gone_without_a_word_costs_one_deadline() -> None:
    async with _host(shared().url) as (url, host):
        store = PostgresStore(policy(url, pool=4, deadline=0.5))
        await store.open()
        slowly = _tell(store, "slowly", "SELECT 1 FROM pg_sleep(0.1)")
        await asyncio.gather(*(store._one(slowly) for _ in range(4)))
        host.gone()
        await asyncio.sleep(0.5)
        with pytest.raises(StoreUnavailable, match="in time"):
            await store.ping()
        began = time.monotonic()
        await store.ping()
        assert time.monotonic() - began < 0.4
        await store.close()


async def test_who_is_silent_for_long_is_asked_by_the_system() -> None:
    async with opened(shared().url) as store:
        await store.ping()
        assert store._pool is not None
        with socket.socket(fileno=socket.dup(store._pool._idle[0]._socket)) as used:
            assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
            assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


async def test_of_several_hosts_the_one_that_takes_writes_is_found() -> None:
    to = urlsplit(shared().url)
    user = f"{to.username}:{to.password}" if to.password else to.username
    with reserved_port() as nobody:
        there = f"{to.hostname}:{to.port}"
        for hosts in (f"127.0.0.1:{nobody.getsockname()[1]},{there}", f"{there},{there}"):
            url = urlunsplit(to._replace(netloc=f"{user}@{hosts}"))
            async with opened(url) as store:
                await store.ping()
                assert store._place.named().startswith(hosts)


# --- changes whose answer nobody hears ------------------------------------------------------------


@pytest.mark.parametrize("how", ["the caller leaves", "the answer is late"])
async def test_what_was_changed_is_not_remembered_though_nobody_heard_of_it(how: str) -> None:
    late = how == "the answer is late"
    async with opened(shared().url, pool=3, deadline=0.4 if late else 5.0) as store:
        await begin(store)
        schema = store._policy.schema
        db = await psycopg.AsyncConnection.connect(shared().url)
        try:
            await db.execute(f"SELECT 1 FROM {schema}.grants FOR UPDATE".encode())
            ending = asyncio.ensure_future(store.end_grant("grant-1", "x", NOW, audit()))
            await asyncio.sleep(0.1)
            if not late:
                ending.cancel()
            found = await store.grant("grant-1")
            assert found is not None
            assert found.revoked_at is None
            if late:
                # It may have happened for all we know, as it has here.
                with pytest.raises(StoreUnavailable):
                    await ending
                assert "grant-1" not in store._grants._known
                return
            await db.commit()
            async with asyncio.timeout(0.5):  # half of what may be remembered
                while found is None or found.revoked_at is None:
                    await asyncio.sleep(0.01)
                    found = await store.grant("grant-1")
        finally:
            await db.close()


async def test_a_client_that_was_swept_is_not_remembered() -> None:
    async with opened(shared().url) as store:
        await store.register_client(client(), audit())
        assert await store.client("client-1") is not None
        assert (await store.sweep(NOW + 2 * DAY, access_ttl=60)).clients == 1
        assert await store.client("client-1") is None


# --- what an opening refuses ----------------------------------------------------------------------


async def test_a_schema_of_somebody_else_is_refused_with_its_remedy() -> None:
    shared().run("DROP ROLE IF EXISTS stranger")
    shared().run("CREATE ROLE stranger LOGIN")
    async with opened(shared().url) as store:
        schema = store._policy.schema
        other = PostgresStore(policy(shared().url.replace("authgate@", "stranger@"), schema=schema))
        for ask in (other.open, other.pending):
            with pytest.raises(
                StoreUnavailable, match=f"GRANT USAGE ON SCHEMA {schema}"
            ) as refused:
                await ask()
        told = str(refused.value).partition("GRANT")
        shared().run("".join(told[1:]).replace("…", "stranger"))
        await other.open()
        await other.register_client(client(), audit())
        await other.close()
        shared().run("DROP OWNED BY stranger")
        shared().run("DROP ROLE stranger")
