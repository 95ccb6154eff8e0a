"""The official suite's server scenarios: what it demands of any MCP server, through the guard.

The suite knows no authorization, so a door stands before the server that adds a person's token to
every request and changes nothing else. The built-in example has none of the tools that most
scenarios want, so it is asked for the others; two servers behind the gateway are asked for all that
a revision requires, once directly and once through it, and every check must end alike.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.clients.by_hand import Hands
from tests.clients.node_env import conformance_cli, node_binary, node_environment, package_file
from tests.gateway.live_proxy import token_of
from tests.live import ALICE, LiveServer
from tests.standins.mcp_upstream import McpUpstream

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
        going.add(asyncio.current_task())
        inner_writer = None
        try:
            line, *fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            kept = [field for field in fields if not field.lower().startswith(b"connection:")]
            ours = [b"Authorization: Bearer " + token.encode(), b"Connection: close"]
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            inner_writer.write(b"\r\n".join([line, *ours, *kept]))
            there = asyncio.create_task(pump(reader, inner_writer))
            back = asyncio.create_task(pump(inner_reader, writer))
            both = {there, back}
            try:  # whoever hangs up, hangs up for both
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the suite hung up
        finally:
            for end in (writer, inner_writer):
                if end is not None:
                    end.close()
            going.discard(asyncio.current_task())

    going: set[asyncio.Task[None] | None] = set()
    async with await asyncio.start_server(through, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]
        left = [task for task in going if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


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


# --- the same server directly and through the gateway ---------------------------------------------

EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"


@pytest.fixture(scope="module")
def suites_own() -> Iterator[McpUpstream]:
    """A server with the tools that the suite wants, on the official SDK, for both eras."""
    with McpUpstream([sys.executable, "-m", "tests.standins.suite_upstream"], "PORT") as running:
        yield running


@pytest.fixture(scope="module")
def everything() -> Iterator[McpUpstream]:
    """The reference server, whose tools have other names."""
    command = [str(node_binary()), str(package_file(EVERYTHING)), "streamableHttp"]
    with McpUpstream(command, "PORT") as running:
        yield running


async def judged(url: str, revision: str, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """What the suite makes of a server: each scenario's checks with how they ended."""
    suite = await asyncio.create_subprocess_exec(
        *(node_binary(), conformance_cli(), "server", "--url", url),
        *("--requirements", revision, "--output-dir", str(folder)),
        env=node_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await asyncio.wait_for(suite.communicate(), 90))[0].decode()
    found = {}
    for report in folder.glob("*/checks.json"):
        # Behind the name stands a moment, down to milliseconds that may look like a year.
        scenario = re.split(r"-\d{4}-\d\d-\d\dT", report.parent.name.removeprefix("server-"))[0]
        checks = json.loads(report.read_text())
        ended = [(check["id"], check["status"]) for check in checks]
        found[scenario] = [check for check in ended if check[1] != "INFO"]
    assert found, said
    return found


# What the guard does for a server that does not: nothing else may end differently.
BETTER = {"dns-rebinding-protection": ("localhost-host-rebinding-rejected", "FAILURE", "SUCCESS")}


@pytest.mark.parametrize(
    ("upstream", "revision", "passing", "better"),
    [
        ("suites_own", "2025-11-25", 30, []),
        ("suites_own", "2026-07-28", 31, []),
        ("everything", "2025-11-25", 5, ["dns-rebinding-protection"]),
    ],
)
async def test_through_the_gateway_every_check_ends_as_it_does_directly(
    request: pytest.FixtureRequest,
    upstream: str,
    revision: str,
    passing: int,
    better: list[str],
    tmp_path: Path,
) -> None:
    behind: McpUpstream = request.getfixturevalue(upstream)
    with LiveServer(env={"AUTHGATE_UPSTREAM": behind.url}, people=(ALICE,)) as server:
        async with door(server.port, token_of(server, ALICE)) as port:
            runs = (
                judged(behind.url, revision, tmp_path / "directly"),
                judged(f"http://127.0.0.1:{port}/mcp", revision, tmp_path / "through"),
            )
            if revision == "2026-07-28":  # no sessions, so the two cannot meet
                directly, through = await asyncio.gather(*runs)
            else:
                directly, through = [await run for run in runs]
        server.assert_quiet()
    for scenario in better:
        check, there, here = BETTER[scenario]
        directly[scenario].remove((check, there))
        through[scenario].remove((check, here))
    assert through == directly
    good = [name for name, checks in directly.items() if {s for _, s in checks} == {"SUCCESS"}]
    assert len(good) >= passing, sorted(directly.keys() - set(good))
