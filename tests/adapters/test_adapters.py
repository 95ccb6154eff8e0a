"""The adapters in this process: what they refuse to be made of, what they say when a package is
missing, and the ways of using them that the examples leave out.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token, get_http_request
from starlette.applications import Starlette
from starlette.routing import Mount

from authgate.adapters.fastapi import Authgate
from authgate.adapters.fastmcp import WITHHELD, AuthgateProvider
from authgate.adapters.mcp_sdk import AuthgateVerifier
from authgate.adapters.remote import RemoteGuard
from authgate.adapters.starlette import Caller, Protected, caller_of
from authgate.app import build_core
from authgate.directories.people import add_person
from authgate.gateway.credentials import KEY_PREFIX
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import ApiKey, AuditEvent
from authgate.protocol.tokens_elsewhere import LEEWAY
from authgate.security.digests import digest
from authgate.settings import Settings
from tests.adapters.programs import Place
from tests.clauses import clause
from tests.clients.by_hand import Hands
from tests.endpoints.gate import EMAIL, PASSWORD, Gate
from tests.security.making import NOW

ISSUER, RESOURCE = "https://auth.example.com", "https://api.example.com/mcp"


def client_of(app: Any, base: str = "http://127.0.0.1:8000") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, client=("127.0.0.1", 50000))
    return httpx2.AsyncClient(transport=transport, base_url=base)


# --- what they are made of ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issuer", "resource", "says"),
    [
        (ISSUER + "/", RESOURCE, "ends with a slash"),
        ("auth.example.com", RESOURCE, "issuer 'auth.example.com' is no http"),
        (ISSUER, "/mcp", "resource '/mcp' is no http"),
        (ISSUER, RESOURCE + "?a=b", "no query"),
        (ISSUER, RESOURCE + "#", "no fragment"),
        ("https://me:secret@auth.example.com", RESOURCE, "no user in it"),
        (ISSUER, "HTTPS://api.example.com/mcp", "not spelled"),
        (ISSUER, " " + RESOURCE, "is no http"),
        (ISSUER, "https://api.exämple.com/mcp", "not spelled"),
    ],
)
def test_what_can_never_match_is_refused_at_once(issuer: str, resource: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        RemoteGuard(issuer, resource)


@pytest.mark.parametrize("url", ["http://auth.example.com", "http://10.0.0.1:8000"])
def test_plain_http_beyond_loopback_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(log, "warning", lambda event, **fields: told.append({event: fields}))
    RemoteGuard(url, "http://[::1]:8000/mcp")
    assert told == [{"adapter.plain_http": {"name": "issuer", "url": url}}]


@pytest.mark.parametrize("package", ["fastmcp", "fastapi"])
def test_a_missing_package_is_named_with_its_extra(package: str) -> None:
    script = f"import sys; sys.modules[{package!r}] = None; import authgate.adapters.{package}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: authgate.adapters.")
    assert f'pip install "authgate[{package}]"' in last


@pytest.mark.parametrize("module", ["starlette", "mcp_sdk"])
def test_the_others_need_no_extra(module: str) -> None:
    script = (
        "import sys; sys.modules['fastmcp'] = sys.modules['fastapi'] = None; "
        f"import authgate.adapters.{module}"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_log_is_the_programs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings reach its handlers, what it did not ask for reaches nobody."""
    import logging

    seen: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    handler = Kept()
    logging.getLogger("authgate").addHandler(handler)
    try:
        RemoteGuard("http://auth.example.com", RESOURCE)
        log.debug("nobody.asked")
    finally:
        logging.getLogger("authgate").removeHandler(handler)
    assert len(seen) == 1
    assert "adapter.plain_http" in seen[0]


# --- remote ---------------------------------------------------------------------------------------


async def test_two_clocks_may_differ_a_little(places: dict[str, Place], hands: Hands) -> None:
    resource = places["another.py"].resource
    token = hands.tokens(hands.registered()["client_id"], resource=resource)["access_token"]
    guard = RemoteGuard(hands.server.url, resource)
    try:
        caller = await guard.caller(token)
        guard.clock = lambda: caller.expires_at + LEEWAY - 1
        assert await guard.caller(token) == caller
        guard.clock = lambda: caller.expires_at + LEEWAY
        with pytest.raises(Refusal) as refused:
            await guard.caller(token)
        assert refused.value.reason is Reason.TOKEN_EXPIRED
    finally:
        await guard.close()


async def test_the_application_gets_a_caller_and_no_token(
    places: dict[str, Place], hands: Hands
) -> None:
    resource = places["another.py"].resource
    token = hands.tokens(hands.registered()["client_id"], resource=resource)["access_token"]
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    guard = RemoteGuard(hands.server.url, resource)
    async with client_of(Protected(app, guard)) as http:
        answer = await http.get("/mcp", headers={"Authorization": f"Bearer {token}"})
        twice = await http.get("/mcp?access_token=x", headers={"Authorization": f"Bearer {token}"})
    await guard.close()
    assert (answer.status_code, twice.status_code) == (204, 400)
    assert caller_of(seen[0]).sub.startswith("ag_")
    assert token not in repr(seen[0]["headers"])
    with pytest.raises(LookupError):
        caller_of({"type": "http"})


async def test_a_websocket_is_closed_before_it_opens() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("it was let through")

    guard = RemoteGuard(ISSUER, RESOURCE)
    scope = {"type": "websocket", "path": "/mcp", "headers": []}
    await Protected(app, guard)(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_fastapi_without_install_is_closed() -> None:
    app = FastAPI()
    authgate = Authgate(issuer=ISSUER, resource=RESOURCE)
    app.get("/me", dependencies=[Depends(authgate)])(lambda: "in")
    async with client_of(app) as http:
        with pytest.raises(Refusal):
            await http.get("/me")


async def test_providers_verify_for_code_that_asks_by_itself(
    places: dict[str, Place], hands: Hands
) -> None:
    resource = places["another.py"].resource
    token = hands.tokens(hands.registered()["client_id"], resource=resource)["access_token"]
    provider = AuthgateProvider(issuer=hands.server.url, resource=resource)
    verifier = AuthgateVerifier(issuer=hands.server.url, resource=resource)
    for one in (provider, verifier):
        good = await one.verify_token(token)
        assert good is not None
        assert (good.token, good.resource) == (token, resource)
        assert good.claims is not None
        assert good.claims["iss"] == hands.server.url
        assert await one.verify_token(token + "x") is None
    await provider.gate.close()
    async with verifier:
        pass
    assert str(verifier.settings.issuer_url) == hands.server.url


async def test_whoever_asks_a_provider_for_a_token_alone_asks_for_its_scopes_too(
    places: dict[str, Place], hands: Hands
) -> None:
    resource = places["another.py"].resource
    client = hands.registered()["client_id"]
    poor = hands.tokens(client, resource=resource, scope="weather:write")["access_token"]
    provider = AuthgateProvider(issuer=hands.server.url, resource=resource)
    assert await provider.verify_token(poor) is None
    await provider.gate.close()


@clause("RFC 9728", "3.1")
@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("https://api.example.com", ""),
        ("https://api.example.com/", ""),
        ("https://api.example.com/mcp", "/mcp"),
        ("https://api.example.com/a/mcp/", "/a/mcp/"),
    ],
)
def test_the_metadata_is_where_clients_compute_it(resource: str, path: str) -> None:
    guard = RemoteGuard(ISSUER, resource)
    known = "/.well-known/oauth-protected-resource"
    assert guard.documents().keys() == {known, known + path}
    answer = guard.answer(Refusal(Reason.TOKEN_MISSING))
    challenge = dict(answer.headers)[b"www-authenticate"].decode()
    assert f'resource_metadata="https://api.example.com{known}{path}"' in challenge


@clause("RFC 6750", "3.1")
def test_a_challenge_names_all_scopes_however_many() -> None:
    scopes = tuple(f"weather:{number}:read" for number in range(40))
    guard = RemoteGuard(ISSUER, RESOURCE, scopes)
    with pytest.raises(Refusal) as refused:
        guard.may(Caller("ag_a", "client_a", scopes[:-1], "g", "ag_a", 1))
    headers = dict(guard.answer(refused.value).headers)
    assert f'scope="{" ".join(scopes)}"' in headers[b"www-authenticate"].decode()


async def test_where_nobody_can_be_asked_none_is_not_the_answer() -> None:
    nobody = Place("")
    verifier = AuthgateVerifier(issuer=nobody.origin, resource=RESOURCE)
    try:
        async with verifier:
            with pytest.raises(Refusal) as refused:
                await verifier.verify_token(SHAPED)
    finally:
        nobody.close()
    assert refused.value.face.status == 503


# A token by its form: ES256, at+jwt, a key of no set.
SHAPED = "eyJ0eXAiOiJhdCtqd3QiLCJraWQiOiJrIiwiYWxnIjoiRVMyNTYifQ.e30.AAAA"


def test_a_resource_that_is_not_where_the_server_runs_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(log, "warning", lambda event, **_: told.append(event))
    provider = AuthgateProvider(issuer=ISSUER, resource=RESOURCE + "/")
    FastMCP("weather", auth=provider).http_app(path="/mcp")
    assert told == ["adapter.resource_path"]


# --- embedded -------------------------------------------------------------------------------------


def settings_in(folder: Path, **more: Any) -> Settings:
    chosen = {"AUTHGATE_PUBLIC_URL": "http://127.0.0.1:8000", "AUTHGATE_DATA_DIR": folder, **more}
    return Settings(_env_file=None, **chosen)


def test_two_servers_at_one_path_are_refused(tmp_path: Path) -> None:
    upstream = settings_in(tmp_path, AUTHGATE_UPSTREAM="http://127.0.0.1:9000/mcp")
    for chosen, path, says in (
        (upstream, "/mcp", "AUTHGATE_UPSTREAM"),
        (settings_in(tmp_path), "/oauth/token", "a path of authgate's own"),
        (
            settings_in(tmp_path, AUTHGATE_PUBLIC_URL="http://127.0.0.1:8000/tenant/a"),
            "/mcp",
            "/tenant/a/mcp",
        ),
    ):
        server = FastMCP("weather", auth=AuthgateProvider.embedded(chosen))
        with pytest.raises(ValueError, match=says):
            server.http_app(path=path)


async def test_below_a_path_of_the_public_url(tmp_path: Path) -> None:
    chosen = settings_in(tmp_path, AUTHGATE_PUBLIC_URL="http://127.0.0.1:8000/tenant/a")
    app = FastMCP("weather", auth=AuthgateProvider.embedded(chosen)).http_app(path="/tenant/a/mcp")
    async with running(app), client_of(app) as http:
        answer = await http.get("/.well-known/oauth-protected-resource/tenant/a/mcp")
        assert answer.json()["resource"] == "http://127.0.0.1:8000/tenant/a/mcp"
        assert (await http.post("/tenant/a/mcp", json={})).status_code == 401
        assert (await http.get("/tenant/a/healthz")).status_code == 200


async def test_mounted_in_another_application_it_starts_by_itself(tmp_path: Path) -> None:
    """FastMCP's recipe for mounting: its lifespan by hand, the well-known routes at the root."""
    provider = AuthgateProvider.embedded(settings_in(tmp_path))
    inner = FastMCP("weather", auth=provider).http_app(path="/mcp")
    outer = Starlette(routes=[Mount("/", app=inner)], lifespan=inner.lifespan)
    async with running(outer), client_of(outer) as http:
        answers = [http.post("/mcp", json={}) for _ in range(5)]
        assert {answer.status_code for answer in await asyncio.gather(*answers)} == {401}
        assert (await http.get("/.well-known/jwks.json")).status_code == 200
    await provider.gate.close()


async def test_a_start_that_fails_is_told_to_the_server(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    provider = AuthgateProvider.embedded(settings_in(taken))
    app = FastMCP("weather", auth=provider).http_app()
    (taken / "authgate.db").mkdir()  # where the store's file should be
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "lifespan", "state": {}}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    provider.gate._application.core.passwords.close()  # type: ignore[attr-defined]


async def test_the_shared_path_is_the_tools_for_nothing_but_their_plain_form(
    tmp_path: Path,
) -> None:
    app = FastMCP("weather", auth=AuthgateProvider.embedded(settings_in(tmp_path))).http_app(
        path="/api/mcp"
    )
    register = {
        "method": "oauth_register_client",
        "params": {"client_data": {"redirect_uris": ["http://localhost:3000/callback"]}},
    }
    async with running(app), client_of(app) as http:
        assert (await http.post("/api/mcp", json=register)).status_code == 200
        for body, headers in (
            ({**register, "jsonrpc": "2.0", "id": 1}, {}),
            ({"method": "tools/call"}, {}),
            ([register], {}),
            (register, {"Authorization": "Bearer nonsense"}),
            (register, {"Content-Type": "text/plain"}),
            ({**register, "padding": "x" * 65_536}, {}),
        ):
            answer = await http.post("/api/mcp", json=body, headers=headers)
            assert answer.status_code == 401, body
        evil = await http.post(
            "/api/mcp", json=register, headers={"Origin": "https://evil.example"}
        )
        assert evil.status_code == 403


async def test_the_whole_guard_answers_code_that_asks_by_itself(tmp_path: Path) -> None:
    chosen = settings_in(tmp_path)
    provider = AuthgateProvider.embedded(chosen)
    FastMCP("weather", auth=provider).http_app()
    gate = Gate.__new__(Gate)
    gate.settings, gate.url = chosen, chosen.public
    gate.app = provider.gate._application
    gate.core = gate.app.core
    await provider.gate.start()
    try:
        await add_person(gate.core.store, gate.core.passwords, EMAIL, PASSWORD, NOW)
        tokens = await gate.tokens(await gate.register())
        good = await provider.verify_token(tokens["access_token"])
        assert good is not None
        assert (good.subject or "").startswith("ag_")
        assert good.scopes == ["mcp:use"]
        assert await provider.verify_token("nonsense") is None
    finally:
        await provider.gate.close()


@pytest.mark.parametrize(
    ("mode", "key", "status", "subject"),
    [
        ("off", False, 200, ""),
        ("observe", False, 200, ""),
        ("optional", False, 401, None),
        ("optional", True, 200, "reports"),
        ("required", True, 401, None),
    ],
)
async def test_the_rollout_works_inside_too(
    tmp_path: Path, mode: str, key: bool, status: int, subject: str | None
) -> None:
    chosen = settings_in(tmp_path, AUTHGATE_ROLLOUT=mode)
    mcp: FastMCP[Any] = FastMCP("weather", auth=AuthgateProvider.embedded(chosen))
    mcp.tool(whoami)
    app = mcp.http_app(stateless_http=True, json_response=True)
    headers = {"Accept": "application/json, text/event-stream"}
    if key:
        made = await added_key(chosen, "reports")
        headers["Authorization"] = f"Bearer {made}"
    async with running(app), client_of(app) as http:
        answer = await http.post("/mcp", json=CALL, headers=headers)
    assert answer.status_code == status, answer.text
    if subject is not None:
        assert answer.json()["result"]["structuredContent"] == {"result": subject}


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}}


def whoami() -> str:
    """Who calls."""
    token = get_access_token()
    assert token is not None
    assert token.token == WITHHELD
    assert caller_of(get_http_request()).sub == token.subject
    return token.subject or ""


async def added_key(chosen: Settings, name: str) -> str:
    """What `authgate api-keys add` does."""
    core = build_core(chosen)
    await core.open()
    value = KEY_PREFIX + "k" * 43
    key = ApiKey(
        key_digest=digest(value),
        key_id="key_1",
        name=name,
        sub=name,
        scopes=chosen.scopes,
        created_at=NOW,
        expires_at=None,
    )
    await core.store.add_api_key(key, AuditEvent(at=NOW, event="api_key.add", outcome="done"))
    await core.close()
    return value


class running:
    """The lifespan of an application, as a server drives it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._in: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def __aenter__(self) -> None:
        scope = {"type": "lifespan", "state": {}}
        self._task = asyncio.create_task(self._app(scope, self._in.get, self._out.put))
        await self._in.put({"type": "lifespan.startup"})
        async with asyncio.timeout(15):
            assert (await self._out.get())["type"] == "lifespan.startup.complete"

    async def __aexit__(self, *_: object) -> None:
        await self._in.put({"type": "lifespan.shutdown"})
        async with asyncio.timeout(15):
            assert (await self._out.get())["type"] == "lifespan.shutdown.complete"
            await self._task
