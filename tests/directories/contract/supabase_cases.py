"""The contract's cases of Supabase: the stand-in, and a real server where one is named.

The real one is given by AUTHGATE_TEST_SUPABASE_URL (with or without /auth/v1), …_PUBLISHABLE_KEY
and …_SECRET_KEY. People are made by the admin API, carry a mark, and are removed at the end;
what an interrupted run left is recognised by the mark. The server must not limit us: set up with
GOTRUE_RATE_LIMIT_HEADER=X-Forwarded-For it counts nobody who sends no such header.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from authgate.directories.contract import Directory
from authgate.directories.supabase.api import API_VERSION
from authgate.directories.supabase.directory import SupabaseDirectory, SupabasePolicy
from authgate.directories.supabase.policy import key_headers
from authgate.fetch import Answer, Call, Fetch, FetchFailed
from authgate.store.sqlite import SqliteStore
from tests.directories.supabase_house import CALLBACK, Clocks, quick
from tests.security.making import make_vault, opened_store
from tests.standins.supabase import SupabaseStandin

_NAMES = ("URL", "PUBLISHABLE_KEY", "SECRET_KEY")
MARK = {"authgate_test": True}
REAL = {name: os.environ.get(f"AUTHGATE_TEST_SUPABASE_{name}", "") for name in _NAMES}


class CountingFetch(Fetch):
    """Counts the passwords that Supabase was asked to judge."""

    def __init__(self) -> None:
        super().__init__()
        self.judged = 0

    async def json(self, call: Call) -> Answer:
        self.judged += "grant_type=password" in call.url
        return await super().json(call)


class SupabaseCase:
    """People come and go through the admin API, with the stand-in as with a real server."""

    def __init__(self, policy: SupabasePolicy, fetch: CountingFetch, store: SqliteStore) -> None:
        self._policy = policy
        self._fetch = fetch
        self._clocks = Clocks()
        self._subs: dict[str, str] = {}
        self._made: list[str] = []
        timing = self._clocks.timing()
        self.supabase = SupabaseDirectory(policy, fetch, make_vault(), store, timing)
        self.directory: Directory = self.supabase

    @property
    def judged(self) -> int:
        return self._fetch.judged

    async def add(self, email: str, password: str) -> str:
        body = {"email": email, "password": password, "email_confirm": True, "user_metadata": MARK}
        made = await self._admin("POST", "", body)
        if made.get("code") == "email_exists":
            await self._remove_left_over(email.lower())
            made = await self._admin("POST", "", body)
        assert "id" in made, f"{email} exists on that server and is not ours to remove"
        sub: str = made["id"]
        self._subs[email.lower()] = sub
        self._made.append(sub)
        return sub

    async def disable(self, email: str) -> None:
        await self._admin("PUT", f"/{self._subs[email]}", {"ban_duration": "24h"})
        self._clocks.forward(61)  # people are asked about once a minute

    async def remove(self, email: str) -> None:
        await self._admin("DELETE", f"/{self._subs[email]}", {})
        self._made.remove(self._subs[email])
        self._clocks.forward(61)

    async def remove_everybody(self) -> None:
        for sub in list(self._made):
            await self._admin("DELETE", f"/{sub}", {})

    async def _admin(self, method: str, path: str, body: object) -> dict[str, Any]:
        headers = key_headers(self._policy.secret_key or "") | API_VERSION
        url = f"{self._policy.auth_url}/admin/users{path}"
        answer = await self._fetch.json(Call(method, url, headers, body))
        assert answer.status < 300 or answer.status == 422, answer.status
        return answer.body if isinstance(answer.body, dict) else {}

    async def _remove_left_over(self, email: str) -> None:
        """Only somebody with our mark: the server may have people of its own."""
        found = (await self._admin("GET", f"?filter={quote(email)}", None))["users"]
        for user in found:
            if user["email"] == email and user["user_metadata"].get("authgate_test"):
                await self._admin("DELETE", f"/{user['id']}", {})


@asynccontextmanager
async def _case(
    policy: SupabasePolicy, fetch: CountingFetch, folder: Path
) -> AsyncIterator[SupabaseCase]:
    async with opened_store(folder) as store:
        case = SupabaseCase(policy, fetch, store)
        try:
            await case.supabase.report(CALLBACK)
            yield case
        finally:
            await case.remove_everybody()
            await case.supabase.close()
            await fetch.close()


@asynccontextmanager
async def supabase(folder: Path, **chosen: Any) -> AsyncIterator[SupabaseCase]:
    """Without the limit of thirty sign-ins at once, which has a test of its own."""
    options = quick(rate_limited=False, providers=("github",))
    async with SupabaseStandin(options) as standin:
        gate = standin.gate
        policy = SupabasePolicy(standin.auth_url, gate.publishable, gate.secret, **chosen)
        async with _case(policy, CountingFetch(), folder) as case:
            yield case


@asynccontextmanager
async def real_supabase(folder: Path, **chosen: Any) -> AsyncIterator[SupabaseCase]:
    """A server of somebody's own."""
    fetch = CountingFetch()
    try:
        root = await _root(fetch, REAL["URL"].rstrip("/"))
        policy = SupabasePolicy(root, REAL["PUBLISHABLE_KEY"], REAL["SECRET_KEY"], **chosen)
        async with _case(policy, fetch, folder) as case:
            yield case
    finally:
        await fetch.close()


async def _root(fetch: Fetch, url: str) -> str:
    """The root of Auth: the URL as it is, or under /auth/v1."""
    headers = key_headers(REAL["PUBLISHABLE_KEY"])
    for root in (url, url + "/auth/v1"):
        with contextlib.suppress(FetchFailed):  # what is not Auth may answer in HTML
            answer = await fetch.json(Call("GET", root + "/health", headers))
            if isinstance(answer.body, dict) and answer.body.get("name") == "GoTrue":
                return root
    raise AssertionError("no Supabase Auth at AUTHGATE_TEST_SUPABASE_URL")
