"""An application with what it was given: how it registers, redeems, refreshes and calls."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from bench.messages import CHALLENGE, VERIFIER
from soak.book import Book, Wanted
from soak.browser import CALLBACK
from soak.wire import Pool, Reply

SEEN_EVERYWHERE = 1.5
"""Seconds after which every node must have seen the end of a grant; it is one by promise."""
TOKENS = Wanted(200, b'"refresh_token":"')
REFUSED = Wanted(400, b"invalid_grant")
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
_META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered application; `secret` is None for a public one."""

    client_id: str
    secret: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        if self.secret is None:
            return dict(_FORM)
        both = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        return {**_FORM, "authorization": f"Basic {both}"}

    def form(self, **given: str) -> bytes:
        named = {"client_id": self.client_id} if self.secret is None else {}
        return urlencode({**named, **given}).encode()

    def question(self) -> str:
        """The address of an authorization request."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s",
        }
        return f"/oauth/authorize?{urlencode(asked)}"


@dataclass
class Connection:
    """What one code led to. Who holds it (`held`) must not find it ended under its hands."""

    book: Book = field(repr=False)
    pool: Pool = field(repr=False)
    client: Client
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    older: list[str] = field(default_factory=list, repr=False)
    code: str = field(default="", repr=False)
    held: int = 0
    refreshing: bool = False
    known: bool = False
    """Whether the access token has been used before."""

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Nobody ends it within the block."""
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    # --- tokens ------------------------------------------------------------------------------

    async def exchange(self, code: str) -> bool:
        """Redeem a code."""
        self.code = code
        reply = await self._token("code exchange", TOKENS, **self._redeem())
        if reply is None:
            return False
        self.book.made.update(grants=1, refresh_tokens=1)
        self._take(reply)
        return True

    async def rotate(self, *, repeated: bool) -> None:
        """Refresh; `repeated`: and again at once with the same token, as after a lost answer."""
        self.refreshing = True
        with self.in_use():
            spent = self.refresh
            reply = await self._token("refresh", TOKENS, **_refreshed(spent))
            if reply is not None:
                self.book.made["refresh_tokens"] += 1
                self.older.append(spent)
                self._take(reply)
                if repeated:
                    same = Wanted(200, f'"refresh_token":"{self.refresh}"'.encode())
                    await self._token("refresh, repeated", same, **_refreshed(spent))
        self.refreshing = False

    async def replay_code(self) -> None:
        """Redeem the code once more, as a thief would: refused, and the grant ends."""
        await self._token("code replay", REFUSED, **self._redeem())
        await self.is_over()

    async def replay_refresh(self) -> None:
        """Present a token whose successor has been used: refused, and the grant ends."""
        await self._token("refresh replay", REFUSED, **_refreshed(self.older[-2]))
        await self.is_over()

    async def revoke(self) -> None:
        """Hand the connection back."""
        body = self.client.form(token=self.refresh)
        asked = self.pool.ask("POST", "/oauth/revoke", body, self.client.headers)
        await self.book.answered("revocation", asked, Wanted(200))
        await self.is_over()

    async def introspect(self, *, active: bool = True) -> None:
        """Ask what the access token is worth; for confidential clients."""
        body = self.client.form(token=self.access)
        wanted = Wanted(200, b'"active":true' if active else b'"active":false')
        asked = self.pool.ask("POST", "/oauth/introspect", body, self.client.headers)
        await self.book.answered("introspection", asked, wanted)

    async def is_over(self) -> None:
        """See that nothing of it is good at any node any more."""
        await asyncio.sleep(SEEN_EVERYWHERE)
        for _ in range(3):
            asked = _call(self.pool, self.access, 1, 1)
            await self.book.answered("call, ended", asked, Wanted(401))
        await self._token("refresh, ended", REFUSED, **_refreshed(self.refresh))
        if self.client.secret is not None:
            await self.introspect(active=False)

    # --- calls -------------------------------------------------------------------------------

    async def call(self, numbers: random.Random) -> None:
        """Call a tool of the server behind the gateway; its sum must be right."""
        kind = "call, known token" if self.known else "call, first sight"
        self.known = True
        a, b = numbers.randrange(1000), numbers.randrange(1000)
        with self.in_use():
            asked = _call(self.pool, self.access, a, b)
            await self.book.answered(kind, asked, Wanted(200, f'"sum":{a + b}}}'.encode()))

    async def listen(self, seconds: float) -> Reply:
        """Hold an event stream open for so long."""
        headers = {"accept": "text/event-stream", "mcp-protocol-version": "2025-11-25"}
        with self.in_use():
            bearer = {"authorization": f"Bearer {self.access}"}
            return await self.pool.listen("/mcp", {**headers, **bearer}, seconds)

    # --- inside ------------------------------------------------------------------------------

    def _redeem(self) -> dict[str, str]:
        return {
            "grant_type": "authorization_code",
            "code": self.code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }

    async def _token(self, kind: str, wanted: Wanted, **form: str) -> Reply | None:
        body = self.client.form(**form)
        asked = self.pool.ask("POST", "/oauth/token", body, self.client.headers)
        return await self.book.answered(kind, asked, wanted)

    def _take(self, reply: Reply) -> None:
        told = json.loads(reply.body)
        self.access, self.refresh = told["access_token"], told["refresh_token"]
        self.known = False
        head = self.access.partition(".")[0]
        self.book.keys[json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]] += 1


async def registered(book: Book, pool: Pool, *, confidential: bool) -> Client | None:
    """Register an application."""
    how = "client_secret_basic" if confidential else "none"
    document = {
        "client_name": "Soak",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": how,
    }
    asked = pool.ask("POST", "/oauth/register", json.dumps(document).encode(), _JSON)
    reply = await book.answered("registration", asked, Wanted(201, b'"client_id":"'))
    if reply is None:
        return None
    book.made["clients"] += 1
    told: dict[str, Any] = json.loads(reply.body)
    return Client(told["client_id"], told.get("client_secret"))


async def stranger(book: Book, pool: Pool, token: str | None) -> None:
    """Call without a token, or with one that is none."""
    kind = "call, no token" if token is None else "call, made-up token"
    wanted = Wanted(401)
    await book.answered(kind, _call(pool, token, 1, 1), wanted)


def code_in(callback: str) -> str | None:
    """The code that a callback brings."""
    return parse_qs(urlsplit(callback).query).get("code", [None])[0]


def _refreshed(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


async def _call(pool: Pool, token: str | None, a: int, b: int) -> Reply:
    meta = {
        f"{_META}protocolVersion": "2026-07-28",
        f"{_META}clientInfo": {"name": "soak", "version": "1"},
        f"{_META}clientCapabilities": {},
    }
    params = {"name": "add", "arguments": {"a": a, "b": b}, "_meta": meta}
    called = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        **_JSON,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "add",
    }
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return await pool.ask("POST", "/mcp", json.dumps(called).encode(), headers)
