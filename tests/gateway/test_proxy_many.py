"""Many streams, slow readers and the end of the process, with a whole authgate in between."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.gateway.live_proxy import Standing
from tests.gateway.proxying import soon, until
from tests.live import ALICE, BOB, LiveServer
from tests.standins.upstream import Exchange, RawUpstream, plain

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "add"}}
STREAMS = 500


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Both ends of every stream are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def started(upstream: RawUpstream, **more: Any) -> AsyncIterator[tuple[LiveServer, Standing]]:
    """An authgate before it; asked and ended beside this loop, which is the upstream's."""
    env = {"AUTHGATE_UPSTREAM": upstream.url, **more.pop("env", {})}
    server = LiveServer(env=env, **more)
    try:
        await asyncio.to_thread(server.start)
        yield server, await asyncio.to_thread(Standing, server)
    finally:
        await asyncio.to_thread(server.close)


def listens(port: int) -> bool:
    """Is anybody there to connect to?"""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def memory(pid: int) -> int:
    """Resident KiB of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


async def test_500_streams_of_two_people_who_never_see_each_other() -> None:
    release = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        """Whose session it is, and which: at the head, and again when all are open."""
        me = json.dumps(
            [exchange.header("x-authgate-display"), exchange.header("mcp-session-id")]
        ).encode()
        await exchange.read()
        if exchange.method == "POST":
            session = f"session-{len(upstream.seen)}"
            await exchange.answer(b"{}", f"Mcp-Session-Id: {session}")
            return
        await exchange.begin()
        await exchange.chunk(me + b"\n")
        await asyncio.wait_for(release.wait(), 60)
        await exchange.chunk(me + b"\n")
        await exchange.chunk(b"")

    async with RawUpstream(script) as upstream:
        env = {
            "AUTHGATE_UPSTREAM_IDENTITY": "headers",
            "AUTHGATE_UPSTREAM_LIMIT_PERSON": "500",
        }
        async with started(upstream, env=env) as (server, standing):
            before = memory(server.pid)
            heads = asyncio.Semaphore(STREAMS)
            open_now = 0

            async def one(http: httpx2.AsyncClient, person: Any) -> None:
                nonlocal open_now
                opened = await http.post(server.mcp_url, json=CALL)
                session = opened.headers["mcp-session-id"]
                mine = [person.email, session.rpartition(".")[0]]
                async with (
                    heads,
                    http.stream(
                        "GET", server.mcp_url, headers={"mcp-session-id": session}
                    ) as answer,
                ):
                    lines = answer.aiter_lines()
                    assert json.loads(await anext(lines)) == mine
                    open_now += 1
                    assert [json.loads(line) async for line in lines] == [mine]

            async with standing.http() as alice, standing.http(BOB) as bob:
                people = [(alice, ALICE), (bob, BOB)] * (STREAMS // 2)
                streams = [asyncio.create_task(one(http, person)) for http, person in people]
                await until(lambda: open_now == STREAMS or any(t.done() for t in streams), 60)
                grown = memory(server.pid) - before
                call = await alice.post(server.mcp_url, json=CALL)  # nobody starves
                assert call.status_code == 200
                release.set()
                await asyncio.gather(*streams)
            assert grown < 60 * STREAMS, f"{grown / STREAMS:.0f} KiB a stream"
            assert "Traceback" not in server.logs()


async def test_slow_readers_cost_little_memory() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin()
        while True:
            await exchange.chunk(b"x" * 65_536)

    async with RawUpstream(script) as upstream, started(upstream) as (server, standing):
        before = memory(server.pid)
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
            f"Authorization: {standing.bearer()['authorization']}\r\n\r\n{{}}"
        ).encode()
        writers = []
        for _ in range(40):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
            writer.write(head)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            writers.append(writer)
        most = 0
        for _ in range(20):
            await asyncio.sleep(0.1)
            most = max(most, memory(server.pid) - before)
        async with standing.http(BOB) as bob:
            upstream.script = plain
            assert (await bob.post(server.mcp_url, json=CALL)).status_code == 200
        for writer in writers:
            writer.transport.abort()
        assert most < 40 * 1024, f"{most} KiB for 40 readers"
        upstream.failed.clear()


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_during_100_calls_loses_none(workers: int) -> None:
    over = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.begin()
            await exchange.chunk(b": hello\n\n")
            await exchange.ended()
            return
        body = await exchange.read()
        await soon(over)
        await exchange.answer(body)

    async with (
        RawUpstream(script) as upstream,
        started(upstream, workers=workers) as (server, standing),
    ):
        async with standing.http() as alice, standing.http(BOB) as bob:
            said: list[bytes] = []

            async def listen() -> None:
                async with bob.stream("GET", server.mcp_url) as answer:
                    said.extend([part async for part in answer.aiter_raw()])

            listening = asyncio.create_task(listen())
            calls = [
                asyncio.create_task(alice.post(server.mcp_url, json=CALL | {"id": number}))
                for number in range(90)
            ]
            calls += [
                asyncio.create_task(bob.post(server.mcp_url, json=CALL | {"id": number}))
                for number in range(90, 100)
            ]
            await until(lambda: len(upstream.seen) == 101)
            await until(lambda: bool(said) or listening.done() or len(upstream.seen) == 101)
            server.terminate(everyone=workers > 1)
            await asyncio.wait_for(listening, 3)  # a stream that waits for news ends whole
            assert b"".join(said) == b": hello\n\n"
            assert not any(call.done() for call in calls)
            await until(lambda: not listens(server.port), 5)
            over.set()
            answers = await asyncio.gather(*calls)
            assert [answer.status_code for answer in answers] == [200] * 100
            assert [answer.json()["id"] for answer in answers] == list(range(100))
        assert await asyncio.to_thread(server.wait, 10) == 0
        assert "Traceback" not in server.logs()


async def test_what_is_not_done_when_the_time_is_over_is_told_so() -> None:
    async def script(exchange: Exchange) -> None:
        if b"begun" in await exchange.read():
            await exchange.begin()
            await exchange.chunk(b"half")
        await exchange.ended()

    async with (
        RawUpstream(script) as upstream,
        started(upstream, env={"AUTHGATE_DRAIN": "1"}) as (server, standing),
    ):
        async with standing.http() as alice:
            waiting = asyncio.create_task(alice.post(server.mcp_url, json=CALL))
            begun = asyncio.create_task(alice.post(server.mcp_url, json={"begun": 1}))
            await until(lambda: len(upstream.seen) == 2)
            server.terminate()
            answer = await asyncio.wait_for(waiting, 5)
            assert (answer.status_code, answer.json()["id"]) == (503, 7)
            assert answer.json()["error"]["data"]["error"] == "temporarily_unavailable"
            with pytest.raises(httpx2.RemoteProtocolError):
                await asyncio.wait_for(begun, 5)
        assert await asyncio.to_thread(server.wait, 10) == 0
        assert "Traceback" not in server.logs()
