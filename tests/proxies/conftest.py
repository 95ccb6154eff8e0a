"""An authgate behind each proxy, on a host of its own and at a path beside a website."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import LiveServer, attach_logs
from tests.proxies.authority import Authority, made_authority
from tests.proxies.caddy import Caddy
from tests.proxies.front import Front, Fronted
from tests.proxies.nginx import Nginx
from tests.standins.mcp_upstream import McpUpstream

PLACES: dict[str, tuple[type[Front], str, str]] = {
    "nginx-host": (Nginx, "nginx.conf", ""),
    "nginx-path": (Nginx, "nginx-path.conf", "/auth"),
    "caddy-host": (Caddy, "Caddyfile", ""),
    "caddy-path": (Caddy, "Caddyfile-path", "/auth"),
}
REGISTRATIONS = 20  # a minute and address: more than all the tests need at their own


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return made_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def mcp_upstream() -> Iterator[McpUpstream]:
    """An MCP server of the official SDK, whose tools wait for each other."""
    with McpUpstream() as running:
        yield running


@pytest.fixture(scope="session", params=PLACES)
def server(
    request: pytest.FixtureRequest,
    authority: Authority,
    mcp_upstream: McpUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fronted]:
    """authgate before it, and a proxy before authgate."""
    kind, file, path = PLACES[request.param]
    env = {
        "AUTHGATE_UPSTREAM": mcp_upstream.url,
        "AUTHGATE_LIMIT_REGISTRATION": f"{REGISTRATIONS}/minute",
    }
    front = kind(tmp_path_factory.mktemp("proxy"), authority, file)
    with Fronted(front, path=path, env=env) as running:
        yield running
        running.assert_quiet()
        assert front.trouble() == []


@pytest.fixture(scope="session")
def lone_server() -> Iterator[LiveServer]:
    """An authgate with no proxy and nothing set."""
    with LiveServer(people=()) as running:
        yield running
        running.assert_quiet()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    """A failing test shows what the server said."""
    report = yield
    attach_logs(item, report)
    return report
