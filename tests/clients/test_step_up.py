"""Official clients ask for the scopes of a tool when they call it, and lose none that they had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.node_client import NodeClient
from tests.clients.node_env import node_binary, package_file
from tests.clients.test_python_sdk import Application
from tests.gateway.proxying import until
from tests.gateway.stdio_gate import as_setting
from tests.live import ALICE, LiveServer
from tests.standins.mcp_upstream import McpUpstream

EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
SCOPES = "mcp:use demo:sum demo:echo"
TABLE = """
default_scope = "mcp:use"

[tools]
"get-sum" = "demo:sum"
add = "demo:sum"
echo = ["demo:echo", "mcp:use"]
"""


def settings(folder: Path, **more: str) -> dict[str, str]:
    file = folder / "authgate.toml"
    file.write_text(TABLE)
    return {"AUTHGATE_SCOPES": SCOPES, "AUTHGATE_CONFIG_FILE": str(file), **more}


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The built-in example, whose `add` takes a scope of its own."""
    with LiveServer(env=settings(tmp_path_factory.mktemp("table"))) as server:
        yield server


@pytest.mark.parametrize("way", ["http", "stdio"])
async def test_the_python_client_before_the_reference_server(tmp_path: Path, way: str) -> None:
    """403, back to the person with what was named, the same call once more: all by itself."""
    command = [str(node_binary()), str(package_file(EVERYTHING))]
    with ExitStack() as stack:
        if way == "http":
            upstream = stack.enter_context(McpUpstream([*command, "streamableHttp"], "PORT"))
            behind = {"AUTHGATE_UPSTREAM": upstream.url}
        else:
            behind = {"AUTHGATE_UPSTREAM_COMMAND": as_setting([*command, "stdio"])}
        server = stack.enter_context(LiveServer(env=settings(tmp_path, **behind)))
        application = Application(server)
        async with application.connected("legacy") as client:
            assert {"echo", "get-sum"} <= {tool.name for tool in (await client.list_tools()).tools}
            assert (application.visits, scope(application)) == (1, {"mcp:use"})
            added = await client.call_tool("get-sum", {"a": 40, "b": 2})
            assert "42" in added.content[0].text
            assert (application.visits, scope(application)) == (2, {"mcp:use", "demo:sum"})
            echo = await client.call_tool("echo", {"message": "hello"})
            assert echo.content[0].text == "Echo: hello"
            assert (application.visits, scope(application)) == (3, set(SCOPES.split()))
            # nothing was lost on the way, and nobody is asked again
            assert not (await client.call_tool("get-sum", {"a": 1, "b": 2})).is_error
        assert application.visits == 3
        assert server.logs().count("scope_of_tool") == 2
        server.assert_quiet()


def scope(application: Application) -> set[str]:
    """What was granted, but for what clients add by themselves to get refresh tokens."""
    assert application.token is not None
    return set((application.token.scope or "").split()) - {"offline_access"}


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_python_client_in_every_mode(stepped: LiveServer, mode: str) -> None:
    application = Application(stepped)
    async with application.connected(mode) as client:
        await client.call_tool("whoami", {})
        assert (application.visits, scope(application)) == (1, {"mcp:use"})
        added = await client.call_tool("add", {"a": 40, "b": 2})
        assert added.structured_content == {"sum": 42}
        assert (application.visits, scope(application)) == (2, {"mcp:use", "demo:sum"})
        await client.call_tool("whoami", {})
    assert application.visits == 2


@pytest.mark.parametrize("era", ["legacy", "auto", "2026-07-28"])
def test_the_typescript_client_in_every_mode(stepped: LiveServer, era: str) -> None:
    with NodeClient("sdk_v2.mjs", stepped.mcp_url, era, person=ALICE) as client:
        client.say("whoami")
        assert client.say("kept")["visits"] == 1
        assert client.say("add") == {"sum": 42}
        client.say("whoami")
        kept = client.say("kept")
        assert kept["visits"] == 2
        granted = set(kept["tokens"]["scope"].split()) - {"offline_access"}
        assert granted == {"mcp:use", "demo:sum"}, json.dumps(kept)


async def test_a_client_that_only_refreshes_is_told_in_time(tmp_path: Path) -> None:
    """The older TypeScript SDK answers a 403 with a refresh, which cannot widen anything (RFC 6749
    section 6). It keeps what it had; what it shall have it has to be told to ask for first."""
    with LiveServer(env=settings(tmp_path)) as server:
        with NodeClient("sdk_v1.mjs", server.mcp_url, person=ALICE) as client:
            client.say("whoami")
            with pytest.raises(AssertionError, match="403 after trying upscoping"):
                client.say("add")
            client.say("whoami")
            assert client.say("kept")["visits"] == 1
        told = f'first_scope = "mcp:use demo:sum"\n{TABLE}'
        (tmp_path / "authgate.toml").write_text(told)
        await until(lambda: "config.changed" in server.logs())
        with NodeClient("sdk_v1.mjs", server.mcp_url, person=ALICE) as client:
            assert client.say("add") == {"sum": 42}
            assert client.say("kept")["visits"] == 1
