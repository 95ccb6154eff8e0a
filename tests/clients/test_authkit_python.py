"""The official Python client where AuthKit issues the tokens: the whole of Standalone Connect.

AuthKit is a stand-in; the client, the person's browser and authgate (a process of its own) are not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.clients.authkit import DOCUMENT, AuthKitServer, authkit_server
from tests.clients.by_hand import Hands
from tests.live import ALICE, BOB, Person
from tests.scripted_browser import ScriptedBrowser
from tests.standins.running import running
from tests.standins.supabase_state import Options

CALLBACK = "http://127.0.0.1:43210/callback"
LIFE = 300  # seconds of AuthKit's access tokens

every_mode = pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])


class Application:
    """A program around the SDK; its person sits at a browser of their own."""

    def __init__(
        self,
        server: AuthKitServer,
        browser: ScriptedBrowser | None = None,
        document: str | None = None,
    ) -> None:
        self.server = server
        self.browser = browser or browser_of(ALICE)
        self.visits = 0
        self.client: OAuthClientInformationFull | None = None
        self.token: OAuthToken | None = None
        self.came_back = ""
        self.auth = OAuthClientProvider(
            server.mcp_url,
            OAuthClientMetadata(client_name="Python test client", redirect_uris=[CALLBACK]),
            self,
            self.open_browser,
            self.take_answer,
            client_metadata_url=document,
        )

    async def get_tokens(self) -> OAuthToken | None:
        return self.token

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.token = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def open_browser(self, url: str) -> None:
        # Not in a thread, as the stand-in lives on one of its own and authgate in its process.
        assert url.startswith(self.server.workos.authkit_url + "/oauth2/authorize?")
        self.visits += 1
        self.came_back = self.browser.walk(url, callback=CALLBACK)

    async def take_answer(self) -> AuthorizationCodeResult:
        given = parse_qs(urlsplit(self.came_back).query)
        # AuthKit sends no `iss`, and its metadata says so (RFC 9207).
        return AuthorizationCodeResult(code=given.get("code", [""])[0], state=given["state"][0])

    def later(self, seconds: float) -> None:
        """Time passes: at AuthKit, at authgate, and here."""
        self.server.later(seconds)
        assert self.auth.context.token_expiry_time is not None
        self.auth.context.token_expiry_time -= seconds

    @asynccontextmanager
    async def connected(self, mode: str = "auto") -> AsyncIterator[Client]:
        url = self.server.mcp_url
        async with (
            httpx2.AsyncClient(auth=self.auth, timeout=30, trust_env=False) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode) as client,
        ):
            yield client


def browser_of(person: Person) -> ScriptedBrowser:
    return ScriptedBrowser(person.email, person.password)


async def whoami(client: Client) -> str:
    result = await client.call_tool("whoami", {})
    assert not result.is_error, result
    return result.structured_content["display"]


@every_mode
async def test_from_the_first_401_to_the_refreshed_call(authkit: AuthKitServer, mode: str) -> None:
    """Sign-in here, consent there, 300 seconds, and on without the person."""
    application = Application(authkit, browser_of(BOB))
    before = len(authkit.told())
    async with application.connected(mode) as client:
        assert await whoami(client) == BOB.email
        first = application.token
        application.later(LIFE + 11)
        assert await whoami(client) == BOB.email
    second = application.token
    assert first is not None
    assert second is not None
    assert second.access_token != first.access_token
    assert second.refresh_token not in (None, first.refresh_token)
    assert application.visits == 1
    assert authkit.told()[before:] == [BOB.email]
    with Hands(authkit) as hands:
        assert "has expired" in hands.knock(first.access_token).headers["www-authenticate"]


@pytest.mark.parametrize("client_id_claim", [True, False], ids=["client_id", "no-client_id"])
@pytest.mark.parametrize("sub_mode", ["external", "user"])
async def test_whatever_the_token_calls_the_person_it_is_this_one(
    authkit: AuthKitServer, sub_mode: str, client_id_claim: bool
) -> None:
    authkit.workos.sub_mode, authkit.workos.client_id_claim = sub_mode, client_id_claim
    for person in (ALICE, BOB):
        async with Application(authkit, browser_of(person)).connected() as client:
            assert await whoami(client) == person.email


async def test_a_client_that_is_a_document_registers_nowhere(authkit: AuthKitServer) -> None:
    authkit.workos.documents[DOCUMENT] = {
        "client_id": DOCUMENT,
        "client_name": "Python test client",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    }
    registered = len(authkit.workos.called("POST /oauth2/register"))
    application = Application(authkit, document=DOCUMENT)
    async with application.connected() as client:
        assert await whoami(client) == ALICE.email
        application.later(LIFE + 11)
        assert await whoami(client) == ALICE.email
    assert application.client is not None
    assert (application.client.client_id, application.visits) == (DOCUMENT, 1)
    assert len(authkit.workos.called("POST /oauth2/register")) == registered


async def test_a_person_who_denies_at_authkit_ends_the_flow(authkit: AuthKitServer) -> None:
    browser = ScriptedBrowser(ALICE.email, ALICE.password, decision="deny")
    application = Application(authkit, browser)
    with pytest.RaisesGroup(OAuthFlowError, flatten_subgroups=True, allow_unwrapped=True):
        async with application.connected():
            pass
    assert application.token is None


async def test_a_token_for_the_client_id_opens_nothing_and_the_refusal_says_why(
    authkit: AuthKitServer,
) -> None:
    """AuthKit's way where the resource is not registered: the mistake that is made most."""
    authkit.workos.resources = []
    application = Application(authkit)
    with pytest.RaisesGroup(MCPError, flatten_subgroups=True, allow_unwrapped=True):
        async with application.connected("legacy"):
            pass
    assert application.visits == 1  # and no circle of sign-ins
    assert application.token is not None
    with Hands(authkit) as hands:
        answer = hands.knock(application.token.access_token)
    assert answer.status_code == 401
    said = answer.json()
    came, expected = authkit.workos.client_id, authkit.mcp_url
    assert said["error_description"] == (
        f"The access token was issued for {came}; this server is {expected}."
    )
    assert "register exactly that as a resource indicator" in said["hint"]
    assert came in answer.headers["www-authenticate"]


async def test_an_unlisted_resource_that_authkit_minds_ends_the_flow_in_its_words(
    authkit: AuthKitServer,
) -> None:
    """The other thing that AuthKit may do with one; which it does is documented nowhere."""
    authkit.workos.resources, authkit.workos.resource_mode = [], "strict"
    application = Application(authkit)
    with pytest.RaisesGroup(OAuthFlowError, flatten_subgroups=True, allow_unwrapped=True):
        async with application.connected():
            pass
    assert "error=invalid_target" in application.came_back
    assert application.token is None


async def test_what_is_withdrawn_at_authkit_alone_ends_with_its_tokens(
    authkit: AuthKitServer,
) -> None:
    """We are not told of it; its tokens go on until they end, and then the person is asked."""
    application = Application(authkit)
    async with application.connected() as client:
        assert await whoami(client) == ALICE.email
        for consent in authkit.workos.state.consents.values():
            consent.ended = True
        assert await whoami(client) == ALICE.email
        assert application.visits == 1

        application.later(LIFE + 11)
        assert await whoami(client) == ALICE.email
    assert application.visits == 2
    posted = [
        urlsplit(url).path for method, url, _ in application.browser.history if method == "POST"
    ]
    assert posted[-2:] == ["/oauth/login", "/oauth2/authorize/consent"]  # "Continue as ...?", there


async def test_whoever_is_shut_out_here_has_no_use_of_a_good_token(authkit: AuthKitServer) -> None:
    """AuthKit knows nothing of it and would renew the token; every call asks here."""
    application = Application(authkit, browser_of(BOB))
    async with application.connected() as client:
        assert await whoami(client) == BOB.email
    assert application.token is not None
    authkit.cli("people", "disable", BOB.email)
    try:
        with Hands(authkit) as hands:
            answer = hands.knock(application.token.access_token)
    finally:
        authkit.cli("people", "enable", BOB.email)
    assert answer.status_code == 401
    assert "has to sign in again" in answer.json()["error_description"]
    await asyncio.sleep(1.0 - time.time() % 1.0)  # no sign-in of the second of a disabling counts
    async with Application(authkit, browser_of(BOB)).connected() as client:
        assert await whoami(client) == BOB.email  # who may come back signs in, and is not barred


async def test_the_operator_may_take_tokens_for_the_client_id() -> None:
    with authkit_server((ALICE,), AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE="true") as authkit:
        authkit.workos.resources = []
        application = Application(authkit)
        async with application.connected() as client:
            assert await whoami(client) == ALICE.email
            application.later(LIFE + 11)
            assert await whoami(client) == ALICE.email
        assert application.visits == 1


async def test_somebody_of_supabase_with_a_second_factor_comes_through() -> None:
    with running(Options(algorithm="ES256")) as supabase:
        tess = supabase.state.add_user("tess@example.com", ALICE.password)
        factor = supabase.state.add_factor(tess)
        project = {
            "SUPABASE_URL": supabase.url,
            "SUPABASE_PUBLISHABLE_KEY": supabase.gate.publishable,
            "SUPABASE_SECRET_KEY": supabase.gate.secret,
        }
        with authkit_server((), **project) as authkit:
            browser = ScriptedBrowser(tess.email, ALICE.password, code=factor.code)
            application = Application(authkit, browser)
            async with application.connected() as client:
                assert await whoami(client) == tess.email
                application.later(LIFE + 11)
                assert await whoami(client) == tess.email
            asked = [urlsplit(url).path for method, url, _ in browser.history if method == "POST"]
            assert asked == ["/oauth/sign-in", "/oauth/factor", "/oauth2/authorize/consent"]
            user = authkit.workos.user_by_email(tess.email)
            assert user is not None
            assert user.external_id == tess.id  # their own id at Supabase, and nothing made up
