"""Several nodes behind nginx-nodes.conf or Caddyfile-nodes: any answers, none is asked twice.

The nodes of the first half share one SQLite file, which is enough to show that nothing of a sign-in
is in a process; what many nodes do on PostgreSQL is in tests/nodes.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import httpx2
import pytest

from tests.clients.by_hand import CALLBACK, Hands
from tests.gateway.live_proxy import ACCEPT, initialize
from tests.live import ALICE, LiveServer, reserved_port
from tests.proxies.authority import Authority
from tests.proxies.caddy import Caddy
from tests.proxies.front import DEPLOY, Front, binary
from tests.proxies.nginx import Nginx
from tests.standins.mcp_upstream import McpUpstream
from tests.standins.upstream import Exchange, RawUpstream, Script, plain

FILE = "nginx-nodes.conf"
PROXIES: dict[str, tuple[type[Front], str]] = {
    "nginx": (Nginx, FILE),
    "caddy": (Caddy, "Caddyfile-nodes"),
}
WITHIN = 15.0


class Node(LiveServer):
    """One of them: the public URL is nginx's, and the data folder is the first one's."""

    def __init__(self, nginx: Nginx, upstream: str, data: Path) -> None:
        env = {
            "AUTHGATE_TRUSTED_PROXIES": "127.0.0.1",
            "AUTHGATE_DATA_DIR": str(data),
            "AUTHGATE_UPSTREAM": upstream,
        }
        super().__init__(env=env, people=())
        self.front = nginx
        self.trust = nginx.authority.trust()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.front.port}"


@pytest.fixture(scope="module")
def nodes(
    authority: Authority, mcp_upstream: McpUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Node]]:
    """Two that run, and nginx before them."""
    data = tmp_path_factory.mktemp("shared")
    with (
        Nginx(tmp_path_factory.mktemp("nginx"), authority, FILE) as nginx,
        Node(nginx, mcp_upstream.url, data) as first,
        Node(nginx, mcp_upstream.url, data) as second,
    ):
        first.add_person(ALICE)
        nginx.start(first.port, second.port)
        yield [first, second]
        first.assert_quiet()
        second.assert_quiet()


def asked(node: Node) -> int:
    """How many requests nginx has given to this node."""
    told = (node.front.folder / "nodes.log").read_text()
    return len(re.findall(rf"^upstream=127\.0\.0\.1:{node.port} ", told, re.MULTILINE))


def test_no_request_needs_the_node_of_the_one_before(nodes: list[Node]) -> None:
    """Registration, the pages, the code, both tokens, a session of MCP: each anywhere."""
    before = [asked(node) for node in nodes]
    for _ in range(3):
        with Hands(nodes[0]) as hands:
            client = hands.registered()["client_id"]
            tokens = hands.tokens(client)
            refreshed = hands.refresh(client, tokens["refresh_token"])
            assert refreshed.status_code == 200
            bearer = {"authorization": f"Bearer {refreshed.json()['access_token']}"}
            opened = hands.http.post("/mcp", json=initialize(), headers=ACCEPT | bearer)
            assert opened.status_code == 200
            named = ACCEPT | bearer | {"mcp-session-id": opened.headers["mcp-session-id"]}
            for _ in range(3):
                ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
                assert hands.http.post("/mcp", json=ping, headers=named).status_code == 200
            assert hands.http.delete("/mcp", headers=named).status_code == 200
    went = [asked(node) - earlier for node, earlier in zip(nodes, before, strict=True)]
    assert min(went) > sum(went) / 4, went


def test_a_node_that_is_gone_is_noticed_by_nobody(nodes: list[Node]) -> None:
    """What could not be delivered goes to the other one, a POST too: nobody has seen it."""
    nodes[1].kill9()
    try:
        with Hands(nodes[0]) as hands:
            answers = [
                hands.http.post("/oauth/register", json={"redirect_uris": [CALLBACK]})
                for _ in range(6)
            ]
            answers += [hands.http.get("/.well-known/oauth-authorization-server") for _ in range(6)]
            assert {answer.status_code for answer in answers} == {200, 201}
            assert hands.tokens(hands.registered()["client_id"])["access_token"]
    finally:
        nodes[1].restart()


# --- what is sent twice, and what is not ----------------------------------------------------------


every_proxy = pytest.mark.parametrize("proxy", PROXIES)


async def dies(exchange: Exchange) -> None:
    """Read the request, and break the connection off before a word of answer."""
    await exchange.read()
    exchange.writer.transport.abort()


def asked_for(upstream: RawUpstream) -> list[Exchange]:
    """What it was asked for by clients, and not by the proxy itself."""
    return [exchange for exchange in upstream.seen if exchange.target != "/readyz"]


async def full(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.answer(b"{}", "Retry-After: 1", status="503 Service Unavailable")


@asynccontextmanager
async def before(
    script: Script, proxy: str, folder: Path, authority: Authority
) -> AsyncIterator[tuple[list[RawUpstream], httpx2.AsyncClient]]:
    """The proxy before two nodes, of which whichever is asked first does as the script says."""
    used: list[Exchange] = []

    async def whichever(exchange: Exchange) -> None:
        if exchange.target == "/readyz":
            await plain(exchange)
            return
        used.append(exchange)
        await (script if len(used) == 1 else plain)(exchange)

    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(RawUpstream(whichever)) for _ in range(2)]
        kind, file = PROXIES[proxy]
        front = stack.enter_context(kind(folder, authority, file))
        await asyncio.to_thread(front.start, *(upstream.port for upstream in upstreams))
        http = httpx2.AsyncClient(
            base_url=f"https://localhost:{front.port}",
            verify=authority.trust(),
            trust_env=False,
            timeout=WITHIN,
        )
        yield upstreams, await stack.enter_async_context(http)


@every_proxy
@pytest.mark.parametrize(
    "path", ["/oauth/token", "/oauth/register", "/oauth/sign-in", "/oauth/consent", "/mcp"]
)
async def test_what_a_node_may_have_done_is_not_asked_again(
    proxy: str, path: str, tmp_path: Path, authority: Authority
) -> None:
    async with before(dies, proxy, tmp_path, authority) as (upstreams, http):
        answer = await http.post(path, content=b"grant_type=authorization_code&code=once")
        assert answer.status_code == 502
        assert sum(len(asked_for(upstream)) for upstream in upstreams) == 1


@every_proxy
async def test_what_only_reads_is_asked_once_more(
    proxy: str, tmp_path: Path, authority: Authority
) -> None:
    async with before(dies, proxy, tmp_path, authority) as (upstreams, http):
        answer = await http.get("/.well-known/jwks.json")
        assert answer.status_code == 200
        assert sum(len(asked_for(upstream)) for upstream in upstreams) == 2


@every_proxy
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_node_that_says_when_to_come_again_is_heard(
    proxy: str, method: str, tmp_path: Path, authority: Authority
) -> None:
    async with before(full, proxy, tmp_path, authority) as (upstreams, http):
        answer = await http.request(method, "/mcp")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert sum(len(asked_for(upstream)) for upstream in upstreams) == 1


def test_the_file_never_asks_to_repeat_what_is_not_safe_to() -> None:
    said = [
        line.split("#")[0]
        for line in (DEPLOY / FILE).read_text().splitlines()
        if "proxy_next_upstream" in line.split("#")[0]
    ]
    assert said
    assert not [line for line in said if "non_idempotent" in line or "http_5" in line]


@every_proxy
async def test_what_reached_nobody_goes_to_the_next(
    proxy: str, tmp_path: Path, authority: Authority
) -> None:
    kind, file = PROXIES[proxy]
    async with RawUpstream() as upstream:
        with (
            closing(reserved_port()) as nobody,  # bound, and not listening: refused
            kind(tmp_path, authority, file) as front,
        ):
            await asyncio.to_thread(front.start, nobody.getsockname()[1], upstream.port)
            if proxy == "caddy":  # it has to notice first, or a body is lost (its issue 7546)
                await asyncio.to_thread(told, front, "health_checker")
            async with httpx2.AsyncClient(verify=authority.trust(), trust_env=False) as http:
                for _ in range(4):
                    url = f"https://localhost:{front.port}/oauth/token"
                    assert (await http.post(url, content=b"code=once")).status_code == 200
        assert len(asked_for(upstream)) == 4


def told(front: Front, words: str) -> None:
    """Wait until its log says so."""
    ends = time.monotonic() + WITHIN
    while words not in front.log():
        assert time.monotonic() < ends, front.log()
        time.sleep(0.05)


async def test_caddy_asks_nobody_who_leaves_or_is_not_ready(
    tmp_path: Path, authority: Authority
) -> None:
    """Two nodes; one says 503 at /readyz and would still answer, then both do."""
    leaving: set[int] = set()

    async def script(exchange: Exchange) -> None:
        own = exchange.writer.get_extra_info("sockname")[1]
        if exchange.target == "/readyz" and own in leaving:
            await full(exchange)
        else:
            await plain(exchange)

    async with RawUpstream(script) as first, RawUpstream(script) as second:
        with Caddy(tmp_path, authority, "Caddyfile-nodes") as front:
            await asyncio.to_thread(front.start, first.port, second.port)
            http = httpx2.AsyncClient(
                base_url=f"https://localhost:{front.port}",
                verify=authority.trust(),
                trust_env=False,
                timeout=WITHIN,
            )
            async with http:
                leaving.add(first.port)
                await asyncio.to_thread(told, front, f"127.0.0.1:{first.port}")
                before = len(asked_for(first))
                for _ in range(4):
                    assert (await http.post("/oauth/token", content=b"x")).status_code == 200
                assert len(asked_for(first)) == before
                leaving.add(second.port)
                await asyncio.to_thread(told, front, f"127.0.0.1:{second.port}")
                answer = await http.post("/oauth/token", content=b"x")
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("file", sorted(path.name for path in DEPLOY.glob("Caddyfile*")))
def test_caddy_understands_what_stands_there(file: str) -> None:
    done = subprocess.run(
        [binary("caddy"), "adapt", "--config", str(DEPLOY / file), "--adapter", "caddyfile"],
        env={},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=True,
    )
    assert "not formatted" not in done.stderr
    assert json.loads(done.stdout)["admin"] == {"disabled": True}
    host = "www.example.com" if "path" in file else "auth.example.com"
    assert f'"host":["{host}"]' in done.stdout
    nodes = ["10.0.0.11:8000", "10.0.0.12:8000"] if "nodes" in file else ["127.0.0.1:8000"]
    dials = ",".join(f'{{"dial":"{node}"}}' for node in nodes)
    assert f'"upstreams":[{dials}]' in done.stdout
    assert '"retry_match"' not in done.stdout
    assert ("/readyz" in done.stdout) == ("nodes" in file)
