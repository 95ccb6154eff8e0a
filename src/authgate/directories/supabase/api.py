"""The dozen calls to Supabase Auth's REST API, each made from nothing and bounded.

A call answers `Said` (the server understood; statuses below 500) or `Silent` (no usable answer,
after one short retry where repeating does no harm). What a status or code means to us is
`errors`' business. Never here: state of any kind about a person. The official Python
client is one person's session and would mix people up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from authgate.directories.supabase.policy import SupabasePolicy, key_headers
from authgate.fetch import Answer, Call, Fetch, FetchFailed, Kind
from authgate.observe import log

API_VERSION = {"X-Supabase-Api-Version": "2024-01-01"}  # errors then have a `code` that is a string

FIRST_TRY = 6.0
WHOLE = 10.0  # seconds for both tries together: what a person will wait for
PAUSE = 0.2  # before the second; enough for a connection that a load balancer has just dropped


@dataclass(frozen=True, slots=True)
class Said:
    """An answer that a server meant. `body` is empty where it was no JSON object."""

    status: int
    code: str | None
    body: Mapping[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Did the call do what it was made for?"""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Silent:
    """No usable answer: a fault between us and it, or its own."""


Reply = Said | Silent


@dataclass(frozen=True, slots=True)
class _Ask:
    """A call by its name in the log. `twice`: may it be made again after its answer got lost?"""

    name: str
    call: Call
    twice: bool


class SupabaseApi:
    """Stateless but for the connections of `fetch`."""

    def __init__(
        self,
        fetch: Fetch,
        policy: SupabasePolicy,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._fetch = fetch
        self._policy = policy
        self._sleep = sleep

    async def password_grant(self, email: str, password: str, address: str) -> Reply:
        """A session for a right password. Asking twice makes two sessions at worst."""
        json = {"email": email, "password": password}
        return await self._post("/token?grant_type=password", address, json, twice=True)

    async def pkce_grant(self, code: str, verifier: str, address: str) -> Reply:
        """A session for the code of a social sign-in, once."""
        json = {"auth_code": code, "code_verifier": verifier}
        return await self._post("/token?grant_type=pkce", address, json)

    async def refresh_grant(self, token: str) -> Reply:
        """The same session with new tokens. Asking twice gives the same one (the parent rule).

        Supabase answers the parent of its newest refresh token with that newest one, and ends the
        session for anything older: so one token is asked with by one holder, over and over if need
        be, until the answer is kept.
        """
        json = {"refresh_token": token}
        return await self._post("/token?grant_type=refresh_token", None, json, twice=True)

    async def challenge(self, bearer: str, factor: str, address: str, *, sends: bool) -> Reply:
        """Open a factor's challenge; with `sends`, a message goes out to a phone."""
        path = f"/factors/{quote(factor, safe='')}/challenge"
        return await self._post(path, address, {}, bearer=bearer, twice=not sends)

    async def verify(
        self, bearer: str, factor: str, challenge: str, answer: str, address: str
    ) -> Reply:
        """An aal2 session for a right code, once."""
        path = f"/factors/{quote(factor, safe='')}/verify"
        json = {"challenge_id": challenge, "code": answer}
        return await self._post(path, address, json, bearer=bearer)

    async def logout(self, bearer: str) -> Reply:
        """End this one session. Without the scope, all of the person's sessions would end."""
        return await self._post("/logout?scope=local", None, None, bearer=bearer, twice=True)

    async def user(self, bearer: str) -> Reply:
        """Who an access token belongs to, asked live."""
        headers = key_headers(self._policy.publishable_key) | {"Authorization": f"Bearer {bearer}"}
        return await self._get("/user", headers)

    async def admin_user(self, sub: str) -> Reply:
        """The present word on a person; needs the secret key."""
        headers = key_headers(self._policy.secret_key or "")
        return await self._get(f"/admin/users/{quote(sub, safe='')}", headers)

    async def admin_users(self, text: str, page: int, size: int) -> Reply:
        """A page of the people in whose address, or in whose own words, `text` is to be found: a
        pattern to their database, so that what came has to be compared. Needs the secret key."""
        headers = key_headers(self._policy.secret_key or "")
        query = urlencode({"filter": text, "page": page, "per_page": size})
        return await self._get(f"/admin/users?{query}", headers)

    async def public(self, path: str) -> Reply:
        """`/settings`, `/health` or `/.well-known/jwks.json`."""
        return await self._get(path, key_headers(self._policy.publishable_key))

    async def _post(
        self,
        path: str,
        address: str | None,
        json: object,
        *,
        bearer: str | None = None,
        twice: bool = False,
    ) -> Reply:
        headers = self._policy.visitor_headers(address)
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        return await self._ask("POST", path, headers, json, twice=twice)

    async def _get(self, path: str, headers: dict[str, str]) -> Reply:
        return await self._ask("GET", path, headers, None, twice=True)

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], json: object, *, twice: bool
    ) -> Reply:
        url = self._policy.auth_url.rstrip("/") + path
        call = Call(method, url, headers | API_VERSION, json, FIRST_TRY)
        # For the log: the path without the ids in it, or an address that somebody is looked for by.
        plain = path.partition("?filter=")[0]
        name = "/".join(part for part in plain.split("/") if "-" not in part or "." in part)
        return await self._tried(_Ask(f"{method} {name}", call, twice))

    async def _tried(self, ask: _Ask) -> Reply:
        began = time.monotonic()
        reply, again = await self._once(ask)
        if not again:
            return reply
        await self._sleep(PAUSE)
        left = max(1.0, WHOLE - (time.monotonic() - began))
        second = replace(ask, call=replace(ask.call, total=min(FIRST_TRY, left)))
        reply, _ = await self._once(second)
        return reply

    async def _once(self, ask: _Ask) -> tuple[Reply, bool]:
        """The reply, and whether asking again is worth it and does no harm."""
        try:
            answer = await self._fetch.json(ask.call)
        except FetchFailed as failed:
            if failed.kind is Kind.NOT_JSON and 400 <= (failed.status or 0) < 500:
                # Gateways answer in HTML too, and the status alone says what to do.
                return Said(failed.status or 0, None, {}), False
            kind, status, cause = failed.kind.value, failed.status, failed.cause
            log.warning("supabase.unanswered", call=ask.name, kind=kind, status=status, cause=cause)
            return Silent(), ask.twice or not failed.sent
        if answer.status >= 500:
            log.warning("supabase.unanswered", call=ask.name, kind="status", status=answer.status)
            return Silent(), ask.twice
        body = answer.body if isinstance(answer.body, dict) else {}
        return Said(answer.status, _code(answer, body), body), False


def _code(answer: Answer, body: Mapping[str, Any]) -> str | None:
    """The error's code in whichever of its shapes; the text beside it is never looked at."""
    if 200 <= answer.status < 300:
        return None
    header = answer.headers.get("x-sb-error-code")
    for found in (body.get("code"), body.get("error_code"), header, body.get("error")):
        if isinstance(found, str) and found:
            return found
    return None
