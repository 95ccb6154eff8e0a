"""A whole authgate with a Supabase project behind it: the stand-in over real HTTP.

People sign in on the pages, by their own browsers, or through the tools' plain face.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.endpoints.gate import Gate, Pkce, answer_of, hidden
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options, User

ANA, PASSWORD = "ana@example.com", "a long enough password"


class Project:
    """`gate` is ours, `standin` theirs; Ana is in it."""

    def __init__(self, gate: Gate, standin: SupabaseStandin) -> None:
        self.gate = gate
        self.standin = standin
        self.ana: User = standin.state.add_user(ANA, PASSWORD)

    async def sign_in_page(
        self, http: httpx2.AsyncClient, client: dict[str, Any], pkce: Pkce
    ) -> Any:
        """The sign-in page of a fresh request in this browser."""
        asked = self.gate.question(client, pkce)
        begun = await http.get("/oauth/authorize", params=asked, headers={"sec-fetch-site": "none"})
        assert begun.status_code == 303, begun.text
        return await http.get(begun.headers["location"])

    async def type_in(
        self,
        http: httpx2.AsyncClient,
        page: httpx2.Response,
        email: str = ANA,
        password: str = PASSWORD,
        **headers: str,
    ) -> httpx2.Response:
        form = {**hidden(page.text, "/oauth/sign-in"), "username": email, "password": password}
        return await http.post("/oauth/sign-in", data=form, headers=headers)

    async def try_page(self, email: str = ANA, password: str = PASSWORD) -> httpx2.Response:
        """One sign-in on the pages, in a browser of its own."""
        client = await self.gate.register()
        async with self.gate.http() as http:
            page = await self.sign_in_page(http, client, Pkce())
            return await self.type_in(http, page, email, password)

    async def tokens(
        self, client: dict[str, Any], email: str = ANA, password: str = PASSWORD
    ) -> dict[str, Any]:
        """The whole way through the pages."""
        pkce = Pkce()
        async with self.gate.http() as http:
            page = await self.sign_in_page(http, client, pkce)
            answer = await self.type_in(http, page, email, password)
            assert answer.status_code == 303, answer.text
            page = await http.get(answer.headers["location"])
            form = {**hidden(page.text, "/oauth/consent"), "decision": "approve"}
            answer = await http.post("/oauth/consent", data=form)
        code = answer_of(answer.headers["location"])["code"]
        bought = await self.gate.exchange(client, code, pkce)
        assert bought.status_code == 200, bought.text
        return bought.json()

    async def tool(self, name: str, **params: Any) -> httpx2.Response:
        async with self.gate.http() as http:
            return await http.post("/api/mcp", json={"method": name, "params": params})

    async def try_tool(self, email: str = ANA, password: str = PASSWORD) -> httpx2.Response:
        """One sign-in through the tools."""
        client, pkce = await self.gate.register(), Pkce()
        asked = self.gate.question(client, pkce, response_type=None)
        opened = (await self.tool("oauth_authorize", **asked)).json()["result"]
        return await self.tool(
            "oauth_authenticate",
            challenge_id=opened["challenge_id"],
            username=email,
            password=password,
        )


@asynccontextmanager
async def opened_project(
    open_gate: Any, options: Options | None = None, **environment: str
) -> AsyncIterator[Project]:
    """`environment` is added to the project's settings, and its keys may be named by role."""
    async with SupabaseStandin(options or quick()) as standin:
        settings = {
            "SUPABASE_URL": standin.url,
            "SUPABASE_PUBLISHABLE_KEY": standin.gate.publishable,
            "SUPABASE_SECRET_KEY": standin.gate.secret,
            **environment,
        }
        yield Project(await open_gate(**settings), standin)


def quick(**options: Any) -> Options:
    """A project that judges at once and knows no limit."""
    return Options(**{"known_takes": 0, "unknown_takes": 0, "rate_limited": False, **options})


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found
