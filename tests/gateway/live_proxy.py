"""A running authgate before an upstream, and people with tokens for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.clients.by_hand import Hands
from tests.live import ALICE, BOB, LiveServer, Person

ACCEPT = {"accept": "application/json, text/event-stream"}


def token_of(server: LiveServer, person: Person) -> str:
    """An access token, by the whole way to one."""
    with Hands(server, person) as hands:
        token: str = hands.tokens(hands.registered()["client_id"])["access_token"]
        return token


class Standing:
    """The server with tokens of Alice and Bob."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.tokens = {person.email: token_of(server, person) for person in (ALICE, BOB)}

    def bearer(self, person: Person = ALICE) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[person.email]}"}

    def http(self, person: Person = ALICE, **options: Any) -> httpx2.AsyncClient:
        """A client with the person's token."""
        return httpx2.AsyncClient(
            headers=ACCEPT | self.bearer(person),
            timeout=60,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            trust_env=False,
            **options,
        )

    @asynccontextmanager
    async def client(
        self, mode: Any, person: Person = ALICE, **options: Any
    ) -> AsyncIterator[Client]:
        """The official client of a person."""
        async with (
            self.http(person) as http,
            Client(
                streamable_http_client(self.server.mcp_url, http_client=http), mode=mode, **options
            ) as client,
        ):
            yield client


@asynccontextmanager
async def opened_door(port: int, bearer: str) -> AsyncIterator[int]:
    """A loopback port that leads to `port` with a token added, for who knows of no authorization.

    One request a connection, and whichever side ends it ends both.
    """
    running: set[asyncio.Task[None]] = set()

    async def ended(writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def pump(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                drain.write(data)
                await drain.drain()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *fields = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        kept = [field for field in fields if not field.lower().startswith(b"connection:")]
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        head = [line, b"Authorization: " + bearer.encode(), b"Connection: close", *kept]
        inner_writer.write(b"\r\n".join(head))
        pumps = [
            asyncio.create_task(pump(reader, inner_writer)),
            asyncio.create_task(pump(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await ended(inner_writer)

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def serve() -> None:
            try:
                with suppress(asyncio.IncompleteReadError, ConnectionError):
                    await through(reader, writer)
            finally:
                await ended(writer)

        task = asyncio.create_task(serve())
        running.add(task)
        task.add_done_callback(running.discard)

    async with await asyncio.start_server(accepted, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def initialize(request_id: int = 1) -> dict[str, Any]:
    """The first message of a session."""
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "by hand", "version": "0"},
        },
    }
