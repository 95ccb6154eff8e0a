"""Several nodes behind deploy/nginx-nodes.conf: any of them answers, and none is asked twice.

The nodes of the first half share one SQLite file, which is enough to show that nothing of a sign-in
is in a process; what many nodes do on PostgreSQL is in tests/nodes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.clients.by_hand import CALLBACK, Hands
from tests.gateway.live_proxy import ACCEPT, initialize
from tests.live import ALICE, LiveServer
from tests.proxies.authority import Authority
from tests.proxies.front import DEPLOY
from tests.proxies.nginx import Nginx
from tests.standins.mcp_upstream import McpUpstream
from tests.standins.upstream import Exchange, RawUpstream, Script, plain

FILE = "nginx-nodes.conf"
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


async def dies(exchange: Exchange) -> None:
    """Read the request, and break the connection off before a word of answer."""
    await exchange.read()
    exchange.writer.transport.abort()


async def full(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.answer(b"{}", "Retry-After: 1", status="503 Service Unavailable")


@asynccontextmanager
async def before(
    script: Script, folder: Path, authority: Authority
) -> AsyncIterator[tuple[list[RawUpstream], httpx2.AsyncClient]]:
    """nginx before two nodes, of which whichever is asked first does as the script says."""
    used: list[Exchange] = []

    async def whichever(exchange: Exchange) -> None:
        used.append(exchange)
        await (script if len(used) == 1 else plain)(exchange)

    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(RawUpstream(whichever)) for _ in range(2)]
        nginx = stack.enter_context(Nginx(folder, authority, FILE))
        await asyncio.to_thread(nginx.start, *(upstream.port for upstream in upstreams))
        http = httpx2.AsyncClient(
            base_url=f"https://localhost:{nginx.port}",
            verify=authority.trust(),
            trust_env=False,
            timeout=WITHIN,
        )
        yield upstreams, await stack.enter_async_context(http)


@pytest.mark.parametrize(
    "path", ["/oauth/token", "/oauth/register", "/oauth/sign-in", "/oauth/consent", "/mcp"]
)
async def test_what_a_node_may_have_done_is_not_asked_again(
    path: str, tmp_path: Path, authority: Authority
) -> None:
    async with before(dies, tmp_path, authority) as (upstreams, http):
        answer = await http.post(path, content=b"grant_type=authorization_code&code=once")
        assert answer.status_code == 502
        assert sum(len(upstream.seen) for upstream in upstreams) == 1


async def test_what_only_reads_is_asked_of_the_next(tmp_path: Path, authority: Authority) -> None:
    async with before(dies, tmp_path, authority) as (upstreams, http):
        answer = await http.get("/.well-known/jwks.json")
        assert answer.status_code == 200
        assert [len(upstream.seen) for upstream in upstreams] == [1, 1]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_node_that_says_when_to_come_again_is_heard(
    method: str, tmp_path: Path, authority: Authority
) -> None:
    async with before(full, tmp_path, authority) as (upstreams, http):
        answer = await http.request(method, "/mcp")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert sum(len(upstream.seen) for upstream in upstreams) == 1


def test_the_file_never_asks_to_repeat_what_is_not_safe_to() -> None:
    said = [
        line.split("#")[0]
        for line in (DEPLOY / FILE).read_text().splitlines()
        if "proxy_next_upstream" in line.split("#")[0]
    ]
    assert said
    assert not [line for line in said if "non_idempotent" in line or "http_5" in line]
