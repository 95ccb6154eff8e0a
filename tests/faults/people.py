"""A person in a browser and a person at a tool, for what traffic does not do: signing in."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.clients.by_hand import verifier_and_challenge
from tests.endpoints.gate import hidden
from tests.faults.traffic import CALLBACK
from tests.live import ALICE, LiveServer, Person


class Visitor:
    """One browser at one server; it follows no redirect by itself."""

    def __init__(self, server: LiveServer, person: Person = ALICE, **options: Any) -> None:
        self.person = person
        self.http = httpx2.AsyncClient(
            base_url=server.url, timeout=30, trust_env=False, verify=False, **options
        )

    async def register(self) -> httpx2.Response:
        """Register a client."""
        document = {
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        return await self.http.post("/oauth/register", json=document)

    async def begin(self, client_id: str) -> httpx2.Response:
        """Open an authorization request, as an application makes a browser do."""
        return await self.http.get(
            "/oauth/authorize",
            params=question(client_id),
            headers={"sec-fetch-site": "none", "accept": "text/html"},
        )

    async def sign_in_page(self, client_id: str) -> httpx2.Response:
        begun = await self.begin(client_id)
        assert begun.status_code == 303, begun.text
        return await self.http.get(begun.headers["location"])

    async def sign_in(self, page: httpx2.Response) -> httpx2.Response:
        """Type e-mail address and password into the page."""
        form = hidden(page.text, "/oauth/sign-in")
        typed = {"username": self.person.email, "password": self.person.password}
        return await self.http.post("/oauth/sign-in", data={**form, **typed})

    async def tool(self, method: str, **params: Any) -> httpx2.Response:
        """Call one of the four tools by their plain face."""
        return await self.http.post("/api/mcp", json={"method": method, "params": params})

    async def challenge(self, client_id: str) -> str:
        """An open challenge of the tools."""
        asked = question(client_id)
        del asked["response_type"]
        opened = await self.tool("oauth_authorize", **asked)
        assert opened.status_code == 200, opened.text
        return str(opened.json()["result"]["challenge_id"])

    async def authenticate(self, challenge: str) -> httpx2.Response:
        """Answer a challenge with the password."""
        return await self.tool(
            "oauth_authenticate",
            challenge_id=challenge,
            username=self.person.email,
            password=self.person.password,
        )

    async def close(self) -> None:
        await self.http.aclose()


def question(client_id: str) -> dict[str, str]:
    """A faultless authorization request."""
    return {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "code_challenge": verifier_and_challenge()[1],
        "code_challenge_method": "S256",
        "state": "a-state",
    }


def told_to_come_back(answer: httpx2.Response, *, page: bool = False) -> bool:
    """Is it a 503 that says when, in words for people or in the code for programs?"""
    said = "text/html" in answer.headers["content-type"] if page else _code(answer)
    after = answer.headers.get("retry-after", "")
    return answer.status_code == 503 and after.isdecimal() and int(after) >= 1 and bool(said)


def _code(answer: httpx2.Response) -> bool:
    return "temporarily_unavailable" in answer.text and "sqlite" not in answer.text.lower()
