from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.endpoints.conftest import gate, open_gate
from tests.gateway.live_proxy import Standing
from tests.live import LiveServer, attach_logs
from tests.standins.mcp_upstream import McpUpstream

__all__ = ["gate", "open_gate"]


@pytest.fixture(scope="module")
def sdk_upstream() -> Iterator[McpUpstream]:
    """An MCP server of the official SDK."""
    with McpUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def standing(sdk_upstream: McpUpstream) -> Iterator[Standing]:
    """A whole authgate before it, with two people who have tokens."""
    env = {"AUTHGATE_UPSTREAM": sdk_upstream.url, "AUTHGATE_UPSTREAM_IDENTITY": "jwt"}
    with LiveServer(env=env) as server:
        yield Standing(server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A failing test shows what the server said."""
    report = yield
    attach_logs(item, report)
    return report
