"""A gateway around a stdio program, behind a guard that believes everybody, on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx2

from authgate.gateway.caller import nobody
from authgate.gateway.slots import Slots
from authgate.gateway.stdio import StdioGateway, StdioPolicy
from authgate.gateway.stdio_process import Launch, environment
from authgate.gateway.stdio_programs import Limits
from authgate.protocol.rollout import Kind
from authgate.web.request import Receive, Scope, Send
from tests.gateway.live_proxy import ACCEPT, initialize
from tests.gateway.proxying import WITHIN, caller
from tests.standins import stdio_program
from tests.web.serving import serving

PROGRAM = [sys.executable, "-I", "-S", str(Path(stdio_program.__file__))]
"""The stand-in; its options may follow."""

VERSION = "2025-11-25"
MODERN = "2026-07-28"
MESSAGE_LIMIT = 1 << 20


def as_setting(command: list[str]) -> str:
    return shlex.join(command)


def gateway(
    *options: str,
    command: list[str] | None = None,
    total: int = 8,
    each: int = 4,
    idle: float = 600.0,
    memory: int = 512 << 20,
    timeout: float = 20.0,
    tells_caller: bool = False,
    limit: int = MESSAGE_LIMIT,
    variables: tuple[str, ...] = (),
) -> StdioGateway:
    return StdioGateway(
        StdioPolicy(limit, timeout, tells_caller=tells_caller),
        Launch(tuple(command or [*PROGRAM, *options]), environment(os.environ, variables), limit),
        Limits(total, each, idle, memory),
        Slots(1000, 100),
    )


NOBODY = "nobody"


def believing(made: StdioGateway) -> Any:
    """A guard that believes everybody, and lets nobody pass too."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sub = dict(scope["headers"]).get(b"authorization", b"Bearer ada").decode()
        sub = sub.removeprefix("Bearer ")
        who = nobody(Kind.NONE) if sub == NOBODY else caller(sub)
        await made({**scope, "authgate.caller": who}, receive, send)

    return app


@asynccontextmanager
async def around(*options: str, **settings: Any) -> AsyncIterator[Gate]:
    """A gateway around the stand-in with these options, and clients of it."""
    made = gateway(*options, **settings)
    try:
        async with serving(believing(made)) as port:
            base = f"http://127.0.0.1:{port}"
            limits = httpx2.Limits(max_connections=None)
            async with httpx2.AsyncClient(
                base_url=base, timeout=WITHIN * 2, limits=limits, trust_env=False, headers=ACCEPT
            ) as http:
                yield Gate(made, http)
    finally:
        await made.close()
        assert len(made.programs) == 0


class Gate:
    """A gateway with a client."""

    def __init__(self, made: StdioGateway, http: httpx2.AsyncClient) -> None:
        self.gateway = made
        self.http = http

    async def opened(self, sub: str = "ada", **capabilities: Any) -> Talk:
        """A session of that person."""
        talk = Talk(self.http, sub)
        await talk.open(**capabilities)
        return talk

    async def asked(self, tool: str, sub: str = "ada", number: int = 1, **arguments: Any) -> Any:
        """A call without a session: the answer, as a document."""
        answer = await self.http.post(
            "/mcp", json=modern(tool, number, **arguments), headers=modern_headers(tool, sub)
        )
        return last_message(answer)


class Talk:
    """One session by hand."""

    def __init__(self, http: httpx2.AsyncClient, sub: str) -> None:
        self.http = http
        self.headers = {"authorization": f"Bearer {sub}"}
        self.number = 1

    async def open(self, **capabilities: Any) -> Self:
        message = initialize()
        message["params"]["capabilities"] = capabilities
        answer = await self.http.post("/mcp", json=message, headers=self.headers)
        assert answer.status_code == 200, answer.text
        self.headers |= {
            "mcp-session-id": answer.headers["mcp-session-id"],
            "mcp-protocol-version": VERSION,
        }
        done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await self.post(done)).status_code == 202
        return self

    async def post(self, message: Any) -> httpx2.Response:
        return await self.http.post("/mcp", json=message, headers=self.headers)

    def request(self, tool: str, **arguments: Any) -> dict[str, Any]:
        self.number += 1
        meta = {"progressToken": f"p{self.number}"}
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        return {"jsonrpc": "2.0", "id": self.number, "method": "tools/call", "params": params}

    async def answer(self, tool: str, **arguments: Any) -> httpx2.Response:
        return await self.post(self.request(tool, **arguments))

    async def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool returned; an error is one of the test."""
        said = last_message(await self.answer(tool, **arguments))
        assert "result" in said, said
        return said["result"]["structuredContent"]

    async def fails(self, tool: str, **arguments: Any) -> Any:
        """The error that a call ended with."""
        said = last_message(await self.answer(tool, **arguments))
        assert "error" in said, said
        return said["error"]

    async def delete(self) -> httpx2.Response:
        return await self.http.delete("/mcp", headers=self.headers)


def modern(tool: str, number: int = 1, **arguments: Any) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "0"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": f"p{number}",
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def modern_headers(tool: str, sub: str = "ada") -> dict[str, str]:
    return {
        "authorization": f"Bearer {sub}",
        "mcp-protocol-version": MODERN,
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }


def messages(answer: httpx2.Response) -> list[Any]:
    """The messages of an answer, stream or not."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return [answer.json()]
    # Not splitlines: it knows ends of lines that neither JSON nor event streams know.
    lines = [line.rstrip("\r") for line in answer.text.split("\n")]
    told = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(data) for data in told if data]  # the one that begins a stream has none


def last_message(answer: httpx2.Response) -> Any:
    return messages(answer)[-1]


def alive(pid: int) -> bool:
    """Does a process run? One that waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def gone(*pids: int, within: float = WITHIN) -> None:
    """Wait until none of them runs."""
    for _ in range(int(within / 0.02)):
        if not any(alive(pid) for pid in pids):
            return
        await asyncio.sleep(0.02)
    raise AssertionError([pid for pid in pids if alive(pid)])
