"""The reference servers as programs behind the gateway, and the clients that people have before it.

What a client does by itself (discovery, sign-in) is as before any server: see
test_reference_servers. Here it must find the same server where there is only a pipe.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.command_tools import Desktop, mcp_remote
from tests.clients.node_client import NodeClient
from tests.clients.node_env import NODE_FOLDER, node_binary, npm_cli, package_file
from tests.gateway.live_proxy import Standing
from tests.gateway.test_reference_servers import MEMORY, call, inspect
from tests.live import ALICE, BOB, LiveServer, reserved_port

GUIDES_WORDS = "npx -y @modelcontextprotocol/server-everything stdio"
"""Letter for letter what the guide tells people to write."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """server-everything by the guide's own command, which finds it installed and asks nobody."""
    folder = tmp_path_factory.mktemp("everything")
    (folder / "package.json").write_text("{}")
    (folder / "node_modules").symlink_to(NODE_FOLDER / "node_modules")
    (folder / ".npmrc").write_text("offline=true\nupdate-notifier=false\n")
    npx = folder / "npx"  # the wheel's own is a copy that does not find npm
    words = [str(node_binary()), str(npm_cli().with_name("npx-cli.js"))]
    npx.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    npx.chmod(0o700)
    path = os.pathsep.join([str(folder), str(node_binary().parent), os.environ["PATH"]])
    env = {"AUTHGATE_UPSTREAM_COMMAND": GUIDES_WORDS, "PATH": path}
    with LiveServer(env=env, folder=folder) as server:
        yield server
        server.assert_quiet()


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """server-memory with a graph for each person."""
    script = f'MEMORY_FILE_PATH="{tmp_path_factory.mktemp("memory")}/$AUTHGATE_SUBJECT" exec "$@"'
    words = ["sh", "-c", script, "sh", str(node_binary()), str(package_file(MEMORY))]
    env = {
        "AUTHGATE_UPSTREAM_COMMAND": shlex.join(words),
        "AUTHGATE_UPSTREAM_IDENTITY": "headers",
    }
    with LiveServer(env=env) as server:
        yield Standing(server)
        server.assert_quiet()


def entity(name: str) -> dict[str, Any]:
    return {"name": name, "entityType": "person", "observations": [f"the mark of {name}"]}


# --- the TypeScript SDKs --------------------------------------------------------------------------


def test_everything_by_the_typescript_sdk(everything: LiveServer) -> None:
    with NodeClient("sdk_v2.mjs", everything.mcp_url, "auto", person=ALICE) as client:
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


def test_memory_by_the_typescript_sdks(memory: Standing) -> None:
    """Two clients at once, of two people: neither finds what the other one wrote."""
    url = memory.server.mcp_url
    with (
        NodeClient("sdk_v1.mjs", url, person=ALICE) as first,
        NodeClient("sdk_v2.mjs", url, "auto", person=BOB) as second,
    ):
        for client, name in ((first, "ada"), (second, "grace")):
            made = call(client, "create_entities", entities=[entity(name)])
            assert made["structuredContent"] == {"entities": [entity(name)]}
        for client, name, other in ((first, "ada", "grace"), (second, "grace", "ada")):
            found = call(client, "search_nodes", query="the mark of")["structuredContent"]
            assert entity(name) in found["entities"]
            assert entity(other) not in found["entities"]


# --- the inspector --------------------------------------------------------------------------------


def test_the_inspector_signs_in(everything: LiveServer, tmp_path: Path) -> None:
    desktop, url = Desktop(tmp_path, ALICE), everything.mcp_url
    echo = ("--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello")
    legacy = ("--protocol-era", "legacy")
    with reserved_port() as port:
        callback = f"http://127.0.0.1:{port.getsockname()[1]}/oauth/callback"
        code, told, said = inspect(desktop, url, *legacy, "--callback-url", callback, *echo)
    assert code == 0, said
    assert told["result"]["content"][0]["text"] == "Echo: hello"
    assert len(desktop.visited()) == 1


def test_the_inspector_with_a_token_by_hand(memory: Standing, tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, ALICE)
    code, told, said = inspect(
        desktop,
        memory.server.mcp_url,
        *("--protocol-era", "legacy", "--method", "tools/list"),
        *("--header", f"Authorization: {memory.bearer()['authorization']}"),
    )
    assert code == 0, said
    assert {"create_entities", "read_graph"} <= {tool["name"] for tool in told["result"]["tools"]}
    assert desktop.visited() == []


# --- mcp-remote -----------------------------------------------------------------------------------


async def test_mcp_remote_signs_in(everything: LiveServer, tmp_path: Path) -> None:
    """A program at both ends."""
    desktop = Desktop(tmp_path, BOB)
    async with mcp_remote(desktop, everything.mcp_url) as client:
        assert "echo" in {tool.name for tool in (await client.list_tools()).tools}
        echo = await client.call_tool("echo", {"message": "hello"})
        assert echo.content[0].text == "Echo: hello"
    assert len(desktop.visited()) == 1


async def test_mcp_remote_with_a_token_by_hand(memory: Standing, tmp_path: Path) -> None:
    desktop = Desktop(tmp_path, BOB)
    header = tmp_path / "header"
    header.write_text(f"Authorization: {memory.bearer(BOB)['authorization']}\n")
    url = memory.server.mcp_url
    async with mcp_remote(desktop, url, "--header-file", str(header)) as client:
        await client.call_tool("create_entities", {"entities": [entity("barbara")]})
        graph: Any = (await client.call_tool("read_graph", {})).structured_content
    assert entity("barbara") in graph["entities"]
    assert desktop.visited() == []
