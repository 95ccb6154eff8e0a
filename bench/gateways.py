"""The gateways, each before the same MCP server: authgate, nginx, FastMCP's proxy, and none.

All of them and the server itself share one core, as they would on a small machine: what a gateway
takes is not there for the server, and the ratio to a direct call says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import nginx
from bench.messages import Paths
from bench.rounds import access_token
from bench.servers import free_port, running
from bench.targets import Target, authgate, peer, peer_arguments

DIRECT = "direct"
AUTHGATE = "authgate"
UNCHECKED = "authgate, rollout off"
NGINX = "nginx, no check"
BARE = "bare ASGI and aiohttp"
FASTMCP = "FastMCP’s proxy"

SMALL, SDK = "tools/call, small server", "tools/call, SDK server"

_MANY = {"AUTHGATE_UPSTREAM_LIMIT": "4000", "AUTHGATE_UPSTREAM_LIMIT_PERSON": "4000"}


@dataclass(frozen=True, slots=True)
class Door:
    """A way to the same server, with the token that it takes, if any."""

    target: Target
    token: str | None = None


class Doors:
    """The ways to one MCP server, all open until the stack ends."""

    def __init__(self, stack: ExitStack, server: str) -> None:
        self._stack = stack
        self._behind = stack.enter_context(peer(server, DIRECT))
        self.all = [Door(self._behind)]

    def _add(self, target: Target, token: str | None = None) -> None:
        target.behind = self._behind.server
        self.all.append(Door(target, token))

    async def authgate(self) -> None:
        """With its guard, as it runs by default."""
        target = self._stack.enter_context(authgate(self._folder(), self._upstream | _MANY))
        self._add(target, await access_token(target))

    def unchecked(self) -> None:
        """Without a look at who calls, as it runs before OAuth is switched on."""
        given = self._upstream | _MANY | {"AUTHGATE_ROLLOUT": "off"}
        target = self._stack.enter_context(authgate(self._folder(), given))
        target.name = UNCHECKED
        self._add(target)

    def nginx(self) -> None:
        """Where it is installed."""
        server = self._stack.enter_context(nginx.nginx(self._folder(), self._behind.port))
        self._add(Target(NGINX, server, Paths()))

    def bare(self) -> None:
        """The same parts as ours, and nothing done with them."""
        self._peer(BARE, "bare_gateway")

    def fastmcp(self) -> None:
        """FastMCP's, which opens a session of its own for every call."""
        self._peer(FASTMCP, "fastmcp_proxy")

    def _peer(self, label: str, name: str) -> None:
        given, port = {"BENCH_UPSTREAM": self._upstream["AUTHGATE_UPSTREAM"]}, free_port()
        server = self._stack.enter_context(running(peer_arguments(name, port), port, given))
        self._add(Target(label, server, Paths()))

    @property
    def _upstream(self) -> dict[str, str]:
        return {"AUTHGATE_UPSTREAM": f"http://127.0.0.1:{self._behind.port}/mcp"}

    def _folder(self) -> Path:
        return Path(self._stack.enter_context(TemporaryDirectory(prefix="authgate-bench-")))


@contextmanager
def before(server: str) -> Iterator[Doors]:
    """The ways to a peer (see `peers`); only the direct one is open yet."""
    with ExitStack() as stack:
        yield Doors(stack, server)


def find_nginx(say: Callable[[str], None]) -> bool:
    """Is it here? If not, the run says so and goes on without."""
    if nginx.binary() is None:
        say("nginx is not installed: its figures are left out")
        return False
    return True
