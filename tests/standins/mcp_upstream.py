"""An MCP server of the official SDK: `python -m tests.standins.mcp_upstream PORT`.

Both eras on one endpoint, sessions that can be resumed, and tools that wait for each other so that
tests need no sleep. What happens in it is a line on standard output, which `McpUpstream` reads.
"""

from __future__ import annotations

import asyncio
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[2]
WITHIN = 20.0


def _say(line: str) -> None:
    print(line, flush=True)


class Colour(BaseModel):
    """What `elicit` asks for."""

    colour: str


def server() -> Any:
    """The server with its tools."""
    made: MCPServer[Any] = MCPServer("upstream", log_level="CRITICAL")
    gate = asyncio.Event()

    @made.tool()
    async def add(a: int, b: int) -> int:
        return a + b

    @made.tool()
    async def headers(ctx: Context[Any, Any]) -> dict[str, str]:
        """The headers of this very request."""
        request: Any = ctx.request_context.request
        return dict(request.headers)

    @made.tool()
    async def gated(ctx: Context[Any, Any]) -> str:
        """Report progress, then wait until `release` is called."""
        await ctx.report_progress(1, 2, "waiting")
        _say("gated: waiting")
        try:
            await gate.wait()
        except asyncio.CancelledError:
            _say("gated: cancelled")
            raise
        gate.clear()
        await ctx.report_progress(2, 2, "released")
        return "released"

    @made.tool()
    async def release() -> str:
        gate.set()
        return "done"

    @made.tool()
    async def sample(ctx: Context[Any, Any]) -> str:
        """Ask the client's model."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text="hello"))
        answer = await ctx.session.create_message([message], max_tokens=10)
        content: Any = answer.content
        return f"{answer.model}: {content.text}"

    @made.tool()
    async def elicit(ctx: Context[Any, Any]) -> str:
        """Ask the person."""
        answer: Any = await ctx.elicit("Which colour?", Colour)
        return f"{answer.action}: {answer.data.colour}"

    return made


class Events(EventStore):
    """What was said on streams, so that they can be resumed."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        self.kept.append((stream_id, message))
        return str(len(self.kept))

    async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
        start = int(last_event_id)
        if not 0 < start <= len(self.kept):
            return None
        stream = self.kept[start - 1][0]
        for number, (of, message) in enumerate(self.kept[start:], start + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def application() -> Any:
    """The server as an ASGI application, with an event store so that streams can be resumed."""

    return server().streamable_http_app(event_store=Events())


class McpUpstream:
    """The server in a process of its own; the port outlives `kill` and `start`."""

    def __init__(self, command: list[str] | None = None, port_variable: str | None = None) -> None:
        self._reserved = socket.socket()
        self._reserved.bind(("127.0.0.1", 0))
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port: int = self._reserved.getsockname()[1]
        own = [sys.executable, "-m", "tests.standins.mcp_upstream", str(self.port)]
        self._command = command or own
        self._environment = dict(os.environ)
        if port_variable:
            self._environment[port_variable] = str(self.port)
            self._reserved.close()
        self._lines: queue.Queue[str] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self) -> None:
        """Start it; answers when it listens."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        ends = time.monotonic() + WITHIN
        while True:
            assert self._process.poll() is None, "the upstream ended at its start"
            assert time.monotonic() < ends
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def kill(self) -> None:
        """Take it away in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(WITHIN)
            self._reader.join(WITHIN)
            self._process = None

    def forget(self) -> None:
        """Let go of what it said so far."""
        while not self._lines.empty():
            self._lines.get()

    def said(self, line: str, within: float = WITHIN) -> None:
        """Wait until it says `line`."""
        ends = time.monotonic() + within
        while self._lines.get(timeout=max(0.01, ends - time.monotonic())) != line:
            pass

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self._lines.put(line.rstrip("\n"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._reserved.close()


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
