"""Hundreds of clients that go away at any moment: nothing of them stays, on either side."""

from __future__ import annotations

import asyncio
import gc
import random
from contextlib import suppress

from authgate.gateway.proxy import Proxy
from tests.gateway.proxying import guarded, proxy_to, until
from tests.standins.upstream import Exchange, RawUpstream
from tests.web.serving import serving

CLIENTS = 300
HEAD = b"POST /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %d\r\n"
RIGHT = b"MCP-Protocol-Version: 2026-07-28\r\n"  # so that the body is read before it goes on
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


async def moody(exchange: Exchange) -> None:
    """Answers late, in pieces without end, or not at all."""
    with suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
        await exchange.read()
        mood = len(exchange.body) % 4
        if mood == 0:
            await exchange.ended()
        elif mood == 1:
            await exchange.begin("Mcp-Session-Id: s")
            while True:
                await exchange.chunk(b"data: {}\n\n" * 200)
        else:
            await asyncio.sleep(random.random() / 20)
            await exchange.answer(b"{}")


async def one(port: int, number: int) -> None:
    """A client that ends wherever it is, by a close or by a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"a":"%s"}' % (b"x" * (number % 4))
    parts = [
        HEAD % (number % 7) + (RIGHT if number % 2 else b"") + CHUNKED,
        b"%x\r\n%s\r\n" % (len(body), body),
        b"0\r\n\r\n",
    ]
    for part in parts[: number % 5]:
        writer.write(part)
        await asyncio.sleep(random.random() / 50)
    with suppress(TimeoutError, ConnectionError):
        await asyncio.wait_for(reader.read(100), random.random() / 10)
    if number % 3:
        writer.close()
    else:
        writer.transport.abort()


async def test_clients_that_go_away_at_any_moment_leave_nothing() -> None:
    async with RawUpstream(moody) as upstream:
        proxy = proxy_to(upstream.url)
        async with serving(guarded(proxy)) as port:
            await one(port, 4)  # so that what is made once is there
            before = len(asyncio.all_tasks())
            await asyncio.gather(*(one(port, number) for number in range(CLIENTS)))
            await until(lambda: proxy.slots.open == 0)
            assert len(upstream.seen) > CLIENTS // 4
            assert not _in_use(proxy)
            await until(lambda: _tasks() <= before + len(upstream._tasks) + 2)
            await until(lambda: _connections(upstream) <= _kept(proxy) + 1)
        await proxy.close()
    gc.collect()  # what was never awaited or closed is an error of this test


def _in_use(proxy: Proxy) -> int:
    session = proxy.upstream._session
    assert session is not None
    return len(session.connector._acquired)  # type: ignore[union-attr]


def _kept(proxy: Proxy) -> int:
    session = proxy.upstream._session
    assert session is not None
    return sum(len(kept) for kept in session.connector._conns.values())  # type: ignore[union-attr]


def _tasks() -> int:
    return len(asyncio.all_tasks())


def _connections(upstream: RawUpstream) -> int:
    return sum(not task.done() for task in upstream._tasks)
