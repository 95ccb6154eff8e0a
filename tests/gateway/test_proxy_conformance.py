"""The official suite's server scenarios: through the gateway the same as without it, or better.

Many want tools that only a server made for the suite has, and fail: they must fail alike.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.clients.node_env import conformance_cli, node_binary, node_environment
from tests.gateway.live_proxy import Standing, opened_door
from tests.standins.mcp_upstream import McpUpstream

WITHIN = 100.0
# Where the server lets something pass that the gateway compares with the body.
BETTER = {"http-header-validation"}

Results = dict[str, tuple[int, int]]


async def results(url: str, requirements: str, folder: Path) -> Results:
    """Passed and failed checks by scenario."""
    suite = await asyncio.create_subprocess_exec(
        str(node_binary()),
        str(conformance_cli()),
        *("server", "--url", url, "--requirements", requirements, "-o", str(folder)),
        env=node_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(suite.communicate(), WITHIN)
    finally:
        if suite.returncode is None:
            suite.kill()
    rows = re.findall(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed", said.decode(), re.MULTILINE)
    return {name: (int(passed), int(failed)) for name, passed, failed in rows}


@pytest.mark.parametrize(("requirements", "least"), [("2025-11-25", 30), ("2026-07-28", 45)])
async def test_through_the_gateway_as_without_it(
    standing: Standing, sdk_upstream: McpUpstream, requirements: str, least: int, tmp_path: Path
) -> None:
    direct = await results(sdk_upstream.url, requirements, tmp_path / "direct")
    async with opened_door(standing.server.port, standing.bearer()["authorization"]) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        through = await results(url, requirements, tmp_path / "through")
    assert len(direct) >= least
    assert through.keys() == direct.keys()
    assert {name: got for name, got in through.items() if name not in BETTER} == {
        name: got for name, got in direct.items() if name not in BETTER
    }
    for name in BETTER & direct.keys():
        assert through[name] >= direct[name]
