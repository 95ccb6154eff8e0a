"""The promises of docs/security.md that only a whole running server can show.

Most promises are held by a test of the room that keeps them; docs/security.md names it. Here are
those where rooms, processes or faces have to agree.
"""

from __future__ import annotations

import hmac
import json
import socket
import statistics
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx2
import pytest

from authgate.directories.people import add_person
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate, Pkce, hidden, posted
from tests.live import ALICE, BOB, LiveServer
from tests.trust.conftest import NewWalk
from tests.trust.walk import WEB, Walk, call, result_of

CROWD = 40


def at_once(job: Any, count: int = CROWD) -> list[Any]:
    with ThreadPoolExecutor(count) as crowd:
        return [done.result() for done in [crowd.submit(job) for _ in range(count)]]


# --- 1, 2, 8, 28: one answer, in every process ----------------------------------------------------


@clause("RFC 6749", "4.1.2")
def test_a_code_is_worth_one_answer_in_two_workers(walk: Walk) -> None:
    """Promises 1 and 2 (GHSA-7w99-5wm4-3g79): forty at once, one wins; the rest are a replay,
    which ends what the winner got, in every worker."""
    client = walk.register()
    code = walk.code(client)
    answers = at_once(lambda: _alone(walk, lambda other: other.exchange(client, code)))
    won = [answer for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code != 200]
    assert len(won) == 1
    assert {(a.status_code, a.json()["error"]) for a in lost} == {(400, "invalid_grant")}
    token = won[0].json()["access_token"]
    assert {call(walk.url, token).status_code for _ in range(12)} == {401}
    assert walk.refresh(client, won[0].json()["refresh_token"]).json()["error"] == "invalid_grant"


def _alone(walk: Walk, ask: Callable[[Walk], httpx2.Response]) -> httpx2.Response:
    """Ask as the same client over a connection of its own, so that both workers are asked."""
    with closing(Walk(walk.url, walk.person)) as other:
        other.pkce = walk.pkce
        return ask(other)


@clause("OAuth 2.1", "4.3.1")
def test_a_refresh_token_has_one_successor_in_two_workers(walk: Walk) -> None:
    """Promise 8 (CVE-2026-1035, GHSA-392p-2q2v-4372): a crowd gets the same one; once that was
    used, the old one ends everything, in every worker."""
    client = walk.register()
    first = walk.tokens(client)["refresh_token"]
    answers = at_once(lambda: _alone(walk, lambda other: other.refresh(client, first)))
    assert {answer.status_code for answer in answers} == {200}
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    token = answers[0].json()["access_token"]
    assert {call(walk.url, token).status_code for _ in range(6)} == {200}
    assert walk.refresh(client, successors.pop()).status_code == 200
    assert walk.refresh(client, first).json()["error"] == "invalid_grant"
    assert {call(walk.url, token).status_code for _ in range(12)} == {401}


def test_a_revoked_token_is_dead_in_every_worker_and_stays_dead(
    two_workers: LiveServer, walk: Walk
) -> None:
    """Promises 22 and 28, and CVE-2026-9802 (a replay accepted after a restart)."""
    client = walk.register()
    first = walk.tokens(client)
    second = walk.refresh(client, first["refresh_token"]).json()
    walk.http.post(
        "/oauth/revoke", data={"client_id": client["client_id"], "token": second["access_token"]}
    )
    two_workers.restart()
    dead = (first["access_token"], second["access_token"])
    assert {call(two_workers.url, token).status_code for token in dead * 6} == {401}
    for spent in (first["refresh_token"], second["refresh_token"]):
        assert walk.refresh(client, spent).json()["error"] == "invalid_grant"


# --- 10, 24: whose call is it? --------------------------------------------------------------------


@clause("MCP", "session hijacking")
def test_two_people_at_once_are_never_mixed_up(two_workers: LiveServer, new_walk: NewWalk) -> None:
    """CVE-2026-25536 and promise 24: no answer goes to another, and no header makes a caller."""
    tokens = {}
    for person in (ALICE, BOB):
        walk = new_walk(person)
        tokens[person.email] = walk.tokens(walk.register())["access_token"]
    forged = {
        "x-forwarded-user": "ag_root",
        "x-forwarded-email": "root@example.com",
        "x-auth-request-user": "ag_root",
        "authgate-caller": "ag_root",
        "authgate_caller": "ag_root",
        "x_forwarded_user": "ag_root",
        "connection": "authorization, close",
    }

    def ask(email: str) -> tuple[str, str]:
        return email, result_of(call(two_workers.url, tokens[email], **forged))["display"]

    with ThreadPoolExecutor(16) as crowd:
        answers = Counter(crowd.map(ask, [ALICE.email, BOB.email] * 12))
    assert answers == {(ALICE.email, ALICE.email): 12, (BOB.email, BOB.email): 12}


@pytest.mark.parametrize(
    "path",
    [
        *("/%6dcp", "/mcp?x=1", "/mcp#x", "/mcp?/healthz", "/mcp?access_token=x"),
        *("//mcp", "/mcp/", "/MCP", "/mcp;x", "/mcp%2f", "/mcp%00", "/./mcp", "/%2e/mcp"),
        *("/healthz/../mcp", "/healthz/..%2fmcp", "/healthz%2f..%2fmcp", "/.well-known/../mcp"),
        *("/mcp/healthz", "/mcp%3fx", "/mcp\\", "/healthz;/mcp", "/api/mcp/../../mcp"),
    ],
)
@pytest.mark.parametrize(
    "header", ["x: y", "x-forwarded-uri: /healthz", "x-original-url: /healthz"]
)
def test_no_spelling_of_the_path_gets_around_the_guard(
    two_workers: LiveServer, path: str, header: str
) -> None:
    """Promise 24 (CVE-2025-54576, GHSA-7x63-xv5r-3p2x, GHSA-5hvv-m4w4-gf6v, GHSA-pxq7-h93f-9jrg):
    it is the guarded path, or it is nothing."""
    request = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\n{header}\r\nuser-agent: kube-probe/1.0\r\n"
        "content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    )
    with socket.create_connection(("127.0.0.1", two_workers.port), timeout=10) as connection:
        connection.sendall(request.encode())
        status = int(connection.recv(64).split()[1])
    assert status in (400, 401, 404)


# --- 13, 15: consent ------------------------------------------------------------------------------


def test_a_click_that_comes_forty_times_gives_one_code(walk: Walk) -> None:
    """Promise 15, over two processes: one answer, and none that undoes it."""
    page = walk.sign_in(walk.ask(walk.question(walk.register())))
    form = hidden(page.text, "/oauth/consent")
    jar = dict(walk.http.cookies)

    def click(decision: str) -> httpx2.Response:
        with httpx2.Client(base_url=walk.url, timeout=30, cookies=jar) as http:
            return http.post("/oauth/consent", data={**form, "decision": decision})

    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(click, ["approve", "deny"] * (CROWD // 2)))
    assert Counter(answer.status_code for answer in answers) == {303: 1, 400: CROWD - 1}


def test_what_was_allowed_is_allowed_for_nothing_else(walk: Walk) -> None:
    """Promises 9 and 13: another client, person, host or resource is asked for anew."""
    other_host = "https://other.example/callback"
    client = walk.register(redirect_uris=[WEB, other_host])
    walk.code(client)
    again = walk.ask(walk.question(client))
    assert again.status_code == 303  # remembered: straight back, with a code
    assert walk.ask(walk.question(client, redirect_uri=other_host)).status_code == 200
    assert walk.ask(walk.question(walk.register(client_name="Twin"))).status_code == 200
    assert walk.ask(walk.question(client, scope="mcp:use offline_access")).status_code == 200
    assert walk.ask(walk.question(client, prompt="consent")).status_code == 200
    for site in ("cross-site", "same-site", "same-origin", ""):
        page = walk.ask(walk.question(client), **{"sec-fetch-site": site})
        assert page.status_code == 200, site
        assert "Allow this application?" in page.text


# --- 14: two kinds of request ---------------------------------------------------------------------


def test_a_tool_challenge_and_a_browser_request_never_answer_each_other(walk: Walk) -> None:
    """A challenge_id that leaked opens no page; a page's handle takes no password."""
    client = walk.register()
    question = {k: v for k, v in walk.question(client).items() if k != "response_type"}
    challenge = walk.tool("oauth_authorize", **question).json()["result"]["challenge_id"]
    assert walk.page(f"/oauth/continue?request={challenge}").status_code == 400
    walk.ask(walk.question(client))
    handle = next(value for value, kind in walk.secrets.items() if kind == "handle")
    answer = walk.tool(
        "oauth_authenticate", challenge_id=handle, username=ALICE.email, password=ALICE.password
    )
    assert answer.json()["error"]["code"] == "invalid_request"


# --- 18: guessing ---------------------------------------------------------------------------------

UMLAUT = "jörg.weiß@example.com"


@clause("ASVS", "6.3.1")
async def test_every_spelling_and_every_way_in_count_together(gate: Gate) -> None:
    """Promise 18: ten failures are ten failures, by page or tool, however the address is written
    and whatever a header says about where they come from."""
    words = "a long enough passphrase"
    await add_person(gate.core.store, gate.core.passwords, UMLAUT, words, 1)
    client = await gate.register()
    spellings = [
        UMLAUT,
        UMLAUT.upper(),
        unicodedata.normalize("NFD", UMLAUT),
        f"  {UMLAUT} ",
        UMLAUT.replace("ß", "ss"),
    ]
    async with gate.http() as http:
        begun = await http.get("/oauth/authorize", params=gate.question(client, Pkce()))
        page = await http.get(begun.headers["location"])
        asked = gate.question(client, Pkce(), response_type=None)
        opened = await http.post("/api/mcp", json={"method": "oauth_authorize", "params": asked})
        challenge = opened.json()["result"]["challenge_id"]

        async def by_page(name: str, word: str, address: str) -> int:
            form = {**hidden(page.text, "/oauth/sign-in"), "username": name, "password": word}
            sent = {"x-forwarded-for": address, "x-real-ip": address}
            return (await http.post("/oauth/sign-in", data=form, headers=sent)).status_code

        async def by_tool(name: str, word: str, address: str) -> int:
            params = {"challenge_id": challenge, "username": name, "password": word}
            body = {"method": "oauth_authenticate", "params": params}
            sent = {"x-forwarded-for": address, "forwarded": f"for={address}"}
            return (await http.post("/api/mcp", json=body, headers=sent)).status_code

        for number, name in enumerate(spellings):
            assert await by_page(name, "wrong", f"203.0.113.{number}") == 401
            assert await by_tool(name, "wrong", f"203.0.113.{number + 100}") == 401
        for name in spellings:
            assert await by_page(name, words, "198.51.100.1") == 429
            assert await by_tool(name, words, "198.51.100.2") == 429


async def test_strangers_and_people_are_braked_alike(gate: Gate) -> None:
    """Promise 18: neither the answer nor the brake tells who has an account here."""
    client = await gate.register()
    told: dict[str, list[Any]] = {"alice@example.com": [], "nobody@example.com": []}
    async with gate.http() as http:
        asked = gate.question(client, Pkce(), response_type=None)
        opened = await http.post("/api/mcp", json={"method": "oauth_authorize", "params": asked})
        challenge = opened.json()["result"]["challenge_id"]
        for _ in range(12):
            for name, answers in told.items():
                params = {"challenge_id": challenge, "username": name, "password": "wrong"}
                body = {"method": "oauth_authenticate", "params": params}
                answer = await http.post("/api/mcp", json=body)
                error = answer.json()["error"]
                answers.append((answer.status_code, error["code"], error["message"]))
    assert told["alice@example.com"] == told["nobody@example.com"]
    assert [answer[0] for answer in told["alice@example.com"]] == [401] * 10 + [429] * 2


def test_a_wrong_sign_in_takes_as_long_whoever_it_is(walk: Walk) -> None:
    """Promise 18 (CWE-208), with real argon2id: known, unknown, and what no account can have.

    A hash takes about a hundred times what else happens; without one, an answer would stand out.
    """
    question = {k: v for k, v in walk.question(walk.register()).items() if k != "response_type"}
    challenge = walk.tool("oauth_authorize", **question).json()["result"]["challenge_id"]
    names = [BOB.email, "nobody@example.com", "no address", "x" * 400]
    took: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(4):
        for name in names:
            began = time.perf_counter()
            answer = walk.tool(
                "oauth_authenticate", challenge_id=challenge, username=name, password="wrong"
            )
            took[name].append(time.perf_counter() - began)
            assert answer.status_code == 401
    typical = [statistics.median(times) for times in took.values()]
    assert min(typical) * 3 > max(typical), took


# --- 20: registration -----------------------------------------------------------------------------


@clause("RFC 7591", "5")
def test_registration_and_consent_fetch_nothing(walk: Walk) -> None:
    """Promise 20: whatever addresses a client names (also those of SSRF tables), none is called."""
    with socket.create_server(("127.0.0.1", 0)) as bait:
        bait.settimeout(0.5)
        place = f"http://127.0.0.1:{bait.getsockname()[1]}"
        client = walk.register(
            client_uri=place,
            logo_uri=f"{place}/logo.png",
            tos_uri=f"{place}/tos",
            policy_uri=f"{place}/policy",
            jwks_uri=f"{place.replace('http', 'https')}/keys",
            sector_identifier_uri=place,
            initiate_login_uri=place,
            redirect_uris=[f"{place}/callback"],
        )
        page = walk.sign_in(walk.ask(walk.question(client)))
        assert f'"{place}' not in page.text  # neither a link nor an image
        walk.decide(page)
        with pytest.raises(TimeoutError):
            bait.accept()


# --- 23, 26: what other origins and hosts can do --------------------------------------------------

OPEN = {
    *("/oauth/register", "/oauth/token", "/oauth/revoke", "/oauth/introspect"),
    *("/register", "/token", "/mcp", "/api/mcp"),
}


async def test_other_origins_read_only_what_knows_no_cookie(gate: Gate) -> None:
    """Promise 26, for every route there is: open or closed, never with credentials."""
    async with gate.http() as http:
        for path in gate.app.table:
            sent = {"origin": "https://evil.example", "access-control-request-method": "POST"}
            for method in ("OPTIONS", "GET"):
                answer = await http.request(method, path, headers=sent)
                told = answer.headers.get("access-control-allow-origin")
                is_open = path in OPEN or "/.well-known/" in path
                assert told == ("*" if is_open else None), (method, path)
                assert "access-control-allow-credentials" not in answer.headers
                if is_open:
                    assert "set-cookie" not in answer.headers


@clause("MCP transport", "security warning")
async def test_a_page_that_rebound_its_name_to_us_gets_nothing(gate: Gate) -> None:
    """CVE-2025-66416, CVE-2026-34742: the browser takes us for evil.example, and says so."""
    token = (await gate.tokens(await gate.register()))["access_token"]
    rebound = {"host": "evil.example:8000", "origin": "http://evil.example:8000"}
    assert (await gate.call(None, **rebound)).status_code == 401
    assert (await gate.call(token, **rebound)).status_code == 403
    async with gate.http() as http:
        for body in ({"method": "oauth_authorize"}, {"jsonrpc": "2.0", "method": "tools/list"}):
            answer = await http.post("/api/mcp", json=body, headers=rebound)
            assert answer.status_code == 403
        page = await http.post("/oauth/sign-in", data={}, headers=rebound)
        assert page.status_code == 403


# --- 25: errors -----------------------------------------------------------------------------------


def test_no_answer_speaks_of_our_inside(two_workers: LiveServer, walk: Walk) -> None:
    """Promise 25: whatever is wrong, no trace, no SQL, no path, no name of a library."""
    inside = ("Traceback", "sqlite", "SELECT", "pydantic", "/src/", ".py", "uvicorn", "starlette")
    client = walk.register()
    posts: list[tuple[str, dict[str, Any]]] = [
        ("/oauth/token", {"data": {"grant_type": "authorization_code", **posted(client)}}),
        ("/oauth/token", {"content": b"\xff\x00", "headers": {"content-type": "text/plain"}}),
        ("/oauth/token", {"data": {"client_id": "' OR 1=1 --", "grant_type": "x"}}),
        ("/oauth/register", {"content": b"{" * 5000}),
        ("/oauth/register", {"json": {"redirect_uris": ["javascript:alert(1)"]}}),
        ("/oauth/introspect", {"data": posted(client)}),
        ("/oauth/sign-in", {"data": {"request": "'; DROP TABLE codes; --"}}),
        ("/api/mcp", {"json": {"method": "../../etc/passwd"}}),
        ("/api/mcp", {"json": {"jsonrpc": "2.0", "id": 1, "method": "no/such"}}),
        ("/mcp", {"json": {}}),
        ("/nowhere", {"json": {}}),
    ]
    for path, sent in posts:
        answer = walk.http.post(path, **sent)
        assert answer.status_code < 500, (path, answer.text)
        shown = answer.text + json.dumps(dict(answer.headers))
        assert not [word for word in inside if word.lower() in shown.lower()], (path, shown)
        assert "server" not in answer.headers
    two_workers.assert_quiet()


# --- 27: comparing secrets ------------------------------------------------------------------------


async def test_secrets_are_compared_in_constant_time(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 27: client secret, verifier and form token go through `hmac.compare_digest`."""
    compared: list[tuple[Any, Any]] = []
    original = hmac.compare_digest

    def watched(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return original(a, b)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    client = await gate.register(token_endpoint_auth_method="client_secret_post")
    pkce = Pkce()
    code = await gate.code(client, pkce)
    assert len(compared) == 2  # the form tokens of sign-in and consent
    assert (await gate.exchange(client, code, pkce)).status_code == 200
    assert len(compared) == 4  # secret and verifier


# --- defaults -------------------------------------------------------------------------------------


async def test_nothing_weak_is_on_unless_it_is_named(open_gate: OpenGate) -> None:
    """GHSA-86j7-9j95-vpqj, GHSA-9h47-pqcx-hjr4: the defaults, written down where a change shows."""
    gate = await open_gate()
    chosen, policy = gate.settings, gate.core.policy
    assert (chosen.allow_http, chosen.trusted_proxies, chosen.allowed_origins) == (False, (), ())
    assert (gate.app.live.mode, chosen.signing_alg, chosen.redirect_schemes) == (
        "required",
        "ES256",
        ("cursor",),
    )
    assert (policy.code_ttl, policy.access_token_ttl, policy.refresh_grace) == (60, 3600, 60)
    assert (policy.request_ttl, policy.session_ttl, policy.verifier_attempts) == (600, 43_200, 5)
    async with gate.http() as http:
        told = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token"]
