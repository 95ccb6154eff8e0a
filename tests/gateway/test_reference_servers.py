"""The reference servers behind the gateway, and the clients that people have before it.

Each client comes with nothing but the URL: discovery, registration, the person's sign-in and the
token are its own work. Two of them are whole programs that open the browser themselves.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.command_tools import INSPECTOR, Desktop, mcp_remote
from tests.clients.node_client import NodeClient
from tests.clients.node_env import node_binary, package_file
from tests.clients.test_typescript_sdks import SDKS
from tests.gateway.live_proxy import Standing
from tests.live import ALICE, BOB, LiveServer, reserved_port
from tests.standins.mcp_upstream import McpUpstream

EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
MEMORY = "@modelcontextprotocol/server-memory/dist/index.js"


@pytest.fixture(scope="module")
def everything() -> Iterator[LiveServer]:
    """server-everything behind authgate: sessions, streams, every kind of answer."""
    command = [str(node_binary()), str(package_file(EVERYTHING)), "streamableHttp"]
    with (
        McpUpstream(command, "PORT") as upstream,
        LiveServer(env={"AUTHGATE_UPSTREAM": upstream.url}) as server,
    ):
        yield server
        server.assert_quiet()


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """server-memory, which is a program only, by a bridge to HTTP behind authgate."""
    graph = tmp_path_factory.mktemp("memory") / "graph.jsonl"
    command = [sys.executable, "-m", "tests.standins.bridge"]
    command += ["env", f"MEMORY_FILE_PATH={graph}", str(node_binary()), str(package_file(MEMORY))]
    with (
        McpUpstream(command, "PORT") as upstream,
        LiveServer(env={"AUTHGATE_UPSTREAM": upstream.url}) as server,
    ):
        yield server
        server.assert_quiet()


def call(client: NodeClient, name: str, **arguments: Any) -> Any:
    return client.say(f"call {json.dumps({'name': name, 'arguments': arguments})}")


# --- the TypeScript SDKs --------------------------------------------------------------------------


@pytest.mark.parametrize("sdk", ["v1", "v2-legacy", "v2-auto"])
def test_everything_by_the_typescript_sdks(sdk: str, everything: LiveServer) -> None:
    script, *era = SDKS[sdk]
    with NodeClient(script, everything.mcp_url, *era, person=ALICE) as client:
        assert call(client, "echo", message="hello")["content"][0]["text"] == "Echo: hello"
        assert {"echo", "get-sum", "get-tiny-image"} <= set(client.say("tools"))
        assert "42" in call(client, "get-sum", a=2, b=40)["content"][0]["text"]
        kinds = [part["type"] for part in call(client, "get-tiny-image")["content"]]
        assert "image" in kinds
        client.say("reconnect")
        assert call(client, "echo", message="again")["content"][0]["text"] == "Echo: again"
        kept = client.say("kept")
        assert (kept["visits"], kept["registrations"]) == (1, 1)
        assert kept["server"]["name"].startswith("mcp-servers/everything")


def test_the_stateless_era_by_the_second_typescript_sdk(standing: Standing) -> None:
    script, *era = SDKS["v2-pinned"]
    with NodeClient(script, standing.server.mcp_url, *era, person=BOB) as client:
        added = call(client, "add", a=2, b=40)
        assert added["structuredContent"] == {"result": 42}
        assert client.say("kept")["protocol"] == "2026-07-28"


def test_memory_is_one_server_for_all_whom_it_lets_in(memory: LiveServer) -> None:
    """What one person's client of the first generation writes, another's of the second reads."""
    with (
        NodeClient("sdk_v1.mjs", memory.mcp_url, person=ALICE) as first,
        NodeClient("sdk_v2.mjs", memory.mcp_url, "legacy", person=BOB) as second,
    ):
        ada = {"name": "ada", "entityType": "person", "observations": ["wrote the first program"]}
        made = call(first, "create_entities", entities=[ada])
        assert made["structuredContent"] == {"entities": [ada]}
        found = call(second, "search_nodes", query="first program")
        assert found["structuredContent"]["entities"] == [ada]
        assert "read_graph" in second.say("tools")


# --- the inspector --------------------------------------------------------------------------------


def inspect(desktop: Desktop, url: str, *arguments: str) -> tuple[int, Any, str]:
    done = desktop.run(
        *(INSPECTOR, "--cli", "--transport", "http", "--server-url", url),
        *("--format", "json", *arguments),
    )
    return done.code, json.loads(done.out) if done.out else None, done.err


def test_the_inspector_signs_in_and_remembers_it(everything: LiveServer, tmp_path: Path) -> None:
    desktop, url = Desktop(tmp_path, ALICE), everything.mcp_url
    echo = ("--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello")
    legacy = ("--protocol-era", "legacy")

    code, _, said = inspect(desktop, url, *legacy, "--stored-auth-only", *echo)
    assert code == 3
    assert "auth_required" in said
    assert desktop.visited() == []

    with reserved_port() as port:
        callback = f"http://127.0.0.1:{port.getsockname()[1]}/oauth/callback"
        code, told, said = inspect(desktop, url, *legacy, "--callback-url", callback, *echo)
    assert code == 0, said
    assert told["result"]["content"][0]["text"] == "Echo: hello"
    assert len(desktop.visited()) == 1
    assert desktop.visited()[0].startswith(f"{callback}?code=")

    code, told, said = inspect(
        desktop, url, *legacy, "--stored-auth-only", "--method", "resources/list"
    )
    assert code == 0, said
    assert told["result"]["resources"]
    assert len(desktop.visited()) == 1


def test_the_inspector_in_the_stateless_era(standing: Standing, tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, BOB)
    with reserved_port() as port:
        code, told, said = inspect(
            desktop,
            standing.server.mcp_url,
            *("--protocol-era", "modern", "--method", "tools/call", "--tool-name", "add"),
            *("--tool-arg", "a=2", "b=40"),
            *("--callback-url", f"http://127.0.0.1:{port.getsockname()[1]}/oauth/callback"),
        )
    assert code == 0, said
    assert told["result"]["structuredContent"] == {"result": 42}
    assert len(desktop.visited()) == 1


def test_the_inspector_with_a_token_by_hand(standing: Standing, tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, ALICE)
    code, told, said = inspect(
        desktop,
        standing.server.mcp_url,
        *("--protocol-era", "modern", "--method", "tools/list"),
        *("--header", f"Authorization: {standing.bearer()['authorization']}"),
    )
    assert code == 0, said
    assert "add" in {tool["name"] for tool in told["result"]["tools"]}
    assert desktop.visited() == []


# --- mcp-remote -----------------------------------------------------------------------------------


async def test_mcp_remote_makes_it_a_stdio_server(everything: LiveServer, tmp_path: Path) -> None:
    """What clients without OAuth start: the first start signs in, the second one remembers."""
    desktop = Desktop(tmp_path, ALICE)
    for _ in range(2):
        async with mcp_remote(desktop, everything.mcp_url) as client:
            assert "echo" in {tool.name for tool in (await client.list_tools()).tools}
            echo = await client.call_tool("echo", {"message": "hello"})
            assert echo.content[0].text == "Echo: hello"
    assert len(desktop.visited()) == 1

    # What it keeps becomes stale (mcp-remote#91): it must find back by itself.
    (kept,) = (tmp_path / "remote").rglob("*_tokens.json")
    claims = json.loads(kept.read_text())["access_token"].split(".")[1]
    known = json.loads(base64.urlsafe_b64decode(claims + "=="))["client_id"]
    everything.cli("clients", "remove", known, "--yes")
    async with mcp_remote(desktop, everything.mcp_url) as client:
        assert (await client.call_tool("echo", {"message": "back"})).content
    assert len(desktop.visited()) == 2
