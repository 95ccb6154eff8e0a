"""A whole authgate around real stdio servers, driven by the official clients in both eras."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import CreateMessageResult, ElicitResult, ListRootsResult, Root, TextContent

from tests.clients.node_client import NodeClient
from tests.clients.node_env import node_binary, package_file
from tests.gateway.live_proxy import Standing
from tests.gateway.stdio_gate import PROGRAM, alive, as_setting, gone
from tests.live import ALICE, BOB, LiveServer, Person
from tests.standins import stdio_sdk

WITHIN = 20.0
EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
MEMORY = "@modelcontextprotocol/server-memory/dist/index.js"
BOTH = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
# A client that may choose; this server knows sessions only, and is offered with sessions only.
OLD = pytest.mark.parametrize("mode", ["legacy", "auto"])


def around(command: list[str], **env: str) -> LiveServer:
    return LiveServer(env={"AUTHGATE_UPSTREAM_COMMAND": as_setting(command), **env})


def node(path: str) -> list[str]:
    return [str(node_binary()), str(package_file(path))]


async def in_time(awaitable: Any) -> Any:
    return await asyncio.wait_for(awaitable, WITHIN)


# --- Node's servers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything() -> Iterator[Standing]:
    with around([*node(EVERYTHING), "stdio"]) as server:
        yield Standing(server)
        server.assert_quiet()


async def sampled(_context: Any, _params: Any) -> CreateMessageResult:
    return CreateMessageResult(
        role="assistant", content=TextContent(type="text", text="sampled words"), model="a model"
    )


async def elicited(_context: Any, _params: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"name": "elicited words"})


async def rooted(_context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///rooted", name="rooted words")])


@OLD
async def test_everything_is_there(everything: Standing, mode: str) -> None:
    options = {
        "sampling_callback": sampled,
        "elicitation_callback": elicited,
        "list_roots_callback": rooted,
    }
    seen: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append(done)

    async with everything.client(mode, **options) as client:
        said = await in_time(client.call_tool("echo", {"message": "héllo ✓"}))
        assert "héllo ✓" in said.content[0].text
        long = {"duration": 1, "steps": 4}
        tool = "trigger-long-running-operation"
        await in_time(client.call_tool(tool, long, progress_callback=progress))
        assert seen == [1, 2, 3, 4]
        assert (await in_time(client.list_resources())).resources
        assert (await in_time(client.list_prompts())).prompts
        image = await in_time(client.call_tool("get-tiny-image", {}))
        assert any(part.type == "image" for part in image.content)

        asks = {"prompt": "anything", "maxTokens": 10}
        said = await in_time(client.call_tool("trigger-sampling-request", asks))
        assert "sampled words" in str(said.content)
        said = await in_time(client.call_tool("trigger-elicitation-request", {}))
        assert "elicited words" in str(said.content)
        said = await in_time(client.call_tool("get-roots-list", {}))
        assert "rooted words" in str(said.content)


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")  # it is this era's only way
async def test_news_of_a_subscription(everything: Standing) -> None:
    heard = asyncio.Event()

    async def message(said: Any) -> None:
        if "resources/updated" in str(getattr(said, "method", "")):
            heard.set()

    async with everything.client("legacy", message_handler=message) as client:
        uri = "demo://resource/dynamic/text/1"
        await in_time(client.subscribe_resource(uri))
        await in_time(client.call_tool("toggle-subscriber-updates", {}))
        await in_time(heard.wait())


async def test_its_environment_has_no_secret(everything: Standing) -> None:
    async with everything.client("legacy") as client:
        said = await client.call_tool("get-env", {})
    names = set(json.loads(said.content[0].text))
    assert "PATH" in names
    assert not [name for name in names if name.startswith(("AUTHGATE", "SUPABASE", "WORKOS"))]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Standing]:
    script = f'MEMORY_FILE_PATH="{tmp_path}/$AUTHGATE_SUBJECT.jsonl" exec "$@"'
    command = ["sh", "-c", script, "sh", *node(MEMORY)]
    with around(command, AUTHGATE_UPSTREAM_IDENTITY="headers") as server:
        yield Standing(server)
        server.assert_quiet()


async def test_what_one_person_has_remembered_the_other_does_not_see(memory: Standing) -> None:
    def entity(name: str) -> dict[str, Any]:
        return {"entities": [{"name": name, "entityType": "secret", "observations": ["of mine"]}]}

    async def keep(person: Person, name: str) -> str:
        async with memory.client("legacy", person) as client:
            await in_time(client.call_tool("create_entities", entity(name)))
        async with memory.client("legacy", person) as client:  # another program, the same person
            return str((await in_time(client.call_tool("read_graph", {}))).content)

    of_alice, of_bob = await asyncio.gather(keep(ALICE, "alices"), keep(BOB, "bobs"))
    assert "alices" in of_alice
    assert "bobs" not in of_alice
    assert "bobs" in of_bob
    assert "alices" not in of_bob


# --- the Python SDK's -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def python() -> Iterator[Standing]:
    command = [sys.executable, str(Path(stdio_sdk.__file__))]
    with around(command, AUTHGATE_UPSTREAM_IDENTITY="headers") as server:
        yield Standing(server)
        server.assert_quiet()


@BOTH
async def test_the_same_tools_in_both_eras(python: Standing, mode: str) -> None:
    seen: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append(done)

    async with python.client(mode) as alice, python.client(mode, BOB) as bob:
        assert {tool.name for tool in (await alice.list_tools()).tools} == {
            "whoami",
            "add",
            "count",
        }
        sums = await in_time(
            asyncio.gather(
                *(alice.call_tool("add", {"a": number, "b": 1}) for number in range(20)),
                *(bob.call_tool("add", {"a": number, "b": 1000}) for number in range(20)),
            )
        )
        assert [one.structured_content["sum"] for one in sums] == [
            *range(1, 21),
            *range(1000, 1020),
        ]
        await in_time(alice.call_tool("count", {"steps": 3}, progress_callback=progress))
        assert seen == [1, 2, 3]
        of_alice, of_bob = [
            (await in_time(client.call_tool("whoami", {}))).structured_content
            for client in (alice, bob)
        ]
    assert of_alice["display"]
    assert of_alice["display"] != of_bob["display"]
    assert of_alice["pid"] != of_bob["pid"]


@pytest.mark.parametrize("script", ["sdk_v1.mjs", "sdk_v2.mjs legacy", "sdk_v2.mjs auto"])
@pytest.mark.parametrize("which", ["python", "everything"])
def test_typescript(script: str, which: str, request: pytest.FixtureRequest) -> None:
    name, *era = script.split()
    standing: Standing = request.getfixturevalue(which)
    with NodeClient(name, standing.server.mcp_url, *era, person=ALICE) as client:
        if which == "python":
            assert client.say("add") == {"sum": 42}
            assert client.say("whoami")["display"]
        else:
            client.say("whoami")  # no such tool: an answer of the server's, which is what counts
        modern = which == "python" and "auto" in era
        assert client.say("kept")["protocol"] == ("2026-07-28" if modern else "2025-11-25")


# --- its life -------------------------------------------------------------------------------------


async def pids(standing: Standing) -> list[int]:
    found = []
    for person in (ALICE, BOB):
        async with standing.client("2026-07-28", person) as client:
            said = (await client.call_tool("whoami", {})).structured_content
            found.append(said["pid"])
    return found


async def test_sigterm_lets_a_call_finish_and_leaves_no_program() -> None:
    with around([*PROGRAM, "--stubborn"], AUTHGATE_DRAIN="30") as server:
        standing = Standing(server)
        running = await pids(standing)
        begun = asyncio.Event()

        async def progress(done: float, total: float | None, message: str | None) -> None:
            begun.set()

        answers = []

        async def slow(mode: str) -> None:
            async with standing.client(mode) as client:
                await client.list_tools()  # it would ask for their schemas after the call
                steps = {"steps": 10, "each": 0.2}
                said = await client.call_tool("slow", steps, progress_callback=progress)
                answers.append(said.structured_content)

        calls = [asyncio.create_task(slow(mode)) for mode in ("legacy", "2026-07-28")]
        await in_time(begun.wait())
        await asyncio.sleep(0.3)
        server.terminate()
        # How a client takes leave of a server that has gone meanwhile is its own affair.
        await in_time(asyncio.gather(*calls, return_exceptions=True))
        assert answers == [{"steps": 10}] * 2
        assert await asyncio.to_thread(server.wait, 15) == 0
        await gone(*running)
        assert "worker.killed" not in server.logs()


async def test_kill_9_leaves_no_program() -> None:
    with around([*PROGRAM, "--stubborn"]) as server:
        running = await pids(Standing(server))
        assert all(alive(pid) for pid in running)
        os.kill(server.pid, signal.SIGKILL)
        await gone(*running)


async def test_a_program_that_dies_in_mid_call_and_the_session_after_it() -> None:
    with around(PROGRAM) as server:
        standing = Standing(server)
        async with standing.client("legacy") as client:
            with pytest.raises(MCPError, match="ended before it answered"):
                await in_time(client.call_tool("die", {}))
            with pytest.raises(MCPError, match=r"(?i)session"):
                await in_time(client.call_tool("recall", {}))
        assert "upstream.start_failed" in server.logs()


async def test_its_words_are_in_the_log_with_the_person() -> None:
    with around(PROGRAM) as server:
        async with Standing(server).client("legacy") as client:
            await client.call_tool("say", {"words": "\x1b[31mwords of the program"})
            await asyncio.sleep(0.2)
        lines = [
            json.loads(line) for line in server.logs().splitlines() if "of the program" in line
        ]
        assert lines[0]["event"] == "upstream.stderr"
        assert lines[0]["line"] == "?[31mwords of the program"
        assert lines[0]["subject"].startswith("ag_")


async def test_on_the_event_loop_of_a_real_server() -> None:
    """uvloop's own way to start a program gives it our files and hides the end of its output."""
    with around(PROGRAM) as server:
        standing = Standing(server)
        # Two people: whose program failed at its start has to wait a moment for another.
        for mode, person in (("legacy", ALICE), ("2026-07-28", BOB)):
            async with standing.client(mode, person) as client:
                said: Any = (await client.call_tool("whoami", {})).structured_content
                assert [entry for entry in said["fds"] if int(entry.split()[0]) > 2] == []
                with pytest.raises(MCPError, match="ended before it answered"):
                    await in_time(client.call_tool("close_output", {}))
            await gone(said["pid"])


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "options", "said"),
    [
        ({"AUTHGATE_UPSTREAM": "http://127.0.0.1:9/mcp"}, [], "unset one of them"),
        ({"AUTHGATE_UPSTREAM_IDENTITY": "jwt"}, [], "AUTHGATE_SUBJECT"),
        ({"AUTHGATE_UPSTREAM_ENV": "AUTHGATE_SECRET_KEY"}, [], "no program's to know"),
        ({"AUTHGATE_UPSTREAM_COMMAND": "'half"}, [], "no closing quotation"),
        ({}, ["--workers", "2"], "live in one process"),
    ],
)
def test_what_is_refused_at_start(env: dict[str, str], options: list[str], said: str) -> None:
    given = {
        "AUTHGATE_UPSTREAM_COMMAND": "npx -y some-server",
        "AUTHGATE_PUBLIC_URL": "http://localhost:8000",
    }
    server = LiveServer(env={**given, **env})
    try:
        done = server.cli("serve", "--port", "0", *options, check=False)
    finally:
        server.close()
    assert done.returncode != 0
    assert said in done.stderr
