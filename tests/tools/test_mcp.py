"""The tools as MCP clients see them, over the official client in both protocol eras."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.types import CallToolResult, TextContent

from authgate.security.limits import LimitPolicy
from authgate.steps.parts import Parts
from authgate.store.contract import StoreUnavailable
from authgate.tools import ToolsEndpoint
from authgate.tools.catalogue import TOOLS, toolbox
from tests.tools.asking import JSON_TYPE, ask, post, scope_of
from tests.tools.flow import REDIRECT, asking, challenged, coded, exchanging, signing_in
from tests.tools.serving import PASSWORD, parts_in, served

REGISTER = {"client_data": {"redirect_uris": [REDIRECT], "client_uri": "https://a.example/"}}


Connect = Callable[[], AbstractAsyncContextManager[Client]]


@pytest.fixture(params=["legacy", "2026-07-28"])
def connect(request: pytest.FixtureRequest, endpoint: ToolsEndpoint) -> Connect:
    """Opens a client; in the test's own task, as the SDK's cancel scopes need it."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        async with served(endpoint) as base, Client(base + "/api/mcp", mode=request.param) as made:
            yield made

    return opened


def error_of(result: CallToolResult) -> dict[str, Any]:
    """The error of a refused call: JSON in the first text, nothing a schema could judge."""
    assert result.is_error
    assert result.structured_content is None
    (content,) = result.content
    assert isinstance(content, TextContent)
    error: dict[str, Any] = json.loads(content.text)["error"]
    assert {"code", "message", "hint"} <= error.keys()
    return error


async def test_the_list(connect: Connect) -> None:
    async with connect() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == list(TOOLS)
        for tool in tools.values():
            assert tool.title
            assert tool.output_schema is not None
            for described in (tool.input_schema, tool.output_schema):
                Draft202012Validator.check_schema(described)
                assert described["type"] == "object"
                assert described["required"]
        told = tools["oauth_authenticate"].description or ""
        assert "authorization_url" in told
        assert "transcript" in told
        assert tools["oauth_authorize"].input_schema["required"] == [
            "client_id",
            "redirect_uri",
            "state",
            "code_challenge",
            "code_challenge_method",
        ]


async def test_results_are_structured_and_fit_their_schema(connect: Connect, parts: Parts) -> None:
    async with connect() as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        issued, challenge_id = await challenged(parts)
        other, code = await coded(parts, grant_types=["authorization_code", "refresh_token"])
        for name, arguments in {
            "oauth_register_client": REGISTER,
            "oauth_authorize": asking(issued["client_id"]),
            "oauth_authenticate": signing_in(challenge_id),
            "oauth_token": exchanging(other["client_id"], code),
        }.items():
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            answer = result.structured_content
            schema = schemas[name]
            assert schema is not None
            Draft202012Validator(schema).validate(answer)
            assert set(answer or {}) <= schema["properties"].keys()  # nothing undescribed
            (content,) = result.content
            assert isinstance(content, TextContent)
            assert json.loads(content.text) == answer


async def test_refusals_are_readable(connect: Connect, parts: Parts) -> None:
    async with connect() as client:
        _, challenge_id = await challenged(parts)
        wrong = await client.call_tool(
            "oauth_authenticate", signing_in(challenge_id, password="not my password")
        )
        assert error_of(wrong)["code"] == "access_denied"
        assert "not my password" not in str(wrong)
        number = await client.call_tool(
            "oauth_authenticate", signing_in(challenge_id, password=12345)
        )
        assert "password" in error_of(number)["message"]
        assert "12345" not in str(number)
        missing = await client.call_tool("oauth_token", {})
        assert error_of(missing)["code"] == "invalid_client"
        unknown = await client.call_tool("oauth_regster_client", {})
        assert "oauth_register_client" in error_of(unknown)["hint"]
        right = await client.call_tool("oauth_authenticate", signing_in(challenge_id))
        assert right.structured_content is not None


async def test_two_answers_at_once_give_one_code(connect: Connect, parts: Parts) -> None:
    async with connect() as client:
        _, challenge_id = await challenged(parts)
        results = await asyncio.gather(
            *(client.call_tool("oauth_authenticate", signing_in(challenge_id)) for _ in range(6))
        )
        codes = [result for result in results if not result.is_error]
        assert len(codes) == 1
        told = {error_of(result)["message"] for result in results if result.is_error}
        assert told == {"The challenge_id was already answered."}


async def test_trouble_of_ours(
    connect: Connect, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect() as client:

        async def gone(*_: object) -> None:
            raise StoreUnavailable("gone")

        async def broken(*_: object) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr(type(parts.store), "register_client", gone)
        error = error_of(await client.call_tool("oauth_register_client", REGISTER))
        assert (error["code"], error["retry_after"]) == ("temporarily_unavailable", 5)
        monkeypatch.setattr(type(parts.store), "register_client", broken)
        result = await client.call_tool("oauth_register_client", REGISTER)
        assert error_of(result)["code"] == "server_error"
        assert error_of(result)["request_id"]
        assert "secret detail" not in str(result)


# --- without a client ----------------------------------------------------------------------------

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN = [
    (b"accept", b"application/json"),
    (b"mcp-protocol-version", b"2026-07-28"),
    (b"mcp-method", b"tools/call"),
    (b"mcp-name", b"oauth_register_client"),
]
LEGACY = [(b"accept", b"application/json")]


def calling(params: dict[str, Any], number: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@pytest.mark.parametrize("headers", [LEGACY, MODERN], ids=["legacy", "modern"])
async def test_one_post_is_enough(
    endpoint: ToolsEndpoint, headers: list[tuple[bytes, bytes]]
) -> None:
    """No session, no handshake, JSON in and out: a client of twenty lines gets through."""
    body = calling({"name": "oauth_register_client", "arguments": REGISTER, "_meta": META})
    heard = await post(endpoint, body, *headers)
    assert heard.status == 200
    assert heard.header("content-type") == "application/json"
    assert heard.header("mcp-session-id") is None
    assert heard.header("access-control-allow-origin") == "*"
    answer = heard.json()["result"]
    assert answer["structuredContent"]["client_id"].startswith("client_")
    assert not answer.get("isError")


@pytest.mark.parametrize("headers", [LEGACY, MODERN], ids=["legacy", "modern"])
async def test_the_caller_s_address_reaches_the_throttles(
    tmp_path: Path, headers: list[tuple[bytes, bytes]]
) -> None:
    async with parts_in(tmp_path, limits=LimitPolicy(registration="1/minute")) as parts:
        endpoint = ToolsEndpoint(toolbox(parts), lambda _: True)
        body = calling({"name": "oauth_register_client", "arguments": REGISTER, "_meta": META})
        here: dict[str, Any] = {"authgate.address": "203.0.113.5"}
        assert "result" in (await post(endpoint, body, *headers, **here)).json()
        heard = await post(endpoint, body, *headers, **here)
        error = json.loads(heard.json()["result"]["content"][0]["text"])["error"]
        assert error["code"] == "slow_down"
        assert 1 <= error["retry_after"] <= 60
        elsewhere = await post(endpoint, body, *headers, **{"authgate.address": "198.51.100.9"})
        assert not elsewhere.json()["result"].get("isError")
        events = await parts.store.audit_events()
        assert {"203.0.113.5", "198.51.100.9"} <= {event.address for event in events}
        await endpoint.close()


_texts = st.one_of(
    st.text(max_size=20), st.sampled_from(["2.0", "tools/call", "initialize", "ping"])
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), _texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
_messages = st.fixed_dictionaries(
    {"jsonrpc": st.one_of(st.just("2.0"), _values)},
    optional={
        "id": st.one_of(st.integers(), _values),
        "method": st.one_of(
            st.sampled_from(["tools/call", "tools/list", "initialize", "server/discover"]), _values
        ),
        "params": st.one_of(
            st.fixed_dictionaries(
                {"_meta": st.one_of(st.just(META), _values)},
                optional={
                    "name": st.one_of(st.sampled_from(list(TOOLS)), _values),
                    "arguments": st.one_of(
                        st.dictionaries(
                            st.sampled_from(["client_data", "client_id", "grant_type"]), _values
                        ),
                        _values,
                    ),
                },
            ),
            _values,
        ),
        "result": _values,
        "error": _values,
    },
)


def test_whatever_comes_to_the_mcp_face(tmp_path: Path) -> None:
    """Odd JSON-RPC gets an error of JSON-RPC or HTTP, never a 5xx and never a redirect."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        parts = runner.run(stack.enter_async_context(parts_in(tmp_path)))
        endpoint = ToolsEndpoint(toolbox(parts), lambda _: False)

        @settings(
            max_examples=150,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(_messages, st.sampled_from([LEGACY, MODERN, [], [(b"mcp-protocol-version", b"?")]]))
        @example(calling({"name": "oauth_token", "arguments": {"code": PASSWORD}}, None), LEGACY)
        @example({"jsonrpc": "2.0", "method": "notifications/initialized"}, LEGACY)
        @example({"jsonrpc": "2.0", "id": 1, "result": {}}, LEGACY)
        @example({"jsonrpc": "2.0", "id": "a" * 9000, "method": "ping"}, LEGACY)
        def check(message: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
            body = json.dumps(message).encode()
            asked = ask(endpoint, scope_of(headers=[JSON_TYPE, *headers]), body)
            heard = runner.run(asyncio.wait_for(asked, 10))
            assert 200 <= heard.status < 300 or 400 <= heard.status < 500, heard

        try:
            check()
        finally:
            runner.run(endpoint.close())
            runner.run(stack.aclose())


COLD = """
import asyncio, sys, tempfile, pathlib
from tests.tools.asking import post
from tests.tools.serving import parts_in
from authgate.tools import ToolsEndpoint
from authgate.tools.catalogue import toolbox

REGISTER = {"client_data": {"redirect_uris": ["http://localhost:3000/cb"]}}

def imported():
    return sorted({"mcp", "mcp_types", "httpx2", "sse_starlette"} & sys.modules.keys())

async def main():
    with tempfile.TemporaryDirectory() as folder:
        async with parts_in(pathlib.Path(folder)) as parts:
            endpoint = ToolsEndpoint(toolbox(parts), lambda origin: False)
            plain = {"method": "oauth_register_client", "params": REGISTER}
            assert (await post(endpoint, plain)).status == 200
            assert (await post(endpoint, plain, (b"origin", b"https://x.example"))).status == 403
            print("before:", imported())
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            assert (await post(endpoint, call, (b"accept", b"*/*"))).status == 200
            print("after:", imported())
            await endpoint.close()

asyncio.run(main())
"""


def test_the_sdk_is_not_imported_before_the_first_mcp_request() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", COLD], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    before, after = [line for line in ended.stdout.splitlines() if line.startswith(("be", "af"))]
    assert before == "before: []"
    assert "'mcp'" in after
