"""Scopes per tool in a whole authgate: what passes, what is asked for, what a list shows."""

from __future__ import annotations

import gzip
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from authgate.app import now
from authgate.gateway.tool_scopes import META
from authgate.protocol.digests import digest
from authgate.protocol.records import ApiKey, AuditEvent
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Gate
from tests.house.reading import DOCS
from tests.standins.upstream import Exchange, RawUpstream

SCOPES = "mcp:use files:read files:write admin"
TABLE = """
default_scope = "mcp:use"
{keys}

[tools]
"files_*" = "files:write"
"files_list" = "files:read"
"files_move" = ["files:read", "files:write"]
"free" = ""

[scopes]
admin = ["files:read", "files:write"]
{rest}
"""
NAMES = ("files_put", "files_list", "files_move", "free", "other")
LISTED = {"tools": [{"name": name, "_meta": {"own": 1}} for name in NAMES], "nextCursor": "n=="}
KEY, EXISTING = "agk_" + "k" * 43, "the-upstreams-own-key-of-before"


def call(tool: str, request_id: Any = 7) -> dict[str, Any]:
    params = {"name": tool, "arguments": {}}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


LIST = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}


async def script(exchange: Exchange) -> None:
    """Lists its tools as a document or as events, compressed if it may; answers else with {}."""
    body = await exchange.read()
    asked = json.loads(body or b"{}")
    lists = isinstance(asked, dict) and asked.get("method") == "tools/list"
    told = {"jsonrpc": "2.0", "id": 7, "result": LISTED if lists else {}}
    raw = json.dumps(told).encode()
    if lists and "gzip" in (exchange.header("accept-encoding") or ""):
        await exchange.answer(
            gzip.compress(raw), "Content-Encoding: gzip", "Content-Type: application/json"
        )
    elif exchange.header("x-events"):
        await exchange.begin()
        await exchange.chunk(b": hello\n\n")
        await exchange.chunk(b"data: " + raw + b"\n\n")
        await exchange.chunk(b"")
    else:
        await exchange.answer(raw, "Content-Type: application/json")


class Stage:
    """A whole authgate before a recording upstream, with people's tokens."""

    def __init__(self, gate: Gate, upstream: RawUpstream, file: Path) -> None:
        self.gate = gate
        self.upstream = upstream
        self.file = file

    def put(self, rest: str = "", table: str = TABLE, **keys: str) -> None:
        """The operator changes the file; the watch has seen it."""
        told = "\n".join(f'{name} = "{value}"' for name, value in keys.items())
        self.file.write_text(table.replace("{keys}", told).replace("{rest}", rest))
        self.gate.app.live.look_again()
        self.gate.app.live.look()

    async def token(self, scope: str) -> str:
        pair = await self.gate.tokens(await self.gate.register(), scope=scope)
        assert set(pair["scope"].split()) == set(scope.split())
        return pair["access_token"]

    async def key(self, *scopes: str, value: str = KEY) -> None:
        """An API key in the store."""
        made = ApiKey(digest(value), "key_1", "reports", "robot:1", scopes, now())
        await self.gate.core.store.add_api_key(made, AuditEvent(now(), "api_key.add", "done"))

    async def post(self, token: str | None, body: Any, **headers: str) -> httpx2.Response:
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", **headers}
        async with self.gate.http() as http:
            return await http.post("/mcp", content=raw, headers=sent)

    async def tools(self, token: str | None, **headers: str) -> list[Any]:
        answer = await self.post(token, LIST, **headers)
        assert answer.status_code == 200, answer.text
        text = answer.text
        raw = text.partition("data: ")[2] if text.startswith(":") else text
        result = json.loads(raw)["result"]
        assert result["nextCursor"] == "n=="
        return result["tools"]

    @property
    def passed(self) -> int:
        """How many requests went on since the last look."""
        seen, self.upstream.seen = len(self.upstream.seen), []
        return seen


def challenge_of(answer: httpx2.Response) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="([^"]*)"', answer.headers["www-authenticate"]))


Staged = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture
def staged(open_gate: OpenGate, tmp_path: Path) -> Staged:
    @asynccontextmanager
    async def begin(script: Any = script, **environment: str) -> AsyncIterator[Stage]:
        file = tmp_path / "authgate.toml"
        file.write_text("")
        async with RawUpstream(script) as upstream:
            settings = {
                "AUTHGATE_CONFIG_FILE": str(file),
                "AUTHGATE_UPSTREAM": upstream.url,
                "AUTHGATE_SCOPES": SCOPES,
                **environment,
            }
            stage = Stage(await open_gate(**settings), upstream, file)
            stage.put()
            yield stage

    return begin


@pytest.fixture
async def stage(staged: Staged) -> AsyncIterator[Stage]:
    async with staged() as made:
        yield made


# --- calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("mcp:use", {"free", "other"}),
        ("files:read", {"free", "files_list"}),
        ("mcp:use files:write", {"free", "other", "files_put"}),
        ("files:read files:write", {"free", "files_list", "files_put", "files_move"}),
        ("admin", {"free", "files_list", "files_put", "files_move"}),
        ("mcp:use admin", set(NAMES)),
    ],
)
@clause("MCP authorization", "Step-Up Authorization Flow")
async def test_a_call_passes_with_all_scopes_of_its_tool(
    stage: Stage, scope: str, may: set[str]
) -> None:
    token = await stage.token(scope)
    passed = set()
    for name in NAMES:
        answer = await stage.post(token, call(name))
        assert stage.passed == (answer.status_code == 200), answer.text
        if answer.status_code == 200:
            passed.add(name)
    assert passed == may


@clause("RFC 6750", "3.1")
@clause("MCP 2026-07-28 authorization", "Runtime Insufficient Scope Errors")
async def test_what_is_missing_is_asked_for_at_once(stage: Stage) -> None:
    token = await stage.token("mcp:use offline_access")
    answer = await stage.post(token, call("files_move", "abc"))
    assert answer.status_code == 403
    told = challenge_of(answer)
    assert told["error"] == "insufficient_scope"
    assert told["scope"].split() == ["mcp:use", "files:read", "files:write"]
    assert told["resource_metadata"].endswith("/.well-known/oauth-protected-resource/mcp")
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
    document = answer.json()
    assert document["id"] == "abc"
    assert document["error"]["data"]["error"] == "insufficient_scope"
    assert token not in answer.text
    # and with what was asked for the same call passes
    more = await stage.token(told["scope"])
    assert (await stage.post(more, call("files_move"))).status_code == 200


async def test_a_batch_passes_whole_or_not_at_all(stage: Stage) -> None:
    token = await stage.token("mcp:use files:read")
    good = [call("files_list", 1), call("other", 2), {"jsonrpc": "2.0", "method": "ping"}]
    assert (await stage.post(token, good)).status_code == 200
    assert stage.passed == 1
    answer = await stage.post(token, [*good, call("files_put", 3)])
    assert (answer.status_code, stage.passed) == (403, 0)
    assert challenge_of(answer)["scope"].split() == ["mcp:use", "files:read", "files:write"]
    assert answer.json()["id"] is None


@pytest.mark.parametrize("method", ["initialize", "ping", "resources/read", "prompts/get"])
async def test_other_messages_take_no_scope_of_a_tool(stage: Stage, method: str) -> None:
    token = await stage.token("files:read")
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "other"}})
    spaced = b"  " + body.encode() + b"\n"
    assert (await stage.post(token, spaced)).status_code == 200
    [seen] = stage.upstream.seen
    assert seen.body == spaced  # byte for byte


@clause("MCP 2026-07-28", "Streamable HTTP, server validation")
async def test_headers_never_decide(stage: Stage) -> None:
    token = await stage.token("mcp:use")
    for headers in (
        {"mcp-method": "ping"},
        {"mcp-method": "tools/call", "mcp-name": "other"},
        {"mcp-name": "free", "mcp-protocol-version": "2026-07-28"},
        {"x-http-method-override": "GET"},
    ):
        answer = await stage.post(token, call("files_put"), **headers)
        assert (answer.status_code, stage.passed) == (403, 0), headers
    # and a header that asks for more than the body does is a mismatch, not a missing scope
    answer = await stage.post(token, call("other"), **{"mcp-name": "files_put"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"method":"ping","method":"tools/call","params":{"name":"files_put"}}', {}),
        (b'{"method":"tools/call","params":{"name":"other","n\\u0061me":"files_put"}}', {}),
        (b'{"method":"tools/call","Params":{},"params":{"name":"other"}}', {}),
        (b"\xef\xbb\xbf" + json.dumps(call("files_put")).encode(), {}),
        (json.dumps(call("files_put")).encode("utf-16"), {}),
        (gzip.compress(json.dumps(call("files_put")).encode()), {"content-encoding": "gzip"}),
        (
            b'{"method":"ping","params":{"+ACI":1}}',
            {"content-type": "application/json; charset=utf-7"},
        ),
        (b"", {}),
    ],
)
async def test_a_body_with_two_readings_goes_nowhere(
    stage: Stage, body: bytes, headers: dict[str, str]
) -> None:
    answer = await stage.post(await stage.token("mcp:use"), body, **headers)
    assert (answer.status_code, stage.passed) == (400, 0)
    assert answer.json()["error"]["data"]["error"] == "invalid_request"


async def test_a_body_has_its_limit(staged: Staged) -> None:
    async with staged(AUTHGATE_UPSTREAM_BODY_LIMIT="2000") as stage:
        token = await stage.token("mcp:use")
        answer = await stage.post(token, call("other" + "x" * 2000))
        assert (answer.status_code, stage.passed) == (413, 0)


async def test_no_room_for_another_body(staged: Staged) -> None:
    """Bodies are held while they come, so what one person sends at once is bounded."""
    async with staged(AUTHGATE_UPSTREAM_LIMIT_PERSON="1") as stage:
        token = await stage.token("mcp:use")
        gate = stage.gate.app.table["/mcp"]._app
        with gate._reading.taken(subject(token), stream=False):
            answer = await stage.post(token, call("other"))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await stage.post(token, call("other"))).status_code == 200


def subject(token: str) -> str:
    """Whom a token speaks for."""
    claims: dict[str, str] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims["sub"]


async def test_without_a_table_nothing_is_read(staged: Staged) -> None:
    async with staged() as stage:
        stage.put(table='tools_list = "filter"\n[tools]\n"*" = ""\n')
        token = await stage.token("files:read")
        strange = b'{"method":"tools/call","method":"tools/call"}'
        answer = await stage.post(token, strange)
        assert (answer.status_code, stage.passed) == (200, 1)
        assert [tool["name"] for tool in await stage.tools(token)] == list(NAMES)


# --- what is asked for first ----------------------------------------------------------------------


@clause("MCP 2026-07-28 authorization", "Scope Selection Strategy")
async def test_a_client_is_not_told_to_ask_for_everything(stage: Stage) -> None:
    answer = await stage.post(None, call("files_put"))
    assert answer.status_code == 401
    assert challenge_of(answer)["scope"] == "mcp:use"
    stage.put(first_scope="mcp:use files:read")
    assert challenge_of(await stage.post(None, LIST))["scope"] == "mcp:use files:read"
    stage.put(table="")
    assert challenge_of(await stage.post(None, LIST))["scope"] == SCOPES
    async with stage.gate.http() as http:
        resource = (await http.get("/.well-known/oauth-protected-resource/mcp")).json()
        server = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert resource["scopes_supported"] == SCOPES.split()
    assert set(server["scopes_supported"]) == {*SCOPES.split(), "offline_access"}


async def test_the_table_of_the_docs_is_what_it_says(stage: Stage) -> None:
    page = (DOCS / "gateway.md").read_text().partition("## Scopes per tool\n")[2]
    stage.put(table=re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0])
    assert challenge_of(await stage.post(None, LIST))["scope"] == "mcp:use"
    token = await stage.token("mcp:use")
    assert [tool["name"] for tool in await stage.tools(token)] == ["free", "other"]
    told = challenge_of(await stage.post(token, call("files_move")))
    assert told["scope"] == "mcp:use files:read files:write"
    assert (await stage.post(await stage.token("files:read"), call("whoami"))).status_code == 200
    assert (await stage.post(await stage.token("admin"), call("files_x"))).status_code == 200


# --- live -----------------------------------------------------------------------------------------


async def test_the_table_changes_while_the_server_runs(stage: Stage) -> None:
    token = await stage.token("mcp:use")
    assert (await stage.post(token, call("files_put"))).status_code == 403
    stage.put(table='[tools]\nother = "admin"\n')
    assert (await stage.post(token, call("files_put"))).status_code == 200
    assert (await stage.post(token, call("other"))).status_code == 403
    # a file that is wrong changes nothing
    stage.put(table='[tools]\nother = "nobody:has:it"\n')
    assert (await stage.post(token, call("other"))).status_code == 403
    stage.put(table="")
    assert (await stage.post(token, call("other"))).status_code == 200


# --- lists ----------------------------------------------------------------------------------------

EVENTS = {"x-events": "1"}


@pytest.mark.parametrize("headers", [{}, EVENTS], ids=["document", "events"])
async def test_a_list_is_as_it_is_unless_the_operator_says_so(
    stage: Stage, headers: dict[str, str]
) -> None:
    assert await stage.tools(await stage.token("mcp:use"), **headers) == LISTED["tools"]


@pytest.mark.parametrize("headers", [{}, EVENTS], ids=["document", "events"])
async def test_a_list_of_what_the_caller_may_call(stage: Stage, headers: dict[str, str]) -> None:
    stage.put(tools_list="filter")
    for scope, names in (
        ("mcp:use", ["free", "other"]),
        ("admin", ["files_put", "files_list", "files_move", "free"]),
    ):
        tools = await stage.tools(await stage.token(scope), **headers)
        assert [tool["name"] for tool in tools] == names


async def test_a_list_that_says_what_each_tool_takes(stage: Stage) -> None:
    stage.put(tools_list="annotate")
    token = await stage.token("mcp:use")
    tools = {tool["name"]: tool["_meta"] for tool in await stage.tools(token)}
    assert tools == {
        "files_put": {"own": 1, META: ["files:write"]},
        "files_list": {"own": 1, META: ["files:read"]},
        "files_move": {"own": 1, META: ["files:read", "files:write"]},
        "free": {"own": 1, META: []},
        "other": {"own": 1, META: ["mcp:use"]},
    }


async def test_only_a_list_is_asked_for_uncompressed(stage: Stage) -> None:
    token = await stage.token("mcp:use")
    stage.put(tools_list="filter")
    await stage.tools(token, **{"accept-encoding": "gzip"})
    await stage.post(token, call("other"), **{"accept-encoding": "gzip"})
    assert [one.header("accept-encoding") for one in stage.upstream.seen] == ["identity", "gzip"]


@pytest.mark.parametrize("name", ["last-event-id", "last_event_id"])
async def test_a_resumed_stream_gives_no_list_away(staged: Staged, name: str) -> None:
    async def resumed(exchange: Exchange) -> None:
        await exchange.begin()
        told = {"jsonrpc": "2.0", "id": 7, "result": LISTED}
        await exchange.chunk(b"id: 3\ndata: " + json.dumps(told).encode() + b"\n\n")
        await exchange.chunk(b"")

    async with staged(resumed) as stage:
        stage.put(tools_list="filter")
        token = await stage.token("mcp:use")
        async with stage.gate.http() as http:
            headers = {"authorization": f"Bearer {token}", name: "2"}
            answer = await http.get("/mcp", headers=headers)
    assert '"other"' in answer.text
    assert "files_put" not in answer.text


# --- while OAuth is being switched on -------------------------------------------------------------


async def test_observe_refuses_nobody_and_says_whom_it_would(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    token = await stage.token("mcp:use")
    for mode, lines in (("off", 0), ("observe", 2)):
        stage.put(rollout=mode, tools_list="filter")
        capsys.readouterr()
        assert (await stage.post(token, call("files_put"))).status_code == 200
        assert (await stage.post(token, b'{"a":1,"a":2}')).status_code == 200
        assert len(await stage.tools(token)) == len(NAMES)
        assert stage.passed == 3
        told = capsys.readouterr()
        assert (told.out + told.err).count("tools.would_refuse") == lines
        assert "files_put" not in told.out + told.err


async def test_an_api_key_has_the_scopes_it_was_given(stage: Stage) -> None:
    await stage.key("mcp:use")
    stage.put(rollout="optional", tools_list="filter")
    assert (await stage.post(KEY, call("other"))).status_code == 200
    answer = await stage.post(KEY, call("files_put"))
    assert answer.status_code == 403
    assert "API key" in answer.json()["error"]["data"]["hint"]
    assert [tool["name"] for tool in await stage.tools(KEY)] == ["free", "other"]


async def test_what_the_upstream_judges_is_not_refused_here(stage: Stage) -> None:
    stage.put(rollout="optional", tools_list="filter")
    assert (await stage.post("unknown-to-us", call("files_put"))).status_code == 200
    assert len(await stage.tools("unknown-to-us")) == len(NAMES)
    await stage.key("mcp:use", value=EXISTING)
    assert (await stage.post(EXISTING, call("files_put"))).status_code == 200


async def test_where_nobody_else_judges_an_existing_key_has_its_scopes(stage: Stage) -> None:
    await stage.key("mcp:use", value=EXISTING)
    rest = '\n[legacy]\nunknown = "refuse"\n'
    stage.put(rollout="optional", tools_list="filter", rest=rest)
    assert (await stage.post(EXISTING, call("other"))).status_code == 200
    assert (await stage.post(EXISTING, call("files_put"))).status_code == 403
    assert [tool["name"] for tool in await stage.tools(EXISTING)] == ["free", "other"]


async def test_nobody_may_call_what_is_listed_for_nobody_and_asks_nothing(stage: Stage) -> None:
    """The default is for tools of which nothing was said; of these something was."""
    anonymous = '\n[anonymous]\ntools = ["other", "free", "files_list"]\n'
    stage.put(rollout="optional", tools_list="filter", rest=anonymous)
    assert (await stage.post(None, call("other"))).status_code == 200
    assert (await stage.post(None, call("free"))).status_code == 200
    assert stage.passed == 2
    answer = await stage.post(None, call("files_list"))
    assert (answer.status_code, stage.passed) == (401, 0)
    told = challenge_of(answer)
    assert told["scope"].split() == ["mcp:use", "files:read"]
    assert "error" not in told
    assert [tool["name"] for tool in await stage.tools(None)] == ["free", "other"]
