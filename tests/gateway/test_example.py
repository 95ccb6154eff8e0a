"""The built-in MCP server over the official client, in both protocol eras, behind a stand-in guard.

The stand-in does what `gateway.guard` does to the request of an admitted caller, no more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from mcp import Client

from authgate.gateway.caller import Caller
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.request import Receive, Scope, Send
from tests.tools.serving import served

CALLER = Caller(
    sub="ag_person",
    client_id="client_x",
    scopes=("mcp:use", "mcp:more"),
    grant_id="grant_y",
    display="user@example.com",
    expires_at=2_000_000_000,
)
MODES = ["legacy", "auto", "2026-07-28"]

Connect = Callable[[], AbstractAsyncContextManager[Client]]


def _server() -> Any:
    from authgate.gateway.example import server

    return server()


@pytest.fixture(params=MODES)
def connect(request: pytest.FixtureRequest) -> Connect:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        app = LazyMcpApp(_server)

        async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "authgate.caller": CALLER}, receive, send)

        async with served(admitted) as base:
            async with Client(base + "/mcp", mode=request.param) as client:
                yield client
            await app.close()

    return opened


async def test_the_tools(connect: Connect) -> None:
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["whoami", "add", "count_slowly"]
        assert all(
            tool.output_schema and tool.description and tool.title for tool in tools.values()
        )
        who = await client.call_tool("whoami", {})
        assert who.structured_content == {
            "sub": "ag_person",
            "display": "user@example.com",
            "client_id": "client_x",
            "scopes": ["mcp:use", "mcp:more"],
            "expires_at": 2_000_000_000,
        }
        total = await client.call_tool("add", {"a": 2, "b": 40})
        assert total.structured_content == {"sum": 42}
        assert (await client.call_tool("add", {"a": "two", "b": 1})).is_error


async def test_progress_arrives_while_the_call_runs(connect: Connect) -> None:
    seen: list[tuple[float, float | None, str | None, float]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message, time.perf_counter()))

    async with connect() as client:
        result = await client.call_tool("count_slowly", {"steps": 3}, progress_callback=on_progress)
        ended = time.perf_counter()
    assert result.structured_content == {"counted": 3, "seconds": 0.6}
    assert [entry[:3] for entry in seen] == [(n, 3, f"{n} of 3") for n in (1, 2, 3)]
    assert ended - seen[0][3] > 0.3  # the first came long before the end


async def test_every_number_is_bounded(connect: Connect) -> None:
    async with connect() as client:
        for steps in (0, -1, 51, 10**9):
            assert (await client.call_tool("count_slowly", {"steps": steps})).is_error
        for number in (2**53 + 1, -(2**53) - 1, 10**4000):
            assert (await client.call_tool("add", {"a": number, "b": 1})).is_error


async def test_slow_calls_do_not_wait_for_each_other(connect: Connect) -> None:
    async with connect() as client:
        began = time.perf_counter()
        await asyncio.gather(*(client.call_tool("count_slowly", {"steps": 2}) for _ in range(5)))
        assert time.perf_counter() - began < 1.6  # one after the other would be 2 s


async def test_closing_ends_a_running_call() -> None:
    app = LazyMcpApp(_server)

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "authgate.caller": CALLER}, receive, send)

    async with served(admitted) as base, Client(base + "/mcp", mode="legacy") as client:
        running = asyncio.create_task(client.call_tool("count_slowly", {"steps": 50}))
        await asyncio.sleep(0.4)
        began = time.perf_counter()
        await app.close()
        assert time.perf_counter() - began < 3
        running.cancel()
        await asyncio.wait([running])
