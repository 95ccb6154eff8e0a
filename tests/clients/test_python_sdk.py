"""The official Python client (`mcp`), in every mode it can connect in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.clients.by_hand import Hands, basic
from tests.live import ALICE, BOB, LiveServer, Person
from tests.scripted_browser import ScriptedBrowser

MODES = ("auto", "legacy", "2026-07-28")
CALLBACK = "http://127.0.0.1:43210/callback"

every_mode = pytest.mark.parametrize("mode", MODES)


class Application:
    """What a program around the SDK does: keep tokens, open the browser, hand back the answer."""

    def __init__(self, server: LiveServer, person: Person = ALICE, decision: str = "approve"):
        self.url = server.mcp_url
        self.trust = server.trust
        self.browser = ScriptedBrowser(
            person.email, person.password, decision=decision, trust=server.trust
        )
        self.visits = 0
        self.client: OAuthClientInformationFull | None = None
        self.token: OAuthToken | None = None
        self._came_back = ""

    async def get_tokens(self) -> OAuthToken | None:
        return self.token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def open_browser(self, url: str) -> None:
        self.visits += 1
        self._came_back = await asyncio.to_thread(self.browser.walk, url, callback=CALLBACK)

    async def take_answer(self) -> AuthorizationCodeResult:
        given = parse_qs(urlsplit(self._came_back).query)
        code, state, iss = (given.get(name, [""])[0] for name in ("code", "state", "iss"))
        return AuthorizationCodeResult(code=code, state=state, iss=iss)

    @asynccontextmanager
    async def connected(self, mode: str) -> AsyncIterator[Client]:
        auth = OAuthClientProvider(
            self.url,
            OAuthClientMetadata(client_name="Python test client", redirect_uris=[CALLBACK]),
            self,
            self.open_browser,
            self.take_answer,
        )
        async with (
            httpx2.AsyncClient(
                auth=auth, timeout=30, trust_env=False, verify=self.trust or True
            ) as http,
            Client(streamable_http_client(self.url, http_client=http), mode=mode) as client,
        ):
            yield client


async def whoami(client: Client) -> str:
    result = await client.call_tool("whoami", {})
    assert not result.is_error, result
    return result.structured_content["display"]


@every_mode
async def test_one_sign_in_opens_the_tools_to_the_right_person(
    server: LiveServer, mode: str
) -> None:
    application = Application(server, BOB)
    async with application.connected(mode) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {
            "whoami",
            "add",
            "count_slowly",
        }
        assert await whoami(client) == BOB.email
    async with application.connected(mode) as client:
        assert await whoami(client) == BOB.email
    assert application.visits == 1


@every_mode
async def test_progress_of_a_slow_tool_arrives_through_the_guard(
    server: LiveServer, mode: str
) -> None:
    seen: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append(done)

    async with Application(server).connected(mode) as client:
        result = await client.call_tool("count_slowly", {"steps": 3}, progress_callback=progress)
    assert result.structured_content["counted"] == 3
    assert seen == [1, 2, 3]


@every_mode
async def test_an_ended_access_token_is_refreshed_without_the_person(
    hasty: LiveServer, mode: str
) -> None:
    application = Application(hasty)
    async with application.connected(mode) as client:
        await whoami(client)
        first = application.token
        await asyncio.sleep(2.2)
        assert await whoami(client) == ALICE.email
    assert application.visits == 1
    assert first is not None
    assert application.token is not None
    assert application.token.refresh_token != first.refresh_token


async def test_an_ended_grant_leads_back_to_the_person(server: LiveServer, hands: Hands) -> None:
    application = Application(server)
    async with application.connected("auto") as client:
        await whoami(client)
        assert application.token is not None
        assert application.client is not None
        # It names no authentication method, so it was given a secret (RFC 7591's default).
        headers = basic(application.client.client_id, application.client.client_secret or "")
        gone = {"token": application.token.refresh_token or ""}
        answer = hands.http.post("/oauth/revoke", data=gone, headers=headers)
        assert answer.status_code == 200, answer.text
        assert hands.knock(application.token.access_token).status_code == 401

        assert await whoami(client) == ALICE.email
    assert application.visits == 2


async def test_a_person_who_denies_ends_the_flow(server: LiveServer) -> None:
    application = Application(server, decision="deny")
    with pytest.RaisesGroup(OAuthFlowError, flatten_subgroups=True, allow_unwrapped=True):
        async with application.connected("auto"):
            pass
    assert application.token is None


@every_mode
async def test_wherever_the_server_is_it_is_found(elsewhere: LiveServer, mode: str) -> None:
    async with Application(elsewhere).connected(mode) as client:
        assert await whoami(client) == ALICE.email
