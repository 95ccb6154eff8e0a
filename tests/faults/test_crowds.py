"""Connections that never become requests, more of them than there are file handles, and strangers
who register all day."""

from __future__ import annotations

import asyncio
import resource
import socket
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from authgate.store.sqlite import SqliteStore
from authgate.web.listener import DEADLINE
from tests.faults.places import database, one_server
from tests.faults.test_silent_directory import Vitals
from tests.faults.traffic import CALLBACK
from tests.faults.wire import Wire
from tests.live import LiveServer

HALF_OPEN = 2_000
HALVES = [
    b"",
    b"POST /oauth/tok",
    b"POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: app",
    b"POST /oauth/token HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant_type=",
]
CROWD = 10_000
LIMIT = 100  # registrations in five seconds, the default
HOUR = 3_600


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as this process may have."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def half_open(server: LiveServer, count: int) -> list[socket.socket]:
    """That many connections on which a part of a request was sent, or nothing."""
    made = []
    for n in range(count):
        one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        one.sendall(HALVES[n % len(HALVES)])
        made.append(one)
    return made


async def looks(server: LiveServer, count: int = 100) -> list[float]:
    """How long so many readings of a document took, each on a connection of its own."""
    took = []
    for _ in range(count):
        wire = Wire(server.port)
        reply = await wire.get("/.well-known/oauth-authorization-server")
        wire.drop()
        assert reply.status == 200, reply
        took.append(reply.took)
        await asyncio.sleep(0.01)
    return sorted(took)


async def ended(vitals: Vitals, count: int, within: float) -> float:
    """Seconds until no more than so many descriptors are open."""
    began = time.monotonic()
    while vitals.sockets > count:
        assert time.monotonic() - began < within, vitals.sockets
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def test_two_thousand_half_open_connections(many_files: None) -> None:
    with one_server() as server:
        await looks(server, 20)
        vitals = Vitals(server)
        files, memory = vitals.sockets, vitals.memory
        began = time.monotonic()
        held = await asyncio.to_thread(half_open, server, HALF_OPEN)
        took = await looks(server)
        assert vitals.sockets >= HALF_OPEN
        assert took[len(took) * 95 // 100] < 0.2, took
        assert took[-1] < 1, took
        assert vitals.memory - memory < 80
        await ended(vitals, files + 10, DEADLINE + 15)
        assert time.monotonic() - began < DEADLINE + 20
        # They were closed by the server and not by us.
        assert all(one.recv(100) == b"" for one in held)
        for one in held:
            one.close()
        again = await asyncio.to_thread(half_open, server, HALF_OPEN)
        assert vitals.memory - memory < 80  # a second crowd takes the place of the first
        for one in again:
            one.close()
        await ended(vitals, files + 10, 10)
        await looks(server, 20)
        server.assert_quiet()


async def test_more_connections_than_file_handles(many_files: None) -> None:
    """`ulimit -n 256`: whoever finds no handle waits, nobody is told nonsense, and nothing ends."""
    with one_server(prefix=["prlimit", "--nofile=256:256"]) as server:
        vitals = Vitals(server)
        await looks(server, 5)
        files = vitals.sockets
        early = Wire(server.port)
        assert (await early.json("/oauth/register", _document())).status == 201
        held = await asyncio.to_thread(half_open, server, 400)
        # Who is in goes on, writing too.
        for _ in range(20):
            assert (await early.json("/oauth/register", _document())).status == 201
        early.drop()
        late = Wire(server.port, deadline=2)
        reply = await late.get("/.well-known/oauth-authorization-server")
        assert reply.status in (0, 200, 503), reply
        for one in held:
            one.close()
        # Well again by itself as soon as they are gone.
        ends = time.monotonic() + 10
        while (await late.get("/.well-known/oauth-authorization-server")).status != 200:
            assert time.monotonic() < ends
            await asyncio.sleep(0.1)
        late.drop()
        await ended(vitals, files + 10, 10)
        wire = Wire(server.port)
        assert (await wire.json("/oauth/register", _document())).status == 201
        wire.drop()
        assert len(server.logs()) < 200_000, "a line for each connection that found no handle"


def _document() -> dict[str, object]:
    return {
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }


async def registering(server: LiveServer, count: int, addresses: bool) -> Counter[int]:
    """So many registrations over ten connections; how often each status came back."""
    seen: Counter[int] = Counter()
    numbers = iter(range(count))

    async def one() -> None:
        wire = Wire(server.port)
        for n in numbers:
            address = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
            headers = {"x-forwarded-for": address} if addresses else {}
            reply = await wire.json("/oauth/register", _document(), headers)
            seen[reply.status] += 1
            if reply.status == 429:
                assert 1 <= int(reply.headers["retry-after"]) <= 60
            assert reply.status in (201, 429), reply
        wire.drop()

    await asyncio.gather(*(one() for _ in range(10)))
    return seen


def clients_in(server: LiveServer) -> int:
    with closing(sqlite3.connect(f"file:{database(server)}?mode=ro", uri=True)) as db:
        (count,) = db.execute("SELECT count(*) FROM clients").fetchone()
    return int(count)


async def test_ten_thousand_registrations_from_one_address() -> None:
    with LiveServer(people=()) as server:
        vitals = Vitals(server)
        memory, began = vitals.memory, time.monotonic()
        seen = await registering(server, CROWD, addresses=False)
        windows = (time.monotonic() - began) / 5 + 1
        assert seen[201] <= LIMIT * windows, seen
        assert seen[429] >= CROWD - LIMIT * windows
        assert clients_in(server) == seen[201]
        assert database(server).stat().st_size < 4 << 20
        assert vitals.memory - memory < 40


@pytest.mark.timeout(180)
async def test_ten_thousand_registrations_from_as_many_addresses() -> None:
    """They are taken, because each could be somebody; and swept a day later, because none was."""
    env = {"AUTHGATE_TRUSTED_PROXIES": "127.0.0.1"}
    with LiveServer(people=(), env=env) as server:
        vitals = Vitals(server)
        memory, began = vitals.memory, time.monotonic()
        seen = await registering(server, CROWD, addresses=True)
        assert time.monotonic() - began < 60
        assert seen == {201: CROWD}
        assert vitals.memory - memory < 60
        assert clients_in(server) == CROWD

        wire = Wire(server.port)
        store = SqliteStore(database(server))
        await store.open()
        try:
            soon = await store.sweep(int(time.time()) + 23 * HOUR, access_ttl=HOUR, batch=500)
            assert soon.clients == 0
            rounds, slowest = 0, 0.0
            while clients_in(server) > 1:  # one is new each round
                swept = await store.sweep(
                    int(time.time()) + 24 * HOUR + 60, access_ttl=HOUR, batch=500
                )
                assert 0 < swept.clients <= 500  # small batches: nobody waits long behind one
                reply = await wire.json("/oauth/register", _document())
                assert reply.status in (201, 429)
                slowest = max(slowest, reply.took)
                rounds += 1
                assert rounds < 60
            assert slowest < 2
        finally:
            await store.close()
            wire.drop()
        server.assert_quiet()
