"""A whole authgate with a WorkOS environment behind it: the stand-in over real HTTP.

Its people sign in there; with a Supabase project beside it they are to be that project's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.endpoints.gate import Gate, Pkce, answer_of, hidden
from tests.endpoints.project import opened_project
from tests.standins.supabase import SupabaseStandin
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_state import User

OCTO = Person("1001", "octo@example.com", first_name="Octo")
EXCHANGE = "/user_management/authenticate"
GINA = Person("2002", "gina@example.com", provider="GoogleOAuth", first_name="Gina")


class Environment:
    """`gate` is ours, `standin` WorkOS's; `project` is there where the people are Supabase's."""

    def __init__(
        self, gate: Gate, standin: WorkOSStandIn, project: SupabaseStandin | None = None
    ) -> None:
        self.gate = gate
        self.standin = standin
        self._project = project
        self.path = urlsplit(gate.url).path

    @property
    def project(self) -> SupabaseStandin:
        assert self._project is not None
        return self._project

    @property
    def callback(self) -> str:
        return self.gate.url + "/oauth/callback"

    def user(self, email: str = OCTO.email) -> User:
        found = self.standin.user_by_email(email)
        assert found is not None
        return found

    async def register(self) -> dict[str, Any]:
        async with self.gate.http() as http:
            document = {
                "redirect_uris": ["http://localhost:3000/oauth/callback"],
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
            }
            answer = await http.post(self.path + "/oauth/register", json=document)
        found: dict[str, Any] = answer.json()
        return found

    # --- a browser ------------------------------------------------------------------------------

    async def sign_in_page(
        self, http: httpx2.AsyncClient, client: dict[str, Any], pkce: Pkce
    ) -> httpx2.Response:
        asked = self.gate.question(client, pkce)
        begun = await http.get(
            self.path + "/oauth/authorize", params=asked, headers={"sec-fetch-site": "none"}
        )
        assert begun.status_code == 303, begun.text
        return await http.get(begun.headers["location"])

    async def there_and_back(
        self, http: httpx2.AsyncClient, page: httpx2.Response, name: str, pick: str = "Octo"
    ) -> httpx2.Response:
        """From a page of ours by its button to WorkOS, and what our callback answers."""
        return await self.returned(http, await self.away(http, link_to(page.text, name), pick))

    async def away(self, http: httpx2.AsyncClient, start: str, pick: str = "Octo") -> str:
        """Our callback's URL as WorkOS redirects there, after a click on that name."""
        sent = await http.get(start)
        assert sent.status_code == 303, sent.text
        async with Browser() as browser:
            await browser.open(sent.headers["location"], until=self.callback)
            await browser.pick(pick)
            assert browser.url.startswith(self.callback), browser.url
            return browser.url

    async def returned(self, http: httpx2.AsyncClient, back: str) -> httpx2.Response:
        return await http.get(back, headers={"sec-fetch-site": "cross-site"})

    async def consent(self, http: httpx2.AsyncClient, page: httpx2.Response) -> str:
        """The code that the client gets."""
        fields = hidden(page.text, self.path + "/oauth/consent")
        answer = await http.post(
            self.path + "/oauth/consent", data={**fields, "decision": "approve"}
        )
        return answer_of(answer.headers["location"])["code"]

    async def exchange(self, client: dict[str, Any], code: str, pkce: Pkce) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "client_id": client["client_id"],
            "code": code,
            "code_verifier": pkce.verifier,
        }
        return await self._token(form)

    async def refresh(self, client: dict[str, Any], tokens: dict[str, Any]) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "client_id": client["client_id"]}
        return await self._token({**form, "refresh_token": tokens["refresh_token"]})

    async def _token(self, form: dict[str, str]) -> dict[str, Any]:
        async with self.gate.http() as http:
            answer = await http.post(self.path + "/oauth/token", data=form)
        found: dict[str, Any] = answer.json()
        return found

    async def tokens(
        self, client: dict[str, Any], name: str = "GitHub", pick: str = "Octo"
    ) -> dict[str, Any]:
        """The whole way through the pages."""
        pkce = Pkce()
        async with self.gate.http() as http:
            page = await self.sign_in_page(http, client, pkce)
            back = await self.there_and_back(http, page, name, pick)
            assert back.status_code == 303, back.text
            code = await self.consent(http, await http.get(back.headers["location"]))
        return await self.exchange(client, code, pkce)

    # --- the tools ------------------------------------------------------------------------------

    async def tool(self, name: str, **params: Any) -> dict[str, Any]:
        async with self.gate.http() as http:
            call = {"method": name, "params": params}
            answer = await http.post(self.path + "/api/mcp", json=call)
        found: dict[str, Any] = answer.json()
        return found

    async def challenge(self, client: dict[str, Any], pkce: Pkce) -> dict[str, Any]:
        asked = self.gate.question(client, pkce, response_type=None)
        found: dict[str, Any] = (await self.tool("oauth_authorize", **asked))["result"]
        return found

    async def hand_over(self, http: httpx2.AsyncClient, back: httpx2.Response) -> str:
        """The one-time code that our page shows after consent."""
        assert back.status_code == 303, back.text
        page = await http.get(back.headers["location"])
        action = self.path + "/oauth/hand-over"
        fields = {**hidden(page.text, action), "decision": "approve"}
        shown = await http.post(action, data=fields)
        (code,) = re.findall(r">([0-9a-f]{32})<", shown.text)
        return str(code)


def link_to(page: str, name: str) -> str:
    """Where the button with this name leads."""
    found = re.findall(r'href="([^"]+)">Continue with ([^<]+)<', page)
    links = {text: href for href, text in found}
    assert name in links, page
    return unescape(links[name])


@asynccontextmanager
async def opened_environment(
    open_gate: Any, *people: Person, **environment: str
) -> AsyncIterator[Environment]:
    """WorkOS alone: the people who come through it are its own."""
    async with _standin(people, environment) as standin:
        gate = await open_gate(**settings_of(standin) | environment)
        await _looked_at(gate, standin)
        yield Environment(gate, standin)


@asynccontextmanager
async def opened_with_project(
    open_gate: Any, *people: Person, **environment: str
) -> AsyncIterator[Environment]:
    """WorkOS for GitHub and Google, Supabase for the people."""
    async with _standin(people, environment) as standin:
        settings = settings_of(standin) | environment
        async with opened_project(open_gate, **settings) as project:
            await _looked_at(project.gate, standin)
            yield Environment(project.gate, standin, project.standin)


def settings_of(standin: WorkOSStandIn) -> dict[str, str]:
    return {
        "WORKOS_API_KEY": standin.api_key,
        "WORKOS_CLIENT_ID": standin.client_id,
        "WORKOS_API_URL": standin.api_url,
        "AUTHGATE_WORKOS_PROVIDERS": "github google authkit",
    }


def _standin(people: tuple[Person, ...], environment: dict[str, str]) -> WorkOSStandIn:
    public = environment.get("AUTHGATE_PUBLIC_URL", "http://localhost:8000")
    return WorkOSStandIn(
        redirect_uris=[public + "/oauth/callback"], people=list(people or (OCTO, GINA))
    )


async def _looked_at(gate: Gate, standin: WorkOSStandIn) -> None:
    """Let the look after the start pass: it asks for a code's worth too, and takes faults."""
    for _ in range(1000):
        if gate.settings.workos_api_url != standin.api_url or standin.called(EXCHANGE):
            break
        await asyncio.sleep(0.01)
    standin.calls.clear()
