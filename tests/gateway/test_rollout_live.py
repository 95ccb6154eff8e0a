"""The mode changes while a real server runs: by the file, by SIGHUP, with one worker and with two.

Streams that are open go on as if nothing had happened; the next call is judged by what is new.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.gateway.proxying import WITHIN, until
from tests.live import LiveServer
from tests.standins.upstream import Exchange, RawUpstream

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "add"}}
STREAMS = 6  # so that either worker has some
IN_A_ROW = 12  # fresh connections, so that both workers were asked


class Town:
    """An upstream whose streams say what they are told, and a server before it."""

    def __init__(self, server: LiveServer, upstream: RawUpstream) -> None:
        self.server = server
        self.upstream = upstream
        self.streams: list[Exchange] = []

    @property
    def file(self) -> Path:
        return self.server.folder / "authgate.toml"

    def put(self, text: str) -> None:
        """As a deployment does it: a new file in the old one's place."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    async def status(self) -> int:
        async with httpx2.AsyncClient(timeout=WITHIN, trust_env=False) as http:
            return (await http.post(self.server.mcp_url, json=CALL)).status_code

    async def becomes(self, status: int, within: float = WITHIN) -> float:
        """Wait until every worker answers so; how long that took."""
        began, row = time.monotonic(), 0
        while row < IN_A_ROW:
            row = row + 1 if await self.status() == status else 0
            assert time.monotonic() - began < within, self.server.logs()
        return time.monotonic() - began

    async def script(self, exchange: Exchange) -> None:
        await exchange.read()
        if exchange.method == "POST":
            await exchange.answer()
            return
        await exchange.begin()
        self.streams.append(exchange)
        await exchange.ended()


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Town]:
    (tmp_path / "authgate.toml").write_text('rollout = "off"\n')
    async with RawUpstream() as upstream:
        env = {"AUTHGATE_UPSTREAM": upstream.url}
        server = LiveServer(env=env, people=(), workers=request.param, folder=tmp_path)
        made = Town(server, upstream)
        upstream.script = made.script
        try:
            await asyncio.to_thread(server.start)
            yield made
        finally:
            await asyncio.to_thread(server.close)


@asynccontextmanager
async def stream(town: Town) -> AsyncIterator[Any]:
    """An open stream; iterate over what comes on it."""
    async with (
        httpx2.AsyncClient(timeout=WITHIN, trust_env=False) as http,
        http.stream("GET", town.server.mcp_url) as answer,
    ):
        assert answer.status_code == 200
        yield answer.aiter_raw()


async def test_the_mode_changes_and_no_stream_is_dropped(town: Town) -> None:
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(stream(town)) for _ in range(STREAMS)]
        await until(lambda: len(town.streams) == STREAMS)

        async def all_flow() -> None:
            for exchange in town.streams:
                await exchange.chunk(b"data: x\n\n")
            for reader in readers:
                assert await asyncio.wait_for(anext(reader), WITHIN) == b"data: x\n\n"

        await town.becomes(200)
        town.put('rollout = "required"\n')
        assert await town.becomes(401) < 5
        await all_flow()

        town.put('rollout = "observe"\n')
        os.kill(town.server.pid, signal.SIGHUP)
        assert await town.becomes(200) < 5
        await all_flow()

        town.put('rollout = "sometimes"\nx = 1\n')
        os.kill(town.server.pid, signal.SIGHUP)
        await until(lambda: "there is no 'x'" in town.server.logs())
        town.file.unlink()
        await until(lambda: "The file is gone" in town.server.logs())
        await town.becomes(200)  # what it said before stays in force
        town.put('rollout = "required"\n')
        await town.becomes(401)
        await all_flow()
        assert town.upstream.connections >= STREAMS
    logs = town.server.logs()
    assert "rollout: write off, observe, optional or required." in logs
    assert '"mode": "required", "source": "authgate.toml"' in logs
    assert "Traceback" not in logs


async def test_a_half_written_file_shuts_nobody_out(town: Town) -> None:
    """An editor that empties the file before it fills it again, slowly."""
    await town.becomes(200)
    for _ in range(8):
        with town.file.open("w") as file:
            await asyncio.sleep(0.15)
            assert await town.status() == 200
            file.write('rollout = "obs')
            file.flush()
            await asyncio.sleep(0.15)
            assert await town.status() == 200
            file.write('erve"\n')
        assert await town.status() == 200
    await asyncio.sleep(1.2)
    await town.becomes(200)


async def test_the_variable_cannot_change_live(tmp_path: Path) -> None:
    (tmp_path / "authgate.toml").write_text('rollout = "off"\n')
    env = {"AUTHGATE_ROLLOUT": "required"}
    with LiveServer(env=env, people=(), folder=tmp_path) as server:
        said = "AUTHGATE_ROLLOUT is set, so the mode cannot change while the server runs"
        await until(lambda: server.logs().count(said) == 1)
        os.kill(server.pid, signal.SIGHUP)
        await until(lambda: server.logs().count(said) == 2)
        town = Town(server, RawUpstream())
        await town.becomes(401)
        town.put('rollout = "off"\n[legacy]\nunknown = "refuse"\n')
        await until(lambda: server.logs().count(said) == 3)
        await town.becomes(401)
