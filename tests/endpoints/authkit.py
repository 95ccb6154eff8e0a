"""A whole authgate that AuthKit issues for, with AuthKit beside it, and a person's browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2

from authgate.directories.people import add_person
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import EMAIL, PASSWORD, Gate, Pkce, answer_of, hidden
from tests.standins.workos import WorkOSStandIn
from tests.standins.workos_state import User

BOB = "bob@example.com"
CALLBACK = "http://127.0.0.1:9/callback"
ALICE = EMAIL
MOST_HOPS = 12

__all__ = ["ALICE", "BOB", "AuthKitHouse", "Walker", "authkit_house"]


@dataclass
class AuthKitHouse:
    """Both ends of Standalone Connect. Alice and Bob are people of the embedded directory."""

    gate: Gate
    workos: WorkOSStandIn
    subs: dict[str, str]
    client_id: str = ""

    @property
    def resource(self) -> str:
        return f"{self.gate.url}/mcp"

    def told(self) -> list[str]:
        """Whom AuthKit was told of and took, in order: their addresses."""
        users, flows = self.workos.state.users, self.workos.state.flows.values()
        return [users[one.user_id].email for one in flows if one.completed and one.user_id]

    def user(self, email: str) -> User:
        found = self.workos.user_by_email(email)
        assert found is not None
        return found

    def browser(self) -> Walker:
        return Walker(self)

    async def whoami(self, token: str) -> str:
        """Who calls with this token, as the guarded server itself is told."""
        call = {"name": "whoami", "arguments": {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        headers = {
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {token}",
            "mcp-protocol-version": "2025-11-25",
        }
        async with self.gate.http() as http:
            answer = await http.post("/mcp", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        (sub,) = [sub for sub in self.subs.values() if sub in answer.text]
        return next(email for email, known in self.subs.items() if known == sub)


class Walker:
    """One browser at both origins: cookies, redirects, and forms filled from the page."""

    def __init__(self, house: AuthKitHouse) -> None:
        self.house = house
        ours = httpx2.ASGITransport(app=house.gate.app, client=("127.0.0.1", 50000))
        self.http = httpx2.AsyncClient(mounts={house.gate.url: ours}, timeout=20)
        self.url, self.status, self.text = "", 0, ""
        self.pkce = Pkce()
        self.seen: list[str] = []

    async def __aenter__(self) -> Walker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.text, re.DOTALL)
        return unescape(found[1]).strip() if found else ""

    async def connect(self) -> Walker:
        """An application opens AuthKit; stops at a page, or before the application's own."""
        self.pkce = Pkce()
        query = {
            "client_id": self.house.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid profile email offline_access",
            "state": "a state",
            "code_challenge": self.pkce.challenge,
            "code_challenge_method": "S256",
            "resource": self.house.resource,
        }
        self.seen = []
        return await self.open(
            f"{self.house.workos.authkit_url}/oauth2/authorize?{urlencode(query)}"
        )

    async def open(self, url: str) -> Walker:
        return await self._travel("GET", url, None)

    async def follow(self, text: str) -> Walker:
        """Press the link of the present page that says so."""
        links = re.findall(r'<a[^>]*href="([^"]+)"[^>]*>([^<]+)<', self.text)
        (href,) = [href for href, said in links if text in said]
        return await self.open(urljoin(self.url, unescape(href)))

    async def submit(self, action: str, **fields: str) -> Walker:
        """Post the form of the present page that goes to `action`."""
        form = {**hidden(self.text, action), **fields}
        return await self._travel("POST", urljoin(self.url, action), form)

    async def sign_in(self, email: str) -> Walker:
        return await self.submit("/oauth/sign-in", username=email, password=PASSWORD)

    async def allow(self) -> Walker:
        return await self.submit("/oauth2/authorize/consent", decision="approve")

    async def token(self) -> dict[str, Any]:
        """What the application gets for the code that the browser brought."""
        assert self.url.startswith(CALLBACK), (self.url, self.text)
        form = {
            "grant_type": "authorization_code",
            "client_id": self.house.client_id,
            "code": answer_of(self.url)["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": self.pkce.verifier,
        }
        answer = await self.http.post(f"{self.house.workos.authkit_url}/oauth2/token", data=form)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def _travel(self, method: str, url: str, form: dict[str, str] | None) -> Walker:
        for _ in range(MOST_HOPS):
            self.url = url
            if url.startswith(CALLBACK):
                return self
            self.seen.append(f"{method} {urlsplit(url).path}")
            answer = await self.http.request(
                method, url, data=form, headers={"sec-fetch-site": "cross-site"} if not form else {}
            )
            self.status, self.text = answer.status_code, answer.text
            location = answer.headers.get("location")
            if location is None:
                return self
            method, form, url = "GET", None, urljoin(url, location)
        raise AssertionError(f"more than {MOST_HOPS} redirects, last to {url}")


@asynccontextmanager
async def authkit_house(
    open_gate: OpenGate, environment: dict[str, str] | None = None, **knobs: Any
) -> AsyncIterator[AuthKitHouse]:
    """Both, talking to each other. The gate is the stand-in's Login URI."""
    url = "http://localhost:8000"
    async with WorkOSStandIn(
        login_uri=f"{url}/oauth/login", resources=[f"{url}/mcp"], **knobs
    ) as workos:
        gate = await open_gate(
            AUTHGATE_ISSUER="authkit",
            WORKOS_AUTHKIT_DOMAIN=workos.authkit_url,
            WORKOS_API_KEY=workos.api_key,
            WORKOS_API_URL=workos.api_url,
            **(environment or {}),
        )
        core = gate.core
        await add_person(core.store, core.passwords, BOB, PASSWORD, 0)
        subs = {}
        for email in (ALICE, BOB):
            account = await core.store.account_by_email(email)
            assert account is not None
            subs[email] = account.sub
        made = workos.add_application("Test Client", [CALLBACK])
        yield AuthKitHouse(gate, workos, subs, made.client_id)
        await gate.app.stop()  # its last words to WorkOS are said while somebody listens
