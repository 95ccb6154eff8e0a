"""What is measured: authgate and its peers, each with its paths and its way to get codes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench import messages
from bench.load import Work, always, load
from bench.messages import Paths
from bench.servers import LOAD_CORE, Server, free_port, running, spawn
from tests.postgres import Cluster

Codes = list[tuple[str, str]]

AUTHGATE, SDK, CEILING = "authgate", "mcp SDK", "bare ASGI"
ON_POSTGRES, CEILING_ON_POSTGRES = "authgate, PostgreSQL", "bare ASGI, PostgreSQL"
CLIENTS = 32


@dataclass(slots=True)
class Target:
    """A running server; `codes` gives fresh authorization codes with their clients.

    `behind` is the server that this one passes calls on to, if it is a gateway.
    """

    name: str
    server: Server
    paths: Paths
    clients: list[str] = field(default_factory=list)
    behind: Server | None = None

    @property
    def port(self) -> int:
        return self.server.port

    async def codes(self, count: int) -> Codes:
        """From the peer's own authorization endpoint, which approves at once."""
        if not self.clients:
            self.clients = await self._register()
        names = [self.clients[n % CLIENTS] for n in range(count)]
        asked = [messages.authorization(self.paths.authorize, self.port, name) for name in names]
        # One connection: the answers must be in the order of the questions, as they name no client.
        done = await load(
            self.port,
            Work([always(asked)], 302, b"code="),
            seconds=60,
            keep_bodies=True,
            redirects=True,
        )
        return [(name, _code_in(url)) for name, url in zip(names, done.bodies, strict=True)]

    async def _register(self) -> list[str]:
        asked = [messages.registration(self.paths.register, self.port)] * CLIENTS
        work = Work([always(asked)], 201, b'"client_id"')
        done = await load(self.port, work, seconds=60, keep_bodies=True)
        return [json.loads(body)["client_id"] for body in done.bodies]


@dataclass(slots=True)
class Authgate(Target):
    """authgate, with a process beside it that prepares codes (see `prepare`)."""

    helper: subprocess.Popen[bytes] | None = None

    async def codes(self, count: int) -> Codes:
        assert self.helper is not None
        assert self.helper.stdin is not None
        assert self.helper.stdout is not None
        self.helper.stdin.write(f"{count}\n".encode())
        self.helper.stdin.flush()
        return [(client, code) for client, code in json.loads(self.helper.stdout.readline())]


def environment(folder: Path, port: int) -> dict[str, str]:
    """authgate's settings: its defaults, but for what would stop a load from one address.

    Codes live longer than 60 s, because they are prepared before they are used.
    """
    return {
        "AUTHGATE_DATA_DIR": str(folder),
        "AUTHGATE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "AUTHGATE_LIMIT_REGISTRATION": "100000/second",
        "AUTHGATE_CODE_TTL": "600",
    }


def serve_arguments(port: int) -> list[str]:
    """How authgate is started."""
    return ["-m", "authgate.server", "--port", str(port), "--env-file", os.devnull]


def peer_arguments(name: str, port: int) -> list[str]:
    """How a peer is started."""
    return ["-m", "bench.peers", name, "--port", str(port)]


@contextmanager
def authgate(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[Authgate]:
    """authgate on a database in `folder`, and the process that prepares its codes.

    `more` are settings beside those of `environment`.
    """
    port = free_port()
    given = environment(folder, port) | dict(more or {})
    with ExitStack() as stack:
        server = stack.enter_context(running(serve_arguments(port), port, given))
        helper = spawn(["-m", "bench.prepare"], given, core=LOAD_CORE, pipes=True)
        stack.callback(_end, helper)
        paths = Paths(
            jwks="/.well-known/jwks.json", register="/oauth/register", token="/oauth/token"
        )
        yield Authgate(AUTHGATE, server, paths, helper=helper)


@contextmanager
def on_postgres(folder: Path) -> Iterator[list[Target]]:
    """authgate and the ceiling, each in a schema of its own of one PostgreSQL.

    It commits durably, and runs on the core of whoever sends the load.
    """
    with ExitStack() as stack:
        url = stack.enter_context(Cluster()).url
        ours = stack.enter_context(authgate(folder, {"AUTHGATE_DATABASE_URL": url}))
        ours.name = ON_POSTGRES
        given = {"BENCH_DATABASE_URL": url}
        yield [
            ours,
            stack.enter_context(peer("ceiling_postgres", CEILING_ON_POSTGRES, given)),
        ]


@contextmanager
def peer(name: str, label: str, given: Mapping[str, str] | None = None) -> Iterator[Target]:
    """A peer (see `peers`); `given` is added to its environment."""
    port = free_port()
    with running(peer_arguments(name, port), port, given) as server:
        yield Target(label, server, Paths())


def _end(helper: subprocess.Popen[bytes]) -> None:
    assert helper.stdin is not None
    helper.stdin.close()
    helper.wait(15)


def _code_in(url: bytes) -> str:
    return parse_qs(urlsplit(url.decode()).query)["code"][0]
