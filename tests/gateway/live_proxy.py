"""A running authgate before an upstream, and people with tokens for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
