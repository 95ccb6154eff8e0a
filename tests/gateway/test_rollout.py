"""A rollout's corners: what never goes on, who is told what, sessions, origins, trouble."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from authgate.gateway.guard import STRANGERS
from authgate.gateway.usage import MOST_CLIENTS, Usage
from authgate.protocol.records import UsageRow
from authgate.protocol.rollout import Kind
from authgate.store.contract import StoreUnavailable
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate
from tests.gateway.rolling import CALL, EXISTING, MADE, Rolling, bearer, rolling
from tests.standins.upstream import Exchange

BEFORE = ["off", "observe", "optional"]
BASIC = {"authorization": "Basic dXNlcjpwYXNzd29yZA=="}


@pytest.fixture
async def stage(open_gate: OpenGate, tmp_path: Path) -> AsyncIterator[Rolling]:
    async with rolling(open_gate, tmp_path) as one:
        yield one


@pytest.fixture
async def pair(stage: Rolling) -> dict[str, Any]:
    """Access and refresh token of Ana's."""
    return await stage.project.tokens(await stage.gate.register())


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def with_claims(token: str, **claims: Any) -> str:
    """A forgery: other claims under the same signature."""
    head, body, signature = token.split(".")
    known = json.loads(base64.urlsafe_b64decode(body + "=="))
    text = json.dumps({**known, **claims}).encode()
    return f"{head}.{base64.urlsafe_b64encode(text).decode().rstrip('=')}.{signature}"


# --- what we issued -------------------------------------------------------------------------------


@clause("MCP 2026-07-28 authorization", "token passthrough")
@pytest.mark.parametrize("mode", BEFORE)
async def test_what_we_issued_never_goes_on(
    stage: Rolling, pair: dict[str, Any], mode: str
) -> None:
    stage.put(mode, '[anonymous]\ntools = ["*"]\n')
    token, refresh = pair["access_token"], pair["refresh_token"]
    forged = with_claims(token, sub="somebody else", exp=9_999_999_999)
    await stage.key()
    for secret in (token, forged, with_claims(token, exp=1), MADE, "agk_unknown", refresh):
        places: list[tuple[dict[str, str], str]] = [
            (bearer(secret), ""),
            ({"authorization": f"bearer   {secret}"}, ""),
            ({"x-api-key": secret}, ""),
            ({**BASIC, "x-api-key": secret}, ""),
            ({**bearer(token), "x-api-key": secret}, ""),
            ({**bearer(stage.supabase_token()), "x-api-key": secret}, ""),
            ({"authorization": f"Token {secret}"}, ""),
            ({"authorization": secret}, ""),
            ({"authorization": f"Bearer x, Bearer {secret}"}, ""),
            ({"authorization": f"Basic {encoded(f'ana:{secret}')}"}, ""),
            ({"x_api_key": secret}, ""),
        ]
        if secret is not refresh:  # which has no mark that it could be known by in other places
            places += [
                ({"apikey": secret}, ""),
                ({"x-access-token": f"Bearer {secret}"}, ""),
                ({"cookie": f"a=1; sb-access-token={secret}; b=2"}, ""),
                ({}, f"?access_token={secret}"),
                ({}, f"?a=1&token={secret.replace('.', '%2E')}&b=2"),
            ]
        for headers, query in places:
            answer = await stage.call(headers, query=query)
            assert answer.status_code in ((200,) if mode != "optional" else (200, 400, 401))
            seen = stage.seen
            if seen is not None:
                assert secret not in f"{seen.target} {seen.headers}"
                assert encoded(f"ana:{secret}") not in str(seen.headers)
                assert "%2E" not in seen.target


async def test_nor_beside_the_one_that_counts(stage: Rolling, pair: dict[str, Any]) -> None:
    """Some clients send their token in two headers, one of them of their own."""
    token = pair["access_token"]
    more = {"apikey": token, "cookie": f"a=1; t={token}; b=2", "x-other": "eyJ.eyJ.eyJ"}
    for mode in (*BEFORE, "required"):
        stage.put(mode)
        answer = await stage.call({**bearer(token), **more}, query=f"?x={token}&y=1")
        assert answer.status_code == 200
        seen = stage.seen
        assert token not in f"{seen.target} {seen.headers}"
        assert (seen.header("cookie"), seen.target) == ("a=1; b=2", "/mcp?y=1")
        assert seen.header("x-other") == "eyJ.eyJ.eyJ"


async def test_nor_where_the_upstream_answers_a_browser(
    stage: Rolling, pair: dict[str, Any]
) -> None:
    page = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for mode in BEFORE:
        stage.put(mode)
        for secret in pair["access_token"], pair["refresh_token"]:
            for headers in bearer(secret), {"x-api-key": secret}, {**BASIC, "x-api-key": secret}:
                assert (await stage.call({**page, **headers}, "OPTIONS")).status_code == 200
                assert secret not in str(stage.seen.headers)


async def test_authkits_tokens_are_ours_too(open_gate: OpenGate, tmp_path: Path) -> None:
    """And so are those of before the issuer was changed."""
    domain = "http://127.0.0.1:9"  # nobody is there, so none of its tokens can be checked
    environment = {
        "AUTHGATE_ISSUER": "authkit",
        "WORKOS_AUTHKIT_DOMAIN": domain,
        "WORKOS_API_KEY": "sk_test_1",
        "WORKOS_API_URL": domain,
    }
    async with rolling(open_gate, tmp_path, **environment) as stage:
        token = with_claims(stage.supabase_token(), iss=domain)
        before = with_claims(token, iss=stage.gate.url)
        for mode in BEFORE:
            stage.put(mode, '[anonymous]\ntools = ["*"]\n')
            for secret in (token, before):
                answer = await stage.call(bearer(secret))
                assert answer.status_code in ((200,) if mode != "optional" else (401, 503))
                seen = stage.seen
                assert (seen is None) == (mode == "optional")
                assert seen is None or not seen.all("authorization")
        assert (await stage.call(bearer(stage.supabase_token()))).status_code == 200


async def test_a_bad_token_of_ours_is_refused_where_nobody_would_pass(
    stage: Rolling, pair: dict[str, Any]
) -> None:
    """Its client has to see the 401, or it would never refresh."""
    stage.put("optional", '[anonymous]\ntools = ["*"]\n')
    assert (await stage.call()).status_code == 200
    for bad in (with_claims(pair["access_token"], exp=1), pair["refresh_token"]):
        answer = await stage.call(bearer(bad))
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_second_authorization_header_is_refused_in_every_mode(stage: Rolling) -> None:
    for mode in (*BEFORE, "required"):
        stage.put(mode)
        answer = await stage.call([("authorization", "Bearer a"), ("authorization", "Bearer b")])
        assert answer.status_code == 400
        assert stage.seen is None or not stage.seen


# --- credentials of others ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", BEFORE)
@pytest.mark.parametrize(
    "headers",
    [
        BASIC,
        {"x-api-key": "their-own-key"},
        {"x-api-key": EXISTING},
        {"authorization": "Bearer a.b.c"},
        {"authorization": "Bearer"},
        {"authorization": "Negotiate YII="},
        {**BASIC, "x-api-key": "their-own-key"},
    ],
    ids=str,
)
async def test_what_is_not_ours_goes_on_unchanged(
    stage: Rolling, mode: str, headers: dict[str, str]
) -> None:
    stage.put(mode)
    await stage.key(EXISTING)
    assert (await stage.call(headers, query="?access_token=theirs&x=%2f")).status_code == 200
    seen = stage.seen
    assert seen.target == "/mcp?access_token=theirs&x=%2f"
    for name in ("authorization", "x-api-key"):
        assert seen.all(name) == ([headers[name]] if name in headers else [])


async def test_a_key_of_theirs_goes_on_beside_a_token_of_ours_until_required(
    stage: Rolling, pair: dict[str, Any]
) -> None:
    both = {**bearer(pair["access_token"]), "x-api-key": "their-own-key"}
    for mode, goes_on in (*((mode, True) for mode in BEFORE), ("required", False)):
        stage.put(mode)
        assert (await stage.call(both)).status_code == 200
        seen = stage.seen
        assert seen.all("x-api-key") == (["their-own-key"] if goes_on else [])
        assert not seen.all("authorization")
        assert bool(seen.all("x-authgate-subject")) == (mode != "off")


async def test_a_key_beside_a_credential_of_theirs(stage: Rolling) -> None:
    """The key says who calls, and their own credential goes on."""
    stage.put("optional")
    key = await stage.key()
    assert (await stage.call({**BASIC, "x-api-key": MADE})).status_code == 200
    seen = stage.seen
    assert seen.all("authorization") == [BASIC["authorization"]]
    assert seen.all("x-authgate-subject") == [key.sub]
    assert seen.all("x-authgate-display") == ["reports"]
    assert not seen.all("x-api-key")


async def test_a_key_with_too_little_to_its_name(stage: Rolling) -> None:
    stage.put("optional")
    key = await stage.key(sub=None)
    assert (await stage.call(bearer(MADE))).status_code == 200
    assert stage.seen.all("x-authgate-subject") == [key.key_id]
    for name, more in (("late", {"expires_at": 1}), ("gone", {"revoked_at": 1})):
        await stage.key("agk_" + name, name, **more)
        answer = await stage.call(bearer("agk_" + name))
        assert answer.status_code == 401
        assert "was revoked, or has expired" in answer.json()["error_description"]
    assert "not one of this server" in (await stage.call(bearer("agk_x"))).text
    await stage.key("agk_narrow", "narrow", scopes=("mcp:of-before",))
    narrow = await stage.call(bearer("agk_narrow"))
    assert (narrow.status_code, narrow.json()["error"]) == (403, "insufficient_scope")


# --- what is told ---------------------------------------------------------------------------------


@clause("RFC 9745", "2")
@clause("RFC 8594", "3")
async def test_the_end_is_announced_and_then_it_is_the_end(stage: Rolling) -> None:
    await stage.key()
    await stage.key(EXISTING, "old")
    headers = [bearer(stage.supabase_token()), bearer(MADE), {"x-api-key": EXISTING}]
    until = "[legacy]\nsupabase_tokens_until = 2099-03-31\napi_keys_until = 2099-03-31\n"
    for mode in ("observe", "optional"):
        stage.put(mode)
        for one in headers:
            assert "sunset" not in (await stage.call(one)).headers
        stage.put(mode, until)
        for one in headers:
            told = (await stage.call(one)).headers
            assert told["sunset"] == "Wed, 01 Apr 2099 00:00:00 GMT"
            assert told["deprecation"] == f"@{int(stage.file.stat().st_mtime)}"
            assert "Sunset" in told["access-control-expose-headers"]
        assert "sunset" not in (await stage.call(BASIC)).headers
    stage.put("off", until)
    assert "sunset" not in (await stage.call(headers[0])).headers
    stage.put("optional", until.replace("2099", "2020"))
    stage.upstream.seen.clear()
    for one, what in zip(headers, ("Supabase access tokens", "API keys", "API keys"), strict=True):
        answer = await stage.call(one)
        assert answer.status_code == 401
        assert answer.json()["error_description"] == (
            f"{what} have not been accepted here since 2020-04-01 00:00 UTC."
        )
        assert "resource_metadata" in answer.headers["www-authenticate"]
        assert stage.seen is None


async def test_supabase_in_trouble_shuts_nobody_out(stage: Rolling) -> None:
    token = stage.supabase_token()
    stage.project.standin.fault("/user", status=503)
    for mode in BEFORE:
        stage.put(mode)
        assert (await stage.call(bearer(token))).status_code == 200
        seen = stage.seen
        assert seen.all("authorization") == [f"Bearer {token}"]
        assert not seen.all("x-authgate-subject")
    stage.put("optional", '[legacy]\nunknown = "refuse"\n')
    answer = await stage.call(bearer(token))
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert [row.kind for row in await stage.counted()] == []  # it says nothing about the caller


async def test_nobody_waits_long_for_supabase(
    stage: Rolling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authgate.gateway.legacy.WAIT", 0.2)
    token = stage.supabase_token()
    stage.project.standin.fault("/user", delay=5.0)
    for mode in ("observe", "optional"):
        stage.put(mode)
        began = time.monotonic()
        for _ in range(20):
            assert (await stage.call(bearer(token))).status_code == 200
            assert stage.seen.all("authorization") == [f"Bearer {token}"]
        assert time.monotonic() - began < 2


async def test_a_store_in_trouble_shuts_nobody_out(
    stage: Rolling, pair: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise StoreUnavailable("the disk is gone")

    for name in ("grant", "api_key", "refresh_token"):
        monkeypatch.setattr(type(stage.gate.core.store), name, broken)
    ours, token = bearer(pair["access_token"]), bearer(stage.supabase_token())
    for mode, of_ours in (("off", 200), ("observe", 200), ("optional", 503)):
        stage.put(mode)
        for headers in (BASIC, {"x-api-key": EXISTING}, token):
            assert (await stage.call(headers)).status_code == 200
        assert (await stage.call(ours)).status_code == of_ours
        assert (await stage.call(bearer(MADE))).status_code == of_ours
        # It may be a refresh token of ours, and cannot be told from one now.
        assert (await stage.call(bearer("r" * 43))).status_code == 503
        stage.upstream.seen.clear()


# --- calls without a credential -------------------------------------------------------------------

LISTED = '[anonymous]\ntools = ["add"]\n'


def body(**changes: Any) -> bytes:
    return json.dumps({**CALL, **changes}).encode()


@pytest.mark.parametrize(
    "content",
    [
        body(),
        body(method="tools/list", params={}),
        body(method="initialize", params={"name": 1}),
        b'{"method":"tools/call","params":{"name":"add","arguments":{"Name":1,"a":{"ID":1}}}}',
    ],
    ids=repr,
)
async def test_what_anybody_may_call(stage: Rolling, content: bytes) -> None:
    stage.put("optional", LISTED)
    assert (await stage.call(content=content)).status_code == 200
    assert stage.seen.body == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b"[" * 100_000,
        b"NaN",
        body(params={"name": "delete"}),
        body(params={"name": ["add"]}),
        b"[" + body() + b"]",
        body(Method="x"),
        body(PARAMS={"name": "delete"}),
        b'{"method":"tools/call","params":{"name":"delete","name":"add"}}',
        b'{"method":"tools/call","params":{"name":"add","Name":"delete"}}',
        b'{"method":"tools/call","params":{"name":"delete"},"params":{"name":"add"}}',
        '{"method":"tools/call","params":{"name":"delete"},"param\u017f":{"name":"add"}}'.encode(),
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ],
    ids=lambda content: repr(content[:60]),
)
async def test_what_not(stage: Rolling, content: bytes) -> None:
    stage.put("optional", LISTED)
    answer = await stage.call(content=content)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")
    assert stage.seen is None


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
async def test_an_empty_credential_is_none(stage: Rolling, name: str) -> None:
    """Else a table of what nobody may call would be as wide as the server behind it."""
    stage.put("optional", LISTED)
    for value in ("", " "):
        assert (await stage.call({name: value}, content=body())).status_code == 200
        assert stage.seen.all(name) in ([], [value], [""])
        refused = await stage.call({name: value}, content=body(params={"name": "delete"}))
        assert refused.status_code == 401
        assert (await stage.call({name: value}, "GET")).status_code == 401
    assert stage.seen is None


async def test_only_a_session_has_a_stream_for_nobody(stage: Rolling) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(b"{}", "Mcp-Session-Id: s-1")

    stage.upstream.script = script
    stage.put("optional", LISTED)
    assert (await stage.call(method="GET")).status_code == 401
    opened = (await stage.call()).headers["mcp-session-id"]
    assert opened != "s-1"
    stage.upstream.seen.clear()
    assert (await stage.call({"mcp-session-id": opened}, "GET")).status_code == 200
    assert stage.seen.header("mcp-session-id") == "s-1"
    assert (await stage.call({"mcp-session-id": "s-1"}, "DELETE")).status_code == 404
    for name in (opened, "made up"):  # a revision without sessions leaves the name out
        headers = {"mcp-session-id": name, "mcp-protocol-version": "2026-07-28"}
        for method in ("GET", "DELETE"):
            assert (await stage.call(headers, method)).status_code == 401
    assert stage.seen is None
    stage.put("optional")
    assert (await stage.call({"mcp-session-id": opened}, "GET")).status_code == 401


async def test_a_body_that_is_too_large_is_not_read(open_gate: OpenGate, tmp_path: Path) -> None:
    limit = {"AUTHGATE_UPSTREAM_BODY_LIMIT": "2048"}
    async with rolling(open_gate, tmp_path, **limit) as stage:
        stage.put("optional", LISTED)
        assert (await stage.call(content=body(more="x" * 3000))).status_code == 413
        stage.put("optional")
        assert (await stage.call(content=body(more="x" * 3000))).status_code == 401


async def test_strangers_bodies_do_not_fill_the_memory(stage: Rolling) -> None:
    """Each may be as large as any, and is held before anything is known of who sends it."""
    stage.put("optional", LISTED)
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield body()[:10]
        begun.release()
        await go_on.wait()
        yield body()[10:]

    held = [asyncio.create_task(stage.call(content=slow())) for _ in range(STRANGERS)]
    for _ in held:
        await asyncio.wait_for(begun.acquire(), 10)
    full = await stage.call(content=slow())
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    large = await stage.call(content=body(more="x" * 70_000))
    assert large.status_code == 503
    assert (await stage.call()).status_code == 200  # a small one, as nearly all are
    go_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*held)} == {200}
    assert (await stage.call(content=slow())).status_code == 200
    stage.upstream.seen.clear()


# --- origins and sessions -------------------------------------------------------------------------


async def test_whose_origin_is_judged_here_and_whose_there(
    stage: Rolling, pair: dict[str, Any]
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(b"{}", "Access-Control-Allow-Origin: https://app.example")

    stage.upstream.script = script
    await stage.key()
    foreign = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
    theirs = [bearer(stage.supabase_token()), BASIC]
    ours = [{}, bearer(pair["access_token"]), bearer(MADE)]
    for mode in BEFORE:
        stage.put(mode, LISTED)
        for headers in theirs if mode == "optional" else theirs + ours:
            answer = await stage.call({**headers, **foreign})
            assert answer.status_code == 200
            seen = stage.seen
            assert seen.header("origin") == "https://app.example"
            assert seen.header("sec-fetch-site") == "cross-site"
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
    for headers in ours:
        assert (await stage.call({**headers, **foreign})).status_code == 403
    stage.upstream.seen.clear()
    for headers in ours:
        answer = await stage.call({**headers, "origin": stage.gate.url})
        assert answer.status_code == 200
        assert stage.seen.header("origin") is None
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_page_of_another_origin_gets_no_further_than_without_us(stage: Rolling) -> None:
    """Many servers on a loopback address take anybody, and rest on browsers asking them first."""
    page = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for mode in BEFORE:
        stage.put(mode, LISTED)
        asked = await stage.call(page, "OPTIONS")
        seen = stage.seen
        assert (seen.method, seen.header("origin")) == ("OPTIONS", "https://evil.example")
        answer = await stage.call({**BASIC, **page})
        assert stage.seen.header("origin") == "https://evil.example"
        for told in (asked, answer):
            assert told.status_code == 200
            assert "access-control-allow-origin" not in told.headers
        own = {**page, "origin": stage.gate.url}
        assert (await stage.call(own, "OPTIONS")).headers["access-control-allow-origin"] == "*"
        assert stage.seen is None
        assert (await stage.call(own)).headers["access-control-allow-origin"] == "*"
        stage.upstream.seen.clear()
    stage.put("required")
    assert (await stage.call(page, "OPTIONS")).headers["access-control-allow-origin"] == "*"
    assert stage.seen is None


async def test_sessions_outlive_the_way_to_required(stage: Rolling, pair: dict[str, Any]) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(b"{}", f"Mcp-Session-Id: {exchange.header('x-wanted')}")

    stage.upstream.script = script
    await stage.key()
    await stage.key(EXISTING, "old")
    callers = {
        "supabase": bearer(stage.supabase_token()),
        "key": bearer(MADE),
        "old": bearer(EXISTING),
        "basic": BASIC,
        "nobody": {},
    }
    opened: dict[tuple[str, str], str] = {}
    for mode in BEFORE:
        stage.put(mode, LISTED)
        for who, headers in callers.items():
            answer = await stage.call({**headers, "x-wanted": f"{who}-{mode}"})
            opened[who, mode] = answer.headers["mcp-session-id"]
            stage.upstream.seen.clear()
        for (who, before), session in opened.items():
            headers = callers[who] if who != "supabase" else bearer(stage.supabase_token())
            assert (await stage.call({**headers, "mcp-session-id": session})).status_code == 200
            assert stage.seen.header("mcp-session-id") == f"{who}-{before}"
    # One of before there was a gateway goes on where nothing is refused.
    for mode, status in (("off", 200), ("observe", 200), ("optional", 404)):
        stage.put(mode, LISTED)
        assert (await stage.call({**BASIC, "mcp-session-id": "bare"})).status_code == status
    # A person's session is nobody else's where sessions are judged.
    for headers in (callers["key"], BASIC, {}, bearer(pair["access_token"])):
        hijack = {**headers, "mcp-session-id": opened["supabase", "observe"]}
        expected = 200 if headers == bearer(pair["access_token"]) else 404  # the same person
        assert (await stage.call(hijack)).status_code == expected
    stage.put("required")
    token = bearer(pair["access_token"])
    anybodys = {**token, "mcp-session-id": opened["nobody", "optional"]}
    assert (await stage.call(anybodys)).status_code == 404


async def test_nobody_is_not_one_person_with_one_share(open_gate: OpenGate, tmp_path: Path) -> None:
    share = {"AUTHGATE_UPSTREAM_LIMIT_PERSON": "1"}
    async with rolling(open_gate, tmp_path, **share) as stage:

        async def script(exchange: Exchange) -> None:
            await exchange.read()
            if not exchange.header("x-inner"):  # while this one waits, another comes
                assert (await stage.call({"x-inner": "1"})).status_code == 200
            await exchange.answer()

        stage.upstream.script = script
        assert (await stage.call()).status_code == 200
        assert len(stage.upstream.seen) == 2


@pytest.mark.parametrize(
    ("method", "shown"),
    [("POST", {}), ("POST", BASIC), ("OPTIONS", {"origin": "https://elsewhere.example"})],
    ids=["none", "unknown", "preflight"],
)
async def test_strangers_leave_room_for_whoever_is_known(
    open_gate: OpenGate, tmp_path: Path, method: str, shown: dict[str, str]
) -> None:
    async with rolling(open_gate, tmp_path, AUTHGATE_UPSTREAM_LIMIT="2") as stage:
        await stage.key()
        inner: list[int] = []

        async def script(exchange: Exchange) -> None:
            await exchange.read()
            if not exchange.header("x-inner"):  # while this one waits, two others come
                stranger = await stage.call({**shown, "x-inner": "1"}, method)
                known = await stage.call({**bearer(MADE), "x-inner": "1"})
                inner[:] = stranger.status_code, known.status_code
            await exchange.answer()

        stage.upstream.script = script
        for mode, statuses in (
            ("off", [200, 200]),
            ("observe", [200, 200]),
            ("optional", [503, 200]),
        ):
            stage.put(mode, '[anonymous]\ntools = ["*"]\n')
            assert (await stage.call(shown, method)).status_code == 200
            assert inner == statuses, mode


# --- the built-in example -------------------------------------------------------------------------


async def test_the_example_knows_all_modes(open_gate: OpenGate, tmp_path: Path) -> None:
    """Nobody behind it judges, so what is unknown is refused where anything is."""
    file = tmp_path / "authgate.toml"
    gate = await open_gate(AUTHGATE_CONFIG_FILE=str(file))
    token = (await gate.tokens(await gate.register()))["access_token"]
    expected = {
        "off": (200, 200, 200, 200),
        "observe": (200, 200, 200, 200),
        "optional": (200, 401, 401, 401),
        "required": (200, 401, 401, 401),
    }
    for mode, statuses in expected.items():
        put(gate, file, f'rollout = "{mode}"\n')
        came = [await gate.call(token), await gate.call(None), await gate.call("a.b.c")]
        came.append(await gate.call(None, **BASIC))
        assert tuple(answer.status_code for answer in came) == statuses, mode
    put(gate, file, 'rollout = "optional"\n[anonymous]\ntools = ["add"]\n')
    assert (await gate.call(None)).status_code == 200
    assert (await gate.call("a.b.c")).status_code == 401


@pytest.mark.parametrize("mode", BEFORE)
async def test_where_nobody_behind_sees_the_origin_it_is_judged_here(
    open_gate: OpenGate, tmp_path: Path, mode: str
) -> None:
    file = tmp_path / "authgate.toml"
    gate = await open_gate(AUTHGATE_CONFIG_FILE=str(file))
    put(gate, file, f'rollout = "{mode}"\n[anonymous]\ntools = ["*"]\n')
    assert (await gate.call(None, origin="https://evil.example")).status_code == 403
    assert (await gate.call(None, origin=gate.url)).status_code == 200
    async with gate.http() as http:
        asked = await http.options("/mcp", headers={"origin": "https://evil.example"})
    assert asked.status_code == 405
    assert "access-control-allow-origin" not in asked.headers


def put(gate: Gate, file: Path, text: str) -> None:
    file.write_text(text)
    gate.app.live.look_again()
    gate.app.live.look()


async def test_the_variable_goes_before_the_file(open_gate: OpenGate, tmp_path: Path) -> None:
    file = tmp_path / "authgate.toml"
    gate = await open_gate(AUTHGATE_CONFIG_FILE=str(file), AUTHGATE_ROLLOUT="observe")
    put(gate, file, 'rollout = "required"\n')
    assert gate.app.live.current.rollout == "required"
    assert gate.app.live.mode == "observe"
    assert (await gate.call(None)).status_code == 200


# --- counting -------------------------------------------------------------------------------------


async def test_who_calls_with_what_is_counted_by_name(stage: Rolling, pair: dict[str, Any]) -> None:
    stage.put("optional")
    key = await stage.key()
    for headers in (bearer(pair["access_token"]), bearer(MADE), bearer(MADE), {}, BASIC):
        await stage.call(headers)
        stage.upstream.seen.clear()
    await stage.call(bearer(stage.supabase_token()))
    rows = [(r.kind, r.client, r.calls, r.would_refuse) for r in await stage.counted()]
    (ours,) = [row for row in rows if row[0] == "ours"]
    assert ours == ("ours", ours[1], 1, 0)
    assert await stage.gate.core.store.client(ours[1]) is not None
    assert sorted(row for row in rows if row is not ours) == [
        ("api_key", "reports", 2, 2),
        ("none", "", 1, 1),
        ("supabase", "", 1, 1),
        ("unknown", "", 1, 1),
    ]
    found = await stage.gate.core.store.api_key(key.key_digest)
    assert found is not None
    assert found.last_used_at is not None
    assert found.last_used_at % 86_400 == 0


class Books:
    """A store that only takes counts, and not always."""

    def __init__(self) -> None:
        self.rows: list[UsageRow] = []
        self.works = True

    async def add_usage(self, counted: list[UsageRow]) -> None:
        if not self.works:
            raise StoreUnavailable("not now")
        self.rows += counted


async def test_counts_that_cannot_be_written_are_kept() -> None:
    books: Any = Books()
    usage = Usage(books, lambda: 86_400 * 5)
    books.works = False
    usage.count(Kind.NONE, "", refused=True)
    with pytest.raises(StoreUnavailable):
        await usage.flush()
    usage.count(Kind.NONE, "", refused=False)
    await usage.close()
    books.works = True
    await usage.flush()
    await usage.flush()
    assert books.rows == [UsageRow(5, "none", "", 2, 1)]


async def test_names_are_bounded_by_the_day() -> None:
    books: Any = Books()
    day = [5]
    usage = Usage(books, lambda: 86_400 * day[0])
    for number in range(MOST_CLIENTS + 50):
        usage.count(Kind.OURS, f"client-{number}", refused=False)
    for _ in range(2):
        usage.count(Kind.OURS, "client-1", refused=False)
    await usage.flush()
    assert len(books.rows) == MOST_CLIENTS + 1
    calls = {row.client: row.calls for row in books.rows}
    assert (calls[""], calls["client-1"]) == (50, 3)
    day[0] = 6
    usage.count(Kind.OURS, "client-new", refused=False)
    await usage.flush()
    assert books.rows[-1] == UsageRow(6, "ours", "client-new", 1, 0)
