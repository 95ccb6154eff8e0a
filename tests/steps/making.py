"""The world of the step tests: real store, vault, keys, throttles and directory on a set clock."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

from authgate.directories.contract import Recheck
from authgate.directories.embedded import EmbeddedDirectory
from authgate.directories.passwords import Passwords
from authgate.directories.people import add_person
from authgate.issuers.builtin import BuiltinIssuer
from authgate.protocol import parameters
from authgate.protocol.parameters import Parameters
from authgate.protocol.policy import Policy
from authgate.protocol.records import Person
from authgate.security.digests import new_secret
from authgate.security.keys import KeyRing
from authgate.security.limits import LimitPolicy, Throttles
from authgate.security.vault import Vault
from authgate.steps.authorize import Asker, Opened, open_request
from authgate.steps.consent import Answer, approve
from authgate.steps.parts import IssuingParts
from authgate.steps.register import register
from authgate.steps.token import token
from authgate.store.sqlite import SqliteStore
from tests.protocol.making import ISSUER, OTHER_RESOURCE, RESOURCE, challenge_of
from tests.security.making import SECRET

NOW = 1_800_000_000
REDIRECT = "https://app.example.net/cb"
ADDRESS = "192.0.2.7"
EMAIL = "Ada@Example.com"
PASSWORD = "correct horse battery staple"
BROWSER = "b" * 64

Members = dict[str, object]


@dataclass
class Clock:
    """The time, as the test sets it."""

    now: int = NOW

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Registered:
    """A client as its own developer knows it."""

    client_id: str
    secret: str | None
    method: str

    @property
    def header(self) -> str | None:
        if self.method != "client_secret_basic":
            return None
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret or '')}"
        return "Basic " + b64encode(pair.encode()).decode()

    def form(self, *pairs: tuple[str, str], **values: str | None) -> Parameters:
        """A form with whatever identifies this client in it; None leaves a value out."""
        own: dict[str, str | None] = {}
        if self.method != "client_secret_basic":
            own["client_id"] = self.client_id
        if self.method == "client_secret_post":
            own["client_secret"] = self.secret
        named = {**own, **values}
        given = [(name, value) for name, value in named.items() if value is not None]
        return parameters.read([*given, *pairs])


@dataclass
class Flow:
    """What a client holds between an answered request and its tokens."""

    client: Registered
    code: str
    verifier: str


@dataclass
class World:
    """Everything a step works with, and short words for what the tests do over and over."""

    parts: IssuingParts
    store: SqliteStore
    clock: Clock
    ring: KeyRing
    passwords: Passwords
    person: Person
    secrets: set[str] = field(default_factory=set)

    def with_policy(self, **changes: Any) -> None:
        self.parts = replace(self.parts, policy=replace(self.parts.policy, **changes))

    async def register(self, method: str = "none", **members: object) -> Registered:
        document: Members = {
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "refresh_token"],
            **members,
        }
        answer = await register(self.parts, document, ADDRESS)
        secret = answer.get("client_secret")
        client = Registered(
            str(answer["client_id"]), None if secret is None else str(secret), method
        )
        self.secrets |= {client.secret} if client.secret else set()
        return client

    async def open(
        self, client: Registered, verifier: str, kind: str = "browser", **changes: str | None
    ) -> Opened:
        values: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": REDIRECT,
            "state": "the state",
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        asked = parameters.read([(n, v) for n, v in values.items() if v is not None])
        asker = Asker("tool") if kind == "tool" else Asker("browser", BROWSER)
        opened = await open_request(self.parts, asked, asker)
        assert isinstance(opened, Opened)
        self.secrets |= {opened.handle, verifier}
        return opened

    async def approve(self, opened: Opened, via: str = "page") -> Answer:
        answer = await approve(
            self.parts,
            opened.request,
            self.person,
            authenticated_at=self.clock.now,
            address=ADDRESS,
            via=via,
        )
        self.secrets.add(answer.code or "no code")
        return answer

    async def flow(self, client: Registered | None = None, **changes: str | None) -> Flow:
        """A client with a fresh code in its hands."""
        client = client or await self.register()
        verifier = new_secret()
        answer = await self.approve(await self.open(client, verifier, **changes))
        assert answer.code
        return Flow(client, answer.code, verifier)

    async def exchange(
        self, flow: Flow, *pairs: tuple[str, str], **changes: str | None
    ) -> dict[str, Any]:
        values: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": flow.code,
            "redirect_uri": REDIRECT,
            "code_verifier": flow.verifier,
            **changes,
        }
        return await self._token(flow.client, flow.client.form(*pairs, **values))

    async def refresh(
        self, client: Registered, present: str, /, *pairs: tuple[str, str], **changes: str | None
    ) -> dict[str, Any]:
        values = {"grant_type": "refresh_token", "refresh_token": present, **changes}
        return await self._token(client, client.form(*pairs, **values))

    async def _token(self, client: Registered, form: Parameters) -> dict[str, Any]:
        answer = await token(self.parts, client.header, form, ADDRESS)
        self.secrets |= {
            str(answer[name]) for name in ("access_token", "refresh_token") if name in answer
        }
        return answer

    async def connected(
        self, client: Registered | None = None, **changes: str | None
    ) -> tuple[Registered, dict[str, Any]]:
        """A client with its first tokens."""
        flow = await self.flow(client, **changes)
        return flow.client, await self.exchange(flow)

    async def revoked_reason(self, access_token: str) -> str | None:
        """Why the grant of this token was ended; None while it lives."""
        claims = self.parts.issuer.verify_any_time(access_token)
        grant = await self.store.grant(claims.grant_id)
        assert grant is not None
        assert (grant.revoked_at is None) is (grant.revoked_reason is None)
        return grant.revoked_reason


class _Elsewhere:
    """A directory far away: what it says of everybody is what the test wants."""

    name = "embedded"  # as the world's people have it

    def __init__(self, word: Recheck, *, can_recheck: bool = True) -> None:
        self._word = word
        self.can_recheck = can_recheck

    async def recheck(self, sub: str) -> Recheck:
        return self._word


def with_directory(world: World, word: Recheck, *, can_recheck: bool = True) -> None:
    """From here on, `word` is what the directory says of everybody."""
    directory: Any = _Elsewhere(word, can_recheck=can_recheck)
    world.parts = replace(world.parts, passwords=directory, social=directory)


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


@asynccontextmanager
async def opened_world(database: Path, *secrets: str) -> AsyncIterator[World]:
    """A world on this database, with Ada in it."""
    clock = Clock()
    store = SqliteStore(database)
    await store.open()
    passwords = Passwords(time_cost=1, memory_kib=64)
    try:
        vault = Vault(secrets or (SECRET,))
        ring = KeyRing(store, vault)
        await ring.load(clock.now)
        known = await store.account_by_email(EMAIL.casefold())
        account = known or await add_person(store, passwords, EMAIL, PASSWORD, clock.now)
        parts = IssuingParts(
            policy=Policy(
                issuer=ISSUER,
                resources=(RESOURCE, OTHER_RESOURCE),
                scopes=("mcp:use", "mcp:admin"),
            ),
            store=store,
            issuer=BuiltinIssuer(ISSUER, ring, clock=clock),
            passwords=EmbeddedDirectory(store, passwords),
            social=EmbeddedDirectory(store, passwords),
            vault=vault,
            throttles=Throttles(LimitPolicy(), lambda: float(clock.now)),
            clock=clock,
        )
        person = Person(account.sub, "embedded", EMAIL, ("pwd",))
        yield World(parts, store, clock, ring, passwords, person, {PASSWORD})
    finally:
        passwords.close()
        await store.close()
