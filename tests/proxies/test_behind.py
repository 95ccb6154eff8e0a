"""authgate behind a real nginx and a real Caddy, from the files in deploy/: what clients see."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from authgate.cli.serving import KEEP_ALIVE
from tests.clauses import clause
from tests.clients.by_hand import CALLBACK, Hands, verifier_and_challenge
from tests.clients.command_tools import Desktop, mcp_remote
from tests.clients.test_python_sdk import Application
from tests.gateway.live_proxy import ACCEPT, initialize, token_of
from tests.live import ALICE, BOB, Person
from tests.proxies.conftest import REGISTRATIONS
from tests.proxies.front import DEPLOY, Fronted
from tests.standins.mcp_upstream import McpUpstream

BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
WITHIN = 15.0
AS_DOCUMENTS = ("oauth-authorization-server", "openid-configuration")


def visitor(server: Fronted, **options: Any) -> httpx2.Client:
    """Somebody outside."""
    return httpx2.Client(
        base_url=server.origin, verify=server.trust, trust_env=False, timeout=WITHIN, **options
    )


@pytest.fixture(scope="module")
def tokens(server: Fronted) -> dict[str, str]:
    """A token of each person, over TLS all the way."""
    return {person.email: token_of(server, person) for person in (ALICE, BOB)}


@asynccontextmanager
async def connected(
    server: Fronted, tokens: dict[str, str], mode: Any, person: Person = ALICE
) -> AsyncIterator[Client]:
    """The official client of a person who has a token."""
    headers = ACCEPT | {"authorization": f"Bearer {tokens[person.email]}"}
    async with (
        httpx2.AsyncClient(
            headers=headers, verify=server.trust, trust_env=False, timeout=60
        ) as http,
        Client(streamable_http_client(server.mcp_url, http_client=http), mode=mode) as client,
    ):
        yield client


async def in_time(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, WITHIN)


# --- discovery ------------------------------------------------------------------------------------


def metadata_addresses(path: str) -> list[str]:
    """Where clients look for the server's metadata: root, inserted, appended."""
    forms = ("/.well-known/{name}", "/.well-known/{name}{at}", "{at}/.well-known/{name}")
    return [
        form.format(name=name, at=at)
        for name in AS_DOCUMENTS
        for form in forms
        for at in dict.fromkeys((path, f"{path}/mcp"))
    ]


@clause("RFC 8414", "3.1")
def test_the_servers_metadata_is_at_every_address(server: Fronted) -> None:
    with visitor(server) as http:
        for address in metadata_addresses(server.path):
            answer = http.get(address)
            assert answer.status_code == 200, address
            told = answer.json()
            assert told["issuer"] == server.url, address
            for name, value in told.items():
                if name.endswith(("_endpoint", "_uri")):
                    assert value.startswith(server.url + "/"), (name, value)
            assert f":{server.port}" not in answer.text, "the address inside"
            assert http.options(address).status_code == 204
            assert http.get(told["jwks_uri"]).json()["keys"]


@clause("RFC 9728", "3.1")
def test_the_resources_metadata_is_where_the_challenge_and_clients_look(server: Fronted) -> None:
    with visitor(server) as http:
        refused = http.post(f"{server.path}/mcp", json=initialize())
        assert refused.status_code == 401
        named = re.findall(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
        inserted = f"/.well-known/oauth-protected-resource{server.path}/mcp"
        assert named == [server.origin + inserted]
        for address in (
            inserted,
            "/.well-known/oauth-protected-resource",
            f"{server.path}/.well-known/oauth-protected-resource",
            f"{server.path}/mcp/.well-known/oauth-protected-resource",
        ):
            told = http.get(address).json()
            assert (told["resource"], told["authorization_servers"]) == (
                server.mcp_url,
                [server.url],
            ), address


def test_no_caller_chooses_the_id_of_a_request(server: Fronted) -> None:
    """The proxy is believed, and must not pass on as its own what it was told."""
    chosen = "0123456789abcdef-chosen"
    traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    forged = {"x-request-id": chosen, "traceparent": traced, "tracestate": "a=b"}
    with visitor(server) as http:
        for headers in ({}, forged, forged | {"connection": "close"}):
            found = http.get(f"{server.path}/healthz", headers=headers)
            (told,) = found.headers.get_list("x-request-id")
            assert len(told) >= 32, "made by the proxy"
            assert told != chosen


def test_what_is_not_authgates_stays_the_websites(server: Fronted) -> None:
    with visitor(server) as http:
        for address in ("/", "/authx", "/author/mcp", "/.well-known/acme-challenge/x"):
            answer = http.get(address)
            if server.path:
                assert answer.text == "the website\n", address
            else:
                assert answer.status_code == 404, address


def test_nothing_is_redirected_on_the_way_to_the_mcp_server(server: Fronted) -> None:
    """claude-ai-mcp#155: a redirect costs the token. Wrong addresses are wrong, not elsewhere."""
    addresses = [server.path or "/", f"{server.path}/mcp", f"{server.path}/mcp/"]
    addresses += [f"{server.path}//mcp", f"{server.path}/x/../mcp"]
    with visitor(server, headers={"authorization": "Bearer wrong"}) as http:
        for method in ("GET", "POST", "DELETE"):
            answers = [http.request(method, address).status_code for address in addresses]
            assert not [status for status in answers if 300 <= status < 400], (method, answers)
            assert answers[1] == 401


def test_browsers_of_other_origins_can_read_the_challenge(server: Fronted) -> None:
    """typo3-mcp-server#115, twentyhq/twenty PR #19836: a preflight that asks for a token, and a
    challenge that no page can read."""
    page = {"origin": "https://app.example"}
    asking = page | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,mcp-protocol-version,mcp-param-region",
    }
    with visitor(server) as http:
        for path in ("/mcp", "/oauth/token", "/oauth/register", "/oauth/revoke"):
            preflight = http.options(server.path + path, headers=asking)
            assert preflight.status_code == 204, path
            assert preflight.headers.get_list("access-control-allow-origin") == ["*"]
        refused = http.post(f"{server.path}/mcp", json=initialize(), headers=page)
        assert refused.status_code == 401
        assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]
        assert refused.headers.get_list("access-control-allow-origin") == ["*"]
        assert (
            "access-control-allow-origin"
            not in http.options(f"{server.path}/oauth/authorize", headers=asking).headers
        )


@pytest.mark.parametrize(
    "spelling",
    [
        *("/mcp", "/mcp/", "/mcp/.", "/%6dcp", "/mcp%2f", "/mcp%00", "/mcp;x=/healthz"),
        *("/mcp?x=/healthz", "/mcp%3f/healthz", "/healthz/../mcp", "/healthz/..%2fmcp", "/./mcp"),
        *("/.well-known/..%2f..%2fmcp", "//mcp", "/MCP", "/mcp#/healthz"),
    ],
)
def test_no_spelling_finds_a_way_between_the_two(server: Fronted, spelling: str) -> None:
    """A proxy and authgate may read a path differently, but neither leads past the guard."""
    body = json.dumps(initialize())
    raw = (
        f"POST {server.path}{spelling} HTTP/1.1\r\nHost: localhost\r\n"
        "X-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\nX-Forwarded-Uri: /healthz\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    assert server.trust is not None
    with (
        socket.create_connection(("localhost", server.front.port), timeout=WITHIN) as plain,
        server.trust.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        wire.sendall(raw.encode())
        answer = b""
        while part := wire.recv(65_536):
            answer += part
    refused = answer.split(b" ", 2)[1] in (b"400", b"401", b"404", b"405")
    assert refused or answer.endswith(b"the website\n"), answer


# --- the whole flow -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_official_client_signs_in_over_tls(server: Fronted, mode: str) -> None:
    application = Application(server, BOB)
    async with application.connected(mode) as client:
        added = await client.call_tool("add", {"a": 2, "b": 40})
        assert added.structured_content == {"result": 42}
    assert application.visits == 1
    went = {url.split("?")[0] for _, url, _ in application.browser.history}
    assert went
    assert all(url.startswith(server.url + "/") for url in went), went


async def test_mcp_remote_signs_in_over_tls(server: Fronted, tmp_path: Path) -> None:
    """A whole program: finds the server, opens the browser, trusts what the desktop trusts."""
    desktop = Desktop(tmp_path, ALICE, server.front.authority.root)
    async with mcp_remote(desktop, server.mcp_url) as client:
        added = await client.call_tool("add", {"a": 2, "b": 40})
        assert added.structured_content == {"result": 42}
    assert len(desktop.visited()) == 1


def test_cookies_are_for_tls_alone_and_heads_fit_a_proxys_default(server: Fronted) -> None:
    """fastmcp#3747, cloudflare/mcp PR #41: proxies give a head 4 KiB and a line 8, unless told."""
    verifier, challenge = verifier_and_challenge()
    assert verifier
    with Hands(server) as hands, visitor(server) as http:
        client = hands.registered()["client_id"]
        url = hands.authorize_url(client, challenge, state="s" * 512)
        lines: list[str] = []
        for _ in range(4):
            answer = http.get(url, headers={"sec-fetch-site": "none"})
            head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
            assert head < 4096
            assert len(url) < 8192
            lines += answer.headers.get_list("set-cookie")
            if not 300 <= answer.status_code < 400:
                break
            url = answer.headers["location"]
            assert url.startswith((server.url + "/", server.path + "/")), url
        assert answer.status_code == 200
        assert lines
        for line in lines:
            (morsel,) = SimpleCookie(line).values()
            assert morsel.key.startswith("__Host-"), line
            assert (morsel["secure"], morsel["httponly"], morsel["path"]) == (True, True, "/")
            assert (morsel["samesite"], morsel["domain"]) == ("Lax", "")
        signed_in = hands.tokens(client)
        assert len(signed_in["access_token"]) < 4096  # ContextForge#6653


# --- streams --------------------------------------------------------------------------------------


@BOTH
async def test_progress_comes_out_before_the_call_can_end(
    server: Fronted, tokens: dict[str, str], mode: str
) -> None:
    heard = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        if message == "waiting":
            heard.set()

    async with (
        connected(server, tokens, mode) as client,
        connected(server, tokens, mode, BOB) as other,
    ):
        call = asyncio.create_task(client.call_tool("gated", {}, progress_callback=on_progress))
        await in_time(heard.wait())
        assert not call.done()  # it cannot be: nobody has released it
        await other.call_tool("release", {})
        assert (await in_time(call)).structured_content == {"result": "released"}


@BOTH
async def test_a_cancelled_call_is_cancelled_behind_both(
    server: Fronted, tokens: dict[str, str], mcp_upstream: McpUpstream, mode: str
) -> None:
    """In 2026-07-28 by nothing but the end of the connection, which a proxy must pass on."""
    mcp_upstream.forget()
    async with connected(server, tokens, mode) as client:
        call = asyncio.create_task(client.call_tool("gated", {}))
        await asyncio.to_thread(mcp_upstream.said, "gated: waiting")
        call.cancel()
        await asyncio.to_thread(mcp_upstream.said, "gated: cancelled")
        await asyncio.wait([call])


def test_a_stream_begins_before_its_first_event(server: Fronted, tokens: dict[str, str]) -> None:
    """A client that waits for the head of a silent stream must not wait for news."""
    headers = ACCEPT | {"authorization": f"Bearer {tokens[ALICE.email]}"}
    with visitor(server, headers=headers) as http:
        opened = http.post(f"{server.path}/mcp", json=initialize())
        named = {"mcp-session-id": opened.headers["mcp-session-id"]}
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert http.post(f"{server.path}/mcp", json=note, headers=named).status_code == 202
        with http.stream("GET", f"{server.path}/mcp", headers=named, timeout=5) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
        assert http.delete(f"{server.path}/mcp", headers=named).status_code == 200


# --- whose address it is --------------------------------------------------------------------------


def registration(server: Fronted, address: str, **headers: str) -> int:
    """The status of a registration through the proxy from a loopback address of one's own."""
    transport = httpx2.HTTPTransport(verify=server.trust, local_address=address)
    with httpx2.Client(transport=transport, trust_env=False, timeout=WITHIN) as http:
        document = {"redirect_uris": [CALLBACK]}
        answer = http.post(f"{server.url}/oauth/register", json=document, headers=headers)
        return answer.status_code


def test_a_throttle_counts_callers_and_not_the_proxy(server: Fronted) -> None:
    spoofs = [{"x-forwarded-for": f"203.0.113.{n}"} for n in range(REGISTRATIONS)]
    assert {registration(server, "127.0.0.2", **spoof) for spoof in spoofs} == {201}
    for lie in (
        {"x-forwarded-for": "203.0.113.99"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": "203.0.113.99, 127.0.0.1"},
        {"x_forwarded_for": "203.0.113.99"},
        {"x-real-ip": "203.0.113.99"},
        {"forwarded": "for=203.0.113.99"},
    ):
        assert registration(server, "127.0.0.2", **lie) == 429, lie
    assert registration(server, "127.0.0.3") == 201


def test_who_is_no_proxy_is_believed_nothing(server: Fronted) -> None:
    """Past the proxy, from an address that is not the proxy's: its word about others is nothing."""
    transport = httpx2.HTTPTransport(local_address="127.0.0.4")
    with httpx2.Client(
        transport=transport, base_url=f"http://127.0.0.1:{server.port}{server.path}", timeout=WITHIN
    ) as http:
        seen = []
        for n in range(REGISTRATIONS + 2):
            spoof = {"x-forwarded-for": f"198.51.100.{n}", "forwarded": f"for=198.51.100.{n}"}
            document = {"redirect_uris": [CALLBACK]}
            seen.append(http.post("/oauth/register", json=document, headers=spoof).status_code)
    assert seen == [201] * REGISTRATIONS + [429] * 2


def test_the_mcp_server_is_told_the_callers_address(
    server: Fronted, tokens: dict[str, str]
) -> None:
    headers = ACCEPT | {
        "authorization": f"Bearer {tokens[ALICE.email]}",
        "x-forwarded-for": "203.0.113.99",
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "http",
    }
    transport = httpx2.HTTPTransport(verify=server.trust, local_address="127.0.0.5")
    with httpx2.Client(transport=transport, headers=headers, timeout=WITHIN) as http:
        opened = http.post(server.mcp_url, json=initialize())
        named = {"mcp-session-id": opened.headers["mcp-session-id"]}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call"}
        call["params"] = {"name": "headers", "arguments": {}}  # type: ignore[assignment]
        answer = http.post(server.mcp_url, json=call, headers=named).text
        http.delete(server.mcp_url, headers=named)
    data = [line[6:] for line in answer.splitlines() if line.startswith("data: {")]
    seen = json.loads(data[-1])["result"]["structuredContent"]
    seen = seen.get("result", seen)
    assert seen["x-forwarded-for"] == "127.0.0.5"
    assert seen["x-forwarded-proto"] == "https"
    assert seen["x-forwarded-host"] == server.origin.removeprefix("https://")


# --- connections and heads ------------------------------------------------------------------------


def connections_to(port: int) -> set[str]:
    """Who is connected to a loopback port, by the kernel's own table."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = f"0100007F:{port:04X}"
    return {row[1] for row in rows if row[2] == there and row[3] == "01"}


def test_connections_are_kept_and_closed_by_the_proxy_first(server: Fronted) -> None:
    with visitor(server) as http:
        http.get("/.well-known/oauth-authorization-server")
        before = connections_to(server.port)
        assert before
        for _ in range(10):
            http.get("/.well-known/oauth-authorization-server")
        after = connections_to(server.port)
    assert after <= before, "a new connection although one was free"
    for file in (*DEPLOY.glob("nginx*.conf"), *DEPLOY.glob("Caddyfile*")):
        idle = re.findall(r"^\s+keepalive(?:_timeout)? (\d+)s\b", file.read_text(), re.MULTILINE)
        assert [int(seconds) < KEEP_ALIVE for seconds in idle] == [True], file


def test_a_long_token_is_judged_and_not_cut(server: Fronted) -> None:
    """A token of somebody else's making may be longer than the 8 KiB of nginx's default."""
    with visitor(server) as http:
        answer = http.post(
            f"{server.path}/mcp",
            json=initialize(),
            headers={"authorization": "Bearer " + "x" * 24_000},
        )
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_body_over_the_limit_is_refused_in_the_callers_form(
    server: Fronted, tokens: dict[str, str]
) -> None:
    """By authgate, not by a page of the proxy's."""
    with visitor(server) as http:
        headers = ACCEPT | {"authorization": f"Bearer {tokens[ALICE.email]}"}
        body = json.dumps(initialize() | {"padding": "x" * (2 << 20)})
        fits = http.post(f"{server.path}/mcp", content=body, headers=headers)
        assert fits.status_code != 413  # nginx's default is one MiB
        large = http.post(f"{server.path}/mcp", content=body * 3, headers=headers)
        assert large.status_code == 413
        assert large.json()["jsonrpc"] == "2.0"
        too_large = http.post(f"{server.path}/oauth/register", content=b" " * 70_000)
        assert too_large.json()["error"] == "invalid_request"


@clause("RFC 9110", "10.1.1")
def test_a_client_that_asks_before_it_sends(server: Fronted) -> None:
    """`Expect: 100-continue`, which some HTTP libraries send with every large body."""
    began = time.monotonic()
    with visitor(server) as http:
        answer = http.post(
            f"{server.path}/oauth/register",
            json={"redirect_uris": [CALLBACK], "client_name": "x" * 2000},
            headers={"expect": "100-continue"},
        )
    assert answer.status_code in (400, 201)
    assert time.monotonic() - began < 5
