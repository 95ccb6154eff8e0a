"""The walk itself: the official MCP Python client against a running authgate, from 401 to 401.

Discovery, registration, PKCE, the token requests and the refresh are the client's own doing; here
are only the browser it sends away and the checks of what it got. Never here: how it is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from authgate.cli.demo_server import DemoFailed, DemoServer
from authgate.cli.demo_trail import Trail, claims
from authgate.cli.demo_visitor import Visitor

# Nobody listens there, and nobody has to: the visitor's browser stops at this address, where a
# real client's would hand the code to it.
CALLBACK = "http://localhost:3000/oauth/callback"
TIMEOUT = 30.0

EventHook = Callable[..., Any]


class Memory:
    """Where the client keeps its registration and its tokens: nowhere that lasts."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def walk(server: DemoServer, trail: Trail) -> None:
    """All steps; raises `DemoFailed` at the first that is not as it must be."""
    memory = Memory()
    hooks: dict[str, list[EventHook]] = {"request": [trail.sent], "response": [trail.answered]}
    guest = server.guest
    code, through = (guest.code, guest.provider) if guest else (None, None)
    with Visitor(
        server.email, server.password, trail.moved, code, through, home=server.url
    ) as visitor:
        provider = _provider(server, visitor, memory)
        async with httpx2.AsyncClient(
            auth=provider, event_hooks=hooks, trust_env=False, timeout=TIMEOUT
        ) as http:
            await _calls(http, provider, server, memory, trail)
    async with httpx2.AsyncClient(event_hooks=hooks, trust_env=False, timeout=TIMEOUT) as http:
        if server.authkit is None:
            await _revoke(http, provider, memory)
            await _knock(http, server, memory)
        elif server.guest is None:
            trail.begin("shut-out")
            await asyncio.to_thread(server.shut_out)
            await _knock(http, server, memory)
    trail.must_be_complete()


def _provider(server: DemoServer, visitor: Visitor, memory: Memory) -> OAuthClientProvider:
    arrived: list[str] = []

    async def open_browser(url: str) -> None:
        # In a thread, as a browser is another program: the client's event loop goes on.
        arrived.append(await asyncio.to_thread(visitor.follow, url))

    async def callback() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(arrived.pop()).query)
        if "code" not in query:
            raise DemoFailed(f"the redirect carries no code: {query}")
        # AuthKit sends no `iss`; the client knows from the metadata who has to (RFC 9207).
        iss = query.get("iss", [None])[0]
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=iss)

    metadata = OAuthClientMetadata(
        client_name="authgate demo",
        redirect_uris=[AnyUrl(CALLBACK)],
        token_endpoint_auth_method="none",  # noqa: S106 - a public client, not a secret
        scope=None if server.authkit else "mcp:use",  # AuthKit knows none but its own
    )
    return OAuthClientProvider(server.mcp_url, metadata, memory, open_browser, callback)


async def _calls(
    http: httpx2.AsyncClient,
    provider: OAuthClientProvider,
    server: DemoServer,
    memory: Memory,
    trail: Trail,
) -> None:
    """Connect, ask who is signed in, refresh, ask again."""
    async with Client(streamable_http_client(server.mcp_url, http_client=http)) as mcp:
        trail.say(f"whoami: {await _whoami(mcp, server)}")
        first = _tokens(memory)
        said = claims(first.access_token)
        if said.get("aud") != server.mcp_url or said.get("iss") != server.issuer:
            raise DemoFailed(f"the token is for {said.get('aud')} from {said.get('iss')}.")
        trail.say(f"the token is good for {said['aud']} alone; its sub is {said['sub']}")
        # The client judges expiry by its own clock, so this is all it takes to make it refresh.
        provider.context.token_expiry_time = time.time() - 1
        trail.say(f"whoami: {await _whoami(mcp, server)}")
        second = _tokens(memory)
        if second.access_token == first.access_token:
            raise DemoFailed("the refresh gave the same access token.")
        if second.refresh_token in (None, first.refresh_token):
            raise DemoFailed("the refresh gave no new refresh token.")


async def _whoami(mcp: Client, server: DemoServer) -> str:
    result = await mcp.call_tool("whoami", {})
    answer = result.structured_content or {}
    if result.is_error or answer.get("display") != server.email:
        raise DemoFailed(f"whoami answered {result.content}; it must name {server.email}.")
    return f"{answer['display']}, client {answer['client_id']}"


async def _revoke(http: httpx2.AsyncClient, provider: OAuthClientProvider, memory: Memory) -> None:
    """The SDK's client has no call for it."""
    known = provider.context.oauth_metadata
    tokens, client = _tokens(memory), memory.client
    if known is None or known.revocation_endpoint is None or client is None:
        raise DemoFailed("the metadata names no revocation endpoint.")
    form = {"token": tokens.refresh_token or "", "client_id": client.client_id or ""}
    await http.post(str(known.revocation_endpoint), data=form)


async def _knock(http: httpx2.AsyncClient, server: DemoServer, memory: Memory) -> None:
    """Once more, with the token of before."""
    await http.post(
        server.mcp_url,
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}},
        headers={
            "authorization": f"Bearer {_tokens(memory).access_token}",
            "accept": "application/json, text/event-stream",
        },
    )


def _tokens(memory: Memory) -> OAuthToken:
    if memory.tokens is None:
        raise DemoFailed("the client has no tokens.")
    return memory.tokens
