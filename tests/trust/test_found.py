"""Holes that a review of this very code found, each kept shut by the story of its attack."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from authgate import app as application
from authgate.app import jobs
from authgate.directories.people import disable_person
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import AuditEvent, Person, Session
from authgate.security.digests import digest
from authgate.security.vault import SealedValueUnreadable
from authgate.web import address
from tests.clauses import clause
from tests.endpoints.gate import EMAIL, PASSWORD, Gate, Pkce, answer_of, hidden

SECRET = "a password that was put in the wrong place"


@clause("MCP best practices", "Confused Deputy")
async def test_a_redirect_uri_that_is_our_own_address_does_not_make_a_request_look_like_ours(
    gate: Gate,
) -> None:
    """Promise 13, a way around the rule of GHSA-6x8h-498w-gv8c.

    A stranger registers our own authorization endpoint, asking for somebody else's client, as a
    redirect URI. The person says no to the stranger; the browser follows that answer and says
    `same-origin`, because it comes from our form. The other client was allowed before, and would
    now be answered without a question.
    """
    allowed = await gate.register(redirect_uris=["https://client.example/callback"])
    async with gate.http() as browser:
        await _consent(gate, browser, allowed, "approve")
        inner = urlencode(gate.question(allowed, Pkce()))
        own = "https://auth.example/oauth/authorize?" + inner
        stranger = await gate.register(redirect_uris=[own])
        denied = await _consent(gate, browser, stranger, "deny")
        assert denied.startswith("https://auth.example/oauth/authorize?response_type=code&")
        begun = await browser.get(
            "/oauth/authorize?" + denied.partition("?")[2],
            headers={"sec-fetch-site": "same-origin", "sec-fetch-dest": "document"},
        )
        page = await browser.get(begun.headers["location"])
        assert page.status_code == 200
        assert "Allow this application?" in page.text


async def _consent(gate: Gate, browser: Any, client: dict[str, Any], decision: str) -> str:
    begun = await browser.get(
        "/oauth/authorize",
        params=gate.question(client, Pkce()),
        headers={"sec-fetch-site": "none", "sec-fetch-dest": "document"},
    )
    page = await browser.get(begun.headers["location"])
    if "/oauth/sign-in" in page.text:
        form = {**hidden(page.text, "/oauth/sign-in"), "username": EMAIL, "password": PASSWORD}
        page = await browser.get(
            (await browser.post("/oauth/sign-in", data=form)).headers["location"]
        )
    form = {**hidden(page.text, "/oauth/consent"), "decision": decision}
    answer = await browser.post("/oauth/consent", data=form)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def test_a_path_cannot_speak_to_the_operators_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-117 and CWE-150: a path may hold line ends and escape sequences, and is logged."""
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(
        log, "_log", SimpleNamespace(info=lambda event, **fields: lines.append(fields))
    )
    for path in ("/\x1b]0;title\x07\x1b[2J", "/a\nforged", "/\u202ecod", "/" + "x" * 60_000):
        log.refused({"method": "GET", "path": path}, Refusal(Reason.NOT_FOUND))
    shown = [fields["path"] for fields in lines]
    assert all(path.isascii() and path.isprintable() for path in shown)
    assert max(map(len, shown)) < 200


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": SECRET},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [SECRET]},
        {"jsonrpc": "2.0", "id": 1, "method": {"name": SECRET}},
        {"jsonrpc": SECRET, "id": 1, "method": "tools/call", "params": {"password": SECRET}},
        {"jsonrpc": "2.0", "id": 1, "error": SECRET},
        {"jsonrpc": "2.0", "id": 1, "params": {"password": SECRET}},
    ],
)
async def test_a_malformed_message_is_not_read_back(gate: Gate, message: dict[str, Any]) -> None:
    """Promise 25: the SDK repeats what it cannot parse, into a model's transcript."""
    async with gate.http() as http:
        answer = await http.post("/api/mcp", json=message)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert SECRET not in answer.text
    assert "pydantic" not in answer.text


async def test_a_key_that_leaked_does_not_make_anybody_anybody_else(gate: Gate) -> None:
    """Promise 12, defence in depth: the grant a token names says whose token it is."""
    token = (await gate.tokens(await gate.register()))["access_token"]
    head, body, _ = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    for change in ({"sub": "ag_somebody_else"}, {"client_id": "client_another"}):
        payload = json.dumps({**claims, **change}).encode()
        signing_input = f"{head}.{_b64(payload)}".encode()
        signature = gate.core.keys.signer(int(time.time())).sign(signing_input)
        assert (await gate.call(f"{signing_input.decode()}.{_b64(signature)}")).status_code == 401
    assert (await gate.call(token)).status_code == 200


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def test_a_fault_in_the_guard_is_answered_like_any_other(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 25: a key row that cannot be opened was a bare 500 with a traceback in the log."""

    async def unreadable(_self: Any, *, at_most_every: float = 0.0) -> None:
        raise SealedValueUnreadable

    monkeypatch.setattr(type(gate.core.issuer), "refresh_keys", unreadable)
    good = (await gate.tokens(await gate.register()))["access_token"]
    head = _b64(b'{"typ":"at+jwt","kid":"another","alg":"ES256"}')
    answer = await gate.call(f"{head}.{good.split('.', 1)[1]}")
    assert (answer.status_code, answer.json()["error"]) == (500, "server_error")
    assert answer.headers["x-request-id"]
    assert "AUTHGATE_SECRET_KEY" not in answer.text
    assert (await gate.call(good)).status_code == 200


def test_a_proxy_is_known_when_a_socket_for_both_families_names_it() -> None:
    """Otherwise everybody behind it would share one throttle."""
    trusted = address.networks(["10.0.0.0/8"])
    scope = {
        "client": ("::ffff:10.1.2.3", 1),
        "headers": [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.7")],
    }
    assert address.caller(scope, trusted) == "203.0.113.7"
    scope["client"] = ("::ffff:11.1.2.3", 1)
    assert address.caller(scope, trusted) == "::ffff:11.1.2.3"


async def test_a_flood_of_requests_is_swept_faster_than_it_can_come(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-770: a sweep of 500 rows a second was slower than anonymous GETs fill the disk."""
    client = await gate.register()
    async with gate.http() as http:
        question = gate.question(client, Pkce())
        for _ in range(30):
            assert (await http.get("/oauth/authorize", params=question)).status_code == 303
    later = application.now() + 3 * 3600
    swept = gate.core.store.sweep
    pauses: list[float] = []

    async def in_tens(now: int, *, access_ttl: int, audit_days: int) -> Any:
        return await swept(later, access_ttl=access_ttl, audit_days=audit_days, batch=10)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if seconds == jobs.SWEEP_EVERY:
            raise asyncio.CancelledError

    monkeypatch.setattr(jobs, "SWEEP_FULL", 10)
    monkeypatch.setattr(gate.core.store, "sweep", in_tens)
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "asyncio", SimpleNamespace(sleep=pause))
        with pytest.raises(asyncio.CancelledError):
            await jobs.sweeping(gate.core)
    assert pauses == [jobs.SWEEP_AGAIN] * 3 + [jobs.SWEEP_EVERY]
    assert jobs.SWEEP_AGAIN <= 0.1


async def test_a_session_begun_in_the_moment_of_being_shut_out_buys_nothing(gate: Gate) -> None:
    """Promise 17 under a race: disabled after the password was judged, before the session began.

    There is no such session; and one that there was in spite of that would be good for nothing.
    """
    client, pkce = await gate.register(), Pkce()
    code = await gate.code(client, pkce)
    account = (await gate.core.store.accounts())[0]
    await disable_person(gate.core.store, EMAIL, application.now())
    person = Person(account.sub, "embedded", EMAIL)
    now = application.now()
    audit = AuditEvent(now, "person.sign_in", "done")
    overtaken = Session(digest("o" * 43), person, now - 1, now + 600)
    assert not await gate.core.store.open_session(overtaken, audit)
    session = Session(digest("s" * 43), person, now + 1, now + 600)
    assert await gate.core.store.open_session(session, audit)
    assert (await gate.exchange(client, code, pkce)).json()["error"] == "invalid_grant"
    async with gate.http(cookies={"authgate-session": "s" * 43}) as browser:
        begun = await browser.get("/oauth/authorize", params=gate.question(client, pkce))
        page = await browser.get(begun.headers["location"])
        form = {**hidden(page.text, "/oauth/consent"), "decision": "approve"}
        answer = await browser.post("/oauth/consent", data=form)
    fresh = answer_of(answer.headers["location"])["code"]
    assert (await gate.exchange(client, fresh, pkce)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("name", ["\u3164", "\u2800 \u115f", "Claude" + "\u0301" * 40])
async def test_a_name_neither_vanishes_nor_spills(gate: Gate, name: str) -> None:
    """CWE-451: a name that shows nothing, or whose accents cover the lines around it."""
    async with gate.http() as http:
        answer = await http.post(
            "/oauth/register", json={"redirect_uris": ["https://a.example/"], "client_name": name}
        )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize(
    "name", ["Zoë’s Työkalu", "e\u0301le\u0300ve", "\u05e9\u05c1\u05bc\u05b8", "工具 🛠"]
)
async def test_names_as_people_write_them_are_taken(gate: Gate, name: str) -> None:
    assert (await gate.register(client_name=name))["client_name"] == name
