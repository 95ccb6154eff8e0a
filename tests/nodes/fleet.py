"""Nodes of authgate that share a PostgreSQL and a secret key, behind one nginx.

    with Fleet(nodes=3) as fleet:
        httpx2.get(fleet.url + "/healthz")        # another node each time
        httpx2.get(fleet.nodes[1].direct + "/healthz")

nginx goes from node to node with every request and binds nobody to one. Everything runs on
loopback, on free ports, in folders of its own; nodes, nginx and PostgreSQL can be stopped, killed
and started again one by one.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.live import ALICE, BOB, LiveServer, Person, reserved_port
from tests.postgres import Cluster
from tests.proxies.nginx import nginx_binary

STARTS_WITHIN = 10.0

# A node that does not answer is left out for a second, and what was not delivered to it goes to the
# next: never what a node may have begun to work on, unless it can be repeated (GET, HEAD).
_SITE = """
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    log_format went "$upstream_addr $request_method $uri $status";
    access_log {folder}/went.log went;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    upstream authgate {{
{servers}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_timeout {keep_alive};
        location / {{
            proxy_pass http://authgate;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_buffering off;
            proxy_connect_timeout 2s;
            proxy_next_upstream error timeout;
        }}
    }}
}}
"""


class Node(LiveServer):
    """One authgate whose public URL is the fleet's; `direct` is its own address.

    `code` is a folder with another version of the package, which then runs instead of this one.
    """

    def __init__(
        self, public: str, env: Mapping[str, str], *, workers: int = 1, code: Path | None = None
    ) -> None:
        more = {} if code is None else {"PYTHONPATH": str(code)}
        super().__init__(env={**env, **more}, people=(), workers=workers)
        self._public = public

    @property
    def url(self) -> str:
        return self._public

    @property
    def direct(self) -> str:
        """Past nginx."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def up(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None


@dataclass(frozen=True, slots=True)
class Went:
    """A request as nginx passed it on; `ports` are those of the nodes it tried, in order."""

    ports: tuple[int, ...]
    method: str
    path: str
    status: int


class Fleet:
    """Nodes, nginx and PostgreSQL, from `start` to `close`.

    `env` goes to every node; `cluster` is used instead of a PostgreSQL of the fleet's own, and then
    outlives it. `codes` are folders with other versions of the package, one a node; None: this one.
    `workers` are each node's. Without `keep_alive` a client's connection ends with its answer: one
    that nginx ends while it reads its configuration again may take a request along.
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        env: Mapping[str, str] | None = None,
        people: Sequence[Person] = (ALICE, BOB),
        cluster: Cluster | None = None,
        codes: Sequence[Path | None] = (),
        workers: int = 1,
        keep_alive: bool = True,
    ) -> None:
        self._keep_alive = "75s" if keep_alive else "0"
        self.folder = Path(tempfile.mkdtemp(prefix="authgate-fleet-"))
        self._stack = contextlib.ExitStack()
        self._reserved = reserved_port()
        self._stack.callback(self._reserved.close)
        self.port: int = self._reserved.getsockname()[1]
        self.cluster = cluster
        self._people = tuple(people)
        self._count = nodes
        self._workers = workers
        self._codes = tuple(codes) or (None,) * nodes
        self._env = {
            "AUTHGATE_SECRET_KEY": secrets.token_urlsafe(32),
            "AUTHGATE_TRUSTED_PROXIES": "127.0.0.1",
            **(env or {}),
        }
        self.nodes: list[Node] = []
        self.trust = None  # as a `LiveServer` has it: there is no TLS here
        self._nginx: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The public URL, which is nginx's and every node's."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> str:
        """The database that the nodes share."""
        assert self.cluster is not None
        return self.cluster.url

    @property
    def mcp_url(self) -> str:
        """The protected MCP server."""
        return f"{self.url}/mcp"

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start PostgreSQL, the nodes and nginx; the first node makes the schema."""
        if self.cluster is None:
            self.cluster = self._stack.enter_context(Cluster())
        self._env["AUTHGATE_DATABASE_URL"] = self.database
        first, *others = self._codes[: self._count]
        self.add_node(first)
        with ThreadPoolExecutor() as side_by_side:
            # In this order: `nodes` is in the order of `codes`.
            made = [self._node(code) for code in others]
            signed_up = [side_by_side.submit(self.nodes[0].add_person, p) for p in self._people]
            list(side_by_side.map(Node.start, made))
            for one in signed_up:
                one.result()
        self.nodes += made
        self.serve_by(self.nodes)
        return self

    def add_node(
        self,
        code: Path | None = None,
        env: Mapping[str, str] | None = None,
        *,
        workers: int | None = None,
    ) -> Node:
        """One node more; nginx does not know it until `serve_by`."""
        node = self._node(code, env, workers)
        node.start()
        self.nodes.append(node)
        return node

    def add_nodes(self, count: int, env: Mapping[str, str] | None = None) -> list[Node]:
        """The same for several, started side by side."""
        made = [self._node(env=env) for _ in range(count)]
        with ThreadPoolExecutor() as side_by_side:
            list(side_by_side.map(Node.start, made))
        self.nodes += made
        return made

    def drop(self, node: Node) -> None:
        """End a node; nginx must not know it any more."""
        self.nodes.remove(node)
        node.close()

    def _node(
        self,
        code: Path | None = None,
        env: Mapping[str, str] | None = None,
        workers: int | None = None,
    ) -> Node:
        node = Node(
            self.url, {**self._env, **(env or {})}, workers=workers or self._workers, code=code
        )
        self._stack.callback(node.close)
        return node

    def serve_by(self, nodes: Sequence[Node]) -> None:
        """Let nginx go round these nodes from now on; requests in flight end where they are."""
        servers = "".join(
            f"        server 127.0.0.1:{node.port} max_fails=1 fail_timeout=1s;\n" for node in nodes
        )
        user = "user root;" if os.geteuid() == 0 else ""
        site = _SITE.format(
            folder=self.folder,
            port=self.port,
            servers=servers,
            user=user,
            keep_alive=self._keep_alive,
        )
        (self.folder / "nginx.conf").write_text(site)
        if self._nginx is not None:
            self._nginx.send_signal(signal.SIGHUP)
            return
        with (self.folder / "error.log").open("ab") as log:
            self._nginx = subprocess.Popen(
                [nginx_binary(), "-p", self.folder, "-c", self.folder / "nginx.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(self._end_nginx, self._nginx)
        self._await_nginx()

    def serve_only_by(self, nodes: Sequence[Node]) -> None:
        """The same, and wait until nginx forgot all others; for when nothing is in flight."""
        assert self._nginx is not None
        before = self._nginx_workers()
        self.serve_by(nodes)
        ends = time.monotonic() + STARTS_WITHIN
        while before & (now := self._nginx_workers()) or not now:
            assert time.monotonic() < ends, (self.folder / "error.log").read_text()
            time.sleep(0.02)

    def _nginx_workers(self) -> set[str]:
        assert self._nginx is not None
        pid = self._nginx.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def went(self) -> list[Went]:
        """Every request that nginx has answered so far, in the order of the answers."""
        told = (self.folder / "went.log").read_text().splitlines()
        found = []
        for line in told:
            *tried, method, path, status = line.replace(",", "").split()
            ports = tuple(int(one.rpartition(":")[2]) for one in tried if ":" in one)
            found.append(Went(ports, method, path, int(status)))
        return found

    def assert_quiet(self) -> None:
        """No node met anything that nobody may have seen, nor wrote down what is secret."""
        for node in self.nodes:
            node.assert_quiet()

    def logs(self) -> str:
        """What all nodes wrote."""
        return "\n".join(node.logs() for node in self.nodes)

    def close(self) -> None:
        """End everything that was started here."""
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _await_nginx(self) -> None:
        ends = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
                asked.request("GET", "/healthz")
                assert asked.getresponse().status == 200
                asked.close()
                return
            except OSError:
                said = (self.folder / "error.log").read_text()
                assert time.monotonic() < ends, said
                time.sleep(0.02)

    @staticmethod
    def _end_nginx(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
