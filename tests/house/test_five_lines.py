"""README's three ways to put authgate to one's own MCP server: five lines each, run as they stand.

Changed is only what a reader has and a test has not: the port, the address of the server that runs
already, the password typed at a terminal, and `npx`, which would ask the registry for a package
that is here already. Then the official client signs in and uses the server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.adapters.programs import Place
from tests.clients.node_env import node_binary, package_file
from tests.clients.test_python_sdk import Application
from tests.house.reading import ROOT
from tests.live import LiveServer, Person

YOU = Person("you@example.com", "a passphrase of four words")
README = (ROOT / "README.md").read_text()
_BLOCK = re.compile(
    r"^<!-- five lines: (?P<way>[a-z]+) -->\n+```(?P<kind>[a-z]+)\n(?P<text>.*?)^```", re.M | re.S
)
BLOCKS = {match["way"]: (match["kind"], match["text"]) for match in _BLOCK.finditer(README)}
EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
RUNNING = """
import sys
from mcp.server.mcpserver import MCPServer

server = MCPServer("mine")

@server.tool()
def mine() -> str:
    return "mine"

server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
"""


def test_there_are_three_and_each_is_short() -> None:
    assert BLOCKS.keys() == {"running", "stdio", "inside"}
    assert README.count("<!-- five lines") == len(BLOCKS)
    for _, text in BLOCKS.values():
        assert 0 < len([line for line in text.splitlines() if line.strip()]) <= 5


class Reader(LiveServer):
    """Somebody who does what a block says, in an empty folder."""

    def __init__(self, command: list[str], folder: Path, more: dict[str, str]) -> None:
        scripts = (sysconfig.get_path("scripts"), str(folder), str(node_binary().parent))
        path = os.pathsep.join((*scripts, os.environ["PATH"]))
        super().__init__(people=(), env={"PATH": path, **more})
        self._command = command

    def _launch(self) -> None:
        command = [part.replace("8000", str(self.port)) for part in self._command]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_answer()


def shell(text: str, **changes: str) -> list[str]:
    """A console block as bash runs it."""
    added = f"authgate people add {YOU.email}"
    served = "authgate serve"
    assert added in text
    assert served in text
    text = text.replace(added, f"echo '{YOU.password}' | {added} --password-stdin")
    text = text.replace(served, f"exec {served} --port 8000")
    for before, after in changes.items():
        text = text.replace(before, after)
    return ["bash", "-euo", "pipefail", "-c", text]


async def used(server: LiveServer) -> set[str]:
    """Nothing without a token; with one, the names of the tools."""
    assert httpx2.post(server.mcp_url, json={}, trust_env=False).status_code == 401
    application = Application(server, YOU)
    async with application.connected("auto") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert application.visits == 1
    return names


@pytest.fixture
def running() -> Iterator[Place]:
    """A server that was there before authgate came."""
    place = Place("/mcp")
    command = [sys.executable, "-c", RUNNING, str(place.port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while not _answers(place) and time.monotonic() < ends:
            time.sleep(0.05)
        yield place
    finally:
        process.kill()
        process.wait(10)
        place.close()


def _answers(place: Place) -> bool:
    try:
        httpx2.get(place.resource, timeout=2, trust_env=False)
    except httpx2.TransportError:
        return False
    return True


async def test_in_front_of_my_running_server(running: Place, tmp_path: Path) -> None:
    kind, text = BLOCKS["running"]
    assert kind == "console"
    theirs = "http://127.0.0.1:9000"
    assert theirs in text
    with Reader(shell(text.replace(theirs, running.origin)), tmp_path, {}) as server:
        assert await used(server) == {"mine"}


async def test_around_my_stdio_server(tmp_path: Path) -> None:
    kind, text = BLOCKS["stdio"]
    assert kind == "console"
    assert "npx -y @modelcontextprotocol/server-everything stdio" in text
    npx = tmp_path / "npx"
    program = f'exec "{node_binary()}" "{package_file(EVERYTHING)}" "$@"'
    npx.write_text(f"#!/bin/sh\nshift 2\n{program}\n")
    npx.chmod(0o755)
    with Reader(shell(text), tmp_path, {}) as server:
        assert "echo" in await used(server)


async def test_inside_my_fastmcp_app(tmp_path: Path) -> None:
    kind, text = BLOCKS["inside"]
    assert kind == "python"
    begun, last = text.rstrip().rsplit("\n", 1)
    tools = "@mcp.tool\ndef mine() -> str:\n    return 'mine'\n"
    script = tmp_path / "server.py"
    script.write_text(f"{begun}\n{tools}\n{last}\n")
    assert "port=8000" in last
    command = [sys.executable, "-c", script.read_text()]
    with Reader(command, tmp_path, {}) as server:
        server.add_person(YOU)
        assert await used(server) == {"mine"}
