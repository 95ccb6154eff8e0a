"""The official suite's server scenarios, through the guard: what it demands of any MCP server.

The suite knows no authorization, so a door stands before the server that adds a person's token to
every request and changes nothing else. The scenarios that want tools of their own are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.clients.by_hand import Hands
from tests.clients.node_env import conformance_cli, node_binary, node_environment
from tests.live import LiveServer

SCENARIOS = (
    "server-initialize",
    "ping",
    "tools-list",
    "http-header-validation",
    "dns-rebinding-protection",
    "caching",
)


@asynccontextmanager
async def door(port: int, token: str) -> AsyncIterator[int]:
    """A loopback port that leads to `port`, one request a connection, the token added."""

    async def pump(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            drain.write(data)
            await drain.drain()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line, *fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            kept = [field for field in fields if not field.lower().startswith(b"connection:")]
            ours = [b"Authorization: Bearer " + token.encode(), b"Connection: close"]
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            inner_writer.write(b"\r\n".join([line, *ours, *kept]))
            there = asyncio.create_task(pump(reader, inner_writer))
            await pump(inner_reader, writer)
            there.cancel()
            inner_writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the suite hung up
        finally:
            writer.close()

    async with await asyncio.start_server(through, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_the_server_scenarios_pass(server: LiveServer, scenario: str, tmp_path: Path) -> None:
    with Hands(server) as hands:
        token = hands.tokens(hands.registered()["client_id"])["access_token"]
    async with door(server.port, token) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        suite = await asyncio.create_subprocess_exec(
            *(node_binary(), conformance_cli(), "server", "--url", url, "--scenario", scenario),
            env=node_environment(),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await suite.communicate())[0].decode()
    assert suite.returncode == 0, said
    assert "0 failed, 0 warnings" in said, said
