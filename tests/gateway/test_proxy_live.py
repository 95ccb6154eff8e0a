"""A whole authgate before real MCP servers, driven by the official client in both eras."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from mcp.types import CreateMessageResult, ElicitResult, TextContent

from tests.clients.node_env import node_binary, package_file
from tests.gateway.live_proxy import Standing, initialize
from tests.live import BOB, LiveServer
from tests.standins.mcp_upstream import McpUpstream

BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
WITHIN = 15.0


async def in_time(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, WITHIN)


@BOTH
async def test_initialize_list_and_call(standing: Standing, mode: str) -> None:
    async with standing.client(mode) as client:
        assert "add" in {tool.name for tool in (await client.list_tools()).tools}
        total = await client.call_tool("add", {"a": 2, "b": 40})
        assert total.structured_content == {"result": 42}


@BOTH
async def test_what_the_server_is_told_of_the_caller(standing: Standing, mode: str) -> None:
    async with standing.client(mode, BOB) as client, standing.http() as http:
        seen: Any = (await client.call_tool("headers", {})).structured_content
        keys = (await http.get(f"{standing.server.url}/.well-known/jwks.json")).json()
    seen = seen.get("result", seen)
    assert "authorization" not in seen
    assert not [value for value in seen.values() if standing.tokens[BOB.email] in value]
    token = jwt.decode(seen["x-authgate-token"], KeySet.import_key_set(keys))
    assert token.header["typ"] == "authgate-upstream+jwt"
    assert token.claims["iss"] == standing.server.url
    assert token.claims["scope"] == "mcp:use"
    answer = httpx2.post(
        standing.server.mcp_url,
        json=initialize(),
        headers={"authorization": f"Bearer {seen['x-authgate-token']}"},
    )
    assert answer.status_code == 401  # it opens nothing here


@BOTH
async def test_progress_arrives_before_the_call_can_end(standing: Standing, mode: str) -> None:
    heard = asyncio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        if message == "waiting":
            heard.set()

    async with standing.client(mode) as client, standing.client(mode, BOB) as other:
        call = asyncio.create_task(client.call_tool("gated", {}, progress_callback=on_progress))
        await in_time(heard.wait())
        assert not call.done()  # it cannot be: nobody has released it
        await other.call_tool("release", {})
        assert (await in_time(call)).structured_content == {"result": "released"}


async def test_the_server_asks_the_client_on_the_stream_of_a_call(standing: Standing) -> None:
    async def sampled(_context: Any, _params: Any) -> CreateMessageResult:
        return CreateMessageResult(
            role="assistant", content=TextContent(type="text", text="hi"), model="a model"
        )

    async def elicited(_context: Any, _params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"colour": "green"})

    async with standing.client(
        "legacy", sampling_callback=sampled, elicitation_callback=elicited
    ) as client:
        sample = await in_time(client.call_tool("sample", {}))
        assert sample.structured_content == {"result": "a model: hi"}
        elicit = await in_time(client.call_tool("elicit", {}))
        assert elicit.structured_content == {"result": "accept: green"}


@BOTH
async def test_a_cancelled_call_is_cancelled_upstream(
    standing: Standing, sdk_upstream: McpUpstream, mode: str
) -> None:
    """A notification in the one era, the end of the connection in the other."""
    sdk_upstream.forget()
    async with standing.client(mode) as client:
        call = asyncio.create_task(client.call_tool("gated", {}))
        await asyncio.to_thread(sdk_upstream.said, "gated: waiting")
        call.cancel()
        await asyncio.to_thread(sdk_upstream.said, "gated: cancelled")
        await asyncio.wait([call])
        assert (await client.call_tool("add", {"a": 1, "b": 1})).structured_content == {"result": 2}


# --- sessions, by hand ----------------------------------------------------------------------------


def message_of(answer: httpx2.Response) -> dict[str, Any]:
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


async def opened(http: httpx2.AsyncClient, url: str) -> str:
    """A session; its id."""
    answer = await http.post(url, json=initialize())
    assert answer.status_code == 200, answer.text
    session: str = answer.headers["mcp-session-id"]
    told = await http.post(
        url,
        json={"jsonrpc": "2.0", "method": "notifications/initialized"},
        headers={"mcp-session-id": session},
    )
    assert told.status_code == 202
    return session


PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


async def test_a_session_is_its_persons(standing: Standing) -> None:
    url = standing.server.mcp_url
    async with standing.http() as alice, standing.http(BOB) as bob:
        session = await opened(alice, url)
        named = {"mcp-session-id": session}
        mine = await alice.post(url, json=PING, headers=named)
        assert mine.status_code == 200
        assert mine.headers["mcp-session-id"] == session
        unknown = {"mcp-session-id": session[:-1] + ("A" if session[-1] != "A" else "B")}
        raw = {"mcp-session-id": session.rpartition(".")[0]}
        for method in ("POST", "GET", "DELETE"):
            content = json.dumps(PING) if method == "POST" else None
            theirs = await bob.request(method, url, content=content, headers=named)
            assert theirs.status_code == 404
            for other in (unknown, raw):
                nobodys = await bob.request(method, url, content=content, headers=other)
                assert (nobodys.status_code, nobodys.content) == (404, theirs.content)
        assert (await alice.post(url, json=PING, headers=named)).status_code == 200
        assert (await alice.delete(url, headers=named)).status_code == 200
        assert (await alice.post(url, json=PING, headers=named)).status_code == 404


async def test_a_session_outlives_the_gateways_restart(standing: Standing) -> None:
    url = standing.server.mcp_url
    async with standing.http() as alice:
        session = await opened(alice, url)
        await asyncio.to_thread(standing.server.restart)
    async with standing.http() as alice:
        answer = await alice.post(url, json=PING, headers={"mcp-session-id": session})
        assert answer.status_code == 200


async def test_where_sessions_are_no_more_a_foreign_one_is_left_out(standing: Standing) -> None:
    """2026-07-28, earlier revisions: a header that names a session is to be ignored."""
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "headers", "arguments": {}, "_meta": meta},
    }
    sent = {
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
        "mcp-name": "headers",
        "mcp-session-id": "somebody-elses",
    }
    async with standing.http() as alice:
        answer = await alice.post(standing.server.mcp_url, json=call, headers=sent)
    assert answer.status_code == 200
    assert "somebody-elses" not in answer.text


async def test_a_stream_is_taken_up_where_it_broke_off(standing: Standing) -> None:
    """`Last-Event-ID`: what was said meanwhile is said again, to the person whose session it is."""
    url = standing.server.mcp_url
    call = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "tools/call",
        "params": {"name": "gated", "arguments": {}, "_meta": {"progressToken": 1}},
    }
    release = {"jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": {"name": "release"}}
    async with standing.http() as alice, standing.http(BOB) as bob:
        named = {
            "mcp-session-id": await opened(alice, url),
            "mcp-protocol-version": "2025-11-25",
        }
        last = ""
        async with alice.stream("POST", url, json=call, headers=named) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    last = line[4:]
                if "waiting" in line and line.startswith("data:"):
                    break
        await alice.post(
            url, json=release | {"params": {"name": "release", "arguments": {}}}, headers=named
        )
        resumed = {**named, "last-event-id": last}
        assert (await bob.get(url, headers=resumed)).status_code == 404
        async with alice.stream("GET", url, headers=resumed) as answer:
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                if line.startswith("data:") and '"id":5' in line.replace(" ", ""):
                    assert "released" in line
                    break
            else:
                raise AssertionError("the result never came")


# --- an upstream that dies ------------------------------------------------------------------------


async def test_an_upstream_killed_in_mid_stream_and_started_again() -> None:
    with McpUpstream() as upstream, LiveServer(env={"AUTHGATE_UPSTREAM": upstream.url}) as server:
        standing = Standing(server)
        call = {
            "jsonrpc": "2.0",
            "id": 5,
            "method": "tools/call",
            "params": {"name": "gated", "arguments": {}, "_meta": {"progressToken": 1}},
        }
        async with standing.http() as alice:
            session = await opened(alice, server.mcp_url)
            named = {"mcp-session-id": session}

            async def cut() -> None:
                async with alice.stream("POST", server.mcp_url, json=call, headers=named) as answer:
                    assert answer.status_code == 200
                    async for line in answer.aiter_lines():
                        if "waiting" in line:
                            upstream.kill()

            with pytest.raises(httpx2.RemoteProtocolError):
                await in_time(cut())
            away = await alice.post(server.mcp_url, json=PING, headers=named)
            assert (away.status_code, away.json()["id"]) == (502, 2)
            await asyncio.to_thread(upstream.start)
            # the server does not know the session any more, and says so itself
            gone = await alice.post(server.mcp_url, json=PING, headers=named)
            assert (gone.status_code, gone.json()["error"]["code"]) == (404, -32600)
            await opened(alice, server.mcp_url)
        async with standing.client("2026-07-28") as client:
            added = await client.call_tool("add", {"a": 1, "b": 2})
            assert added.structured_content == {"result": 3}
        assert "upstream.cut" in server.logs()
        assert "upstream.unreachable" in server.logs()
        assert "Traceback" not in server.logs()


# --- another server -------------------------------------------------------------------------------


async def test_the_reference_server() -> None:
    """@modelcontextprotocol/server-everything: a session, its stream, progress, all it lists."""
    script = package_file("@modelcontextprotocol/server-everything/dist/index.js")
    command = [str(node_binary()), str(script), "streamableHttp"]
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    with (
        McpUpstream(command, "PORT") as upstream,
        LiveServer(env={"AUTHGATE_UPSTREAM": upstream.url}) as server,
    ):
        standing = Standing(server)
        async with standing.client("legacy") as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert {"echo", "get-sum", "trigger-long-running-operation"} <= tools
            echo = await client.call_tool("echo", {"message": "hello"})
            assert echo.content[0].text == "Echo: hello"
            assert (await client.list_resources()).resources
            assert (await client.list_prompts()).prompts
            long = await in_time(
                client.call_tool(
                    "trigger-long-running-operation",
                    {"duration": 1, "steps": 4},
                    progress_callback=on_progress,
                )
            )
            assert not long.is_error
            assert seen == [1, 2, 3, 4]
        upstream.said("Received MCP GET request")
        assert "Traceback" not in server.logs()
