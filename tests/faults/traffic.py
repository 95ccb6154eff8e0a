"""Clients that work while something goes wrong, record every answer, and judge afterwards.

    mint = Mint(store, server.mcp_url)           # makes codes in the store: nobody has to sign in
    traffic = await Traffic.prepared(mint, [server.port], clients=8, codes=20)
    async with traffic.running():
        await asyncio.sleep(1)
        with traffic.cause():                    # from here to its end something is wrong
            ...
        await asyncio.sleep(3)
    verdict = await traffic.verify()
    verdict.assert_kept()

Each client goes round and round: register, exchange a code, call the protected server, refresh and
call again. It asks any of the nodes of `ports` in turn, and repeats a request until the answer is
final: after a 503, which must have spent nothing, and after a lost answer, which may have. It does
not wait for as long as Retry-After says, so that the end of the trouble is seen.

`store` is any `Store` of the contract on the server's own database, so it serves every engine. It
is used before (codes) and after (what is kept), never while the traffic runs.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from authgate.protocol.records import (
    Approval,
    AuditEvent,
    AuthorizationRequest,
    Code,
    Person,
)
from authgate.security.digests import digest, new_ordered_identifier, new_secret
from authgate.store.contract import Store
from tests.clients.by_hand import verifier_and_challenge
from tests.faults.wire import Reply, Wire
from tests.live import ALICE

CALLBACK = "https://app.example/callback"
AGAIN_AFTER = 0.05
PATIENCE = 20.0
HEALS_WITHIN = 10.0

_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "whoami",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "traffic", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
_CALL_HEADERS = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "whoami",
}


class Mint:
    """Makes codes of a person straight in the store, good for an hour."""

    def __init__(self, store: Store, resource: str, email: str = ALICE.email) -> None:
        self.store = store
        self._resource = resource
        self._email = email

    async def codes(self, client_id: str, count: int) -> list[tuple[str, str]]:
        """Fresh codes of a client with their verifiers."""
        account = await self.store.account_by_email(self._email)
        assert account is not None, "nobody to make codes for"
        person = Person(account.sub, "embedded", account.email, ("pwd",))
        return list(await asyncio.gather(*(self._code(client_id, person) for _ in range(count))))

    async def _code(self, client_id: str, person: Person) -> tuple[str, str]:
        now, value = int(time.time()), new_secret()
        verifier, challenge = verifier_and_challenge()
        request = AuthorizationRequest(
            request_digest=digest(new_secret()),
            kind="tool",
            client_id=client_id,
            redirect_uri=CALLBACK,
            state=None,
            code_challenge=challenge,
            scopes=("mcp:use",),
            resource=self._resource,
            prompt=(),
            cross_site=False,
            browser_digest=None,
            created_at=now,
            expires_at=now + 600,
        )
        code = Code(
            code_digest=digest(value),
            grant_id=new_ordered_identifier("grant_", now),
            client_id=client_id,
            redirect_uri=CALLBACK,
            code_challenge=challenge,
            scopes=request.scopes,
            resource=self._resource,
            person=person,
            authenticated_at=now,
            issued_at=now,
            expires_at=now + 3600,
        )
        await self.store.open_request(request)
        audit = AuditEvent(at=now, event="consent.given", outcome="done", actor=person.sub)
        approved = await self.store.approve(request.request_digest, code, None, now, audit)
        assert approved is Approval.APPROVED
        return value, verifier


@dataclass(frozen=True, slots=True)
class Act:
    """One request as it ended. `kind` is register, exchange, refresh or call; times in seconds."""

    kind: str
    port: int
    began: float
    ended: float
    reply: Reply = field(repr=False)

    @property
    def well(self) -> bool:
        return self.reply.status in (200, 201)

    def __str__(self) -> str:
        said = self.reply.body[:200].decode(errors="replace")
        return f"{self.kind} at {self.port}: {self.reply.status or self.reply.lost} {said}"


@dataclass(slots=True)
class Chain:
    """What one code led to, as far as the client knows."""

    form: dict[str, str]
    """Redeems the code."""
    access: list[str] = field(default_factory=list)
    refresh: list[str] = field(default_factory=list)
    abandoned: bool = False
    """The answer to the exchange was lost and the code is spent: rightly so, and worth nothing."""


@dataclass
class Verdict:
    """What the traffic met. Every list holds what broke a promise, in words."""

    acts: Sequence[Act]
    causes: Sequence[tuple[float, float]]
    lost: list[str] = field(default_factory=list)  # A
    twice: list[str] = field(default_factory=list)  # B
    dead: list[str] = field(default_factory=list)  # C
    unclear: list[str] = field(default_factory=list)  # D
    late: list[str] = field(default_factory=list)  # D

    @property
    def counts(self) -> Counter[tuple[str, int | str]]:
        """How often each kind of request ended how."""
        return Counter((act.kind, act.reply.status or act.reply.lost) for act in self.acts)

    @property
    def unwell_for(self) -> float:
        """Seconds from the end of the last cause to the end of the last request that went wrong."""
        ended = max((end for _, end in self.causes), default=0.0)
        return max([act.ended - ended for act in self.acts if not act.well] + [0.0])

    @property
    def unwell_without_cause(self) -> list[str]:
        """What went wrong before anything was wrong."""
        began = min((start for start, _ in self.causes), default=float("inf"))
        return [str(act) for act in self.acts if not act.well and act.ended < began]

    def during(self, kind: str) -> Counter[int | str]:
        """How requests ended that were made, from beginning to end, under a cause."""
        return Counter(
            act.reply.status or act.reply.lost
            for act in self.acts
            if act.kind == kind
            and any(start <= act.began and act.ended <= end for start, end in self.causes)
        )

    def slowest(self, kind: str) -> float:
        """The longest that a request took which was made under a cause, in seconds."""
        made = (act for act in self.acts if act.kind == kind)
        return max(
            [a.reply.took for a in made if any(b <= a.began <= e for b, e in self.causes)] + [0.0]
        )

    def assert_kept(self, *, heals_within: float = HEALS_WITHIN) -> None:
        """All five promises; the message says which was broken by what."""
        broken = {
            "A, lost": self.lost,
            "B, spent twice": self.twice,
            "C, dead without a thief": self.dead,
            "D, unclear": self.unclear,
            "D, late": self.late,
            "unwell without a cause": self.unwell_without_cause,
        }
        found = {name: (len(what), what[:5]) for name, what in broken.items() if what}
        assert not found, (found, self.counts)
        assert self.unwell_for <= heals_within, (self.unwell_for, self.counts)


class Traffic:
    """A number of clients with their codes; see the module for how it is used."""

    def __init__(self, mint: Mint, ports: Sequence[int], *, host: str = "") -> None:
        self.mint = mint
        self.ports = ports
        self.host = host
        self.acts: list[Act] = []
        self.causes: list[tuple[float, float]] = []
        self.chains: list[Chain] = []
        self.registered: list[str] = []
        self.never: list[str] = []
        self.wrong: list[tuple[str, str]] = []  # which promise, and what was seen
        self._waiting: list[list[Chain]] = []
        self._stopping_since: float | None = None

    @classmethod
    async def prepared(
        cls, mint: Mint, ports: Sequence[int], *, clients: int = 8, codes: int = 20, host: str = ""
    ) -> Traffic:
        """Register the clients and make their codes, in peace. `host` as the public URL has it."""
        traffic = cls(mint, ports, host=host)
        for _ in range(clients):
            client = _Client(traffic)
            client_id = await traffic._registration(client)
            client.drop()
            assert client_id is not None, traffic.acts[-1]
            traffic._waiting.append(
                [
                    Chain(
                        {
                            "grant_type": "authorization_code",
                            "client_id": client_id,
                            "code": code,
                            "code_verifier": verifier,
                        }
                    )
                    for code, verifier in await mint.codes(client_id, codes)
                ]
            )
        for port in ports:
            await traffic._warm(port)
        return traffic

    async def _warm(self, port: int) -> None:
        """One round at a node: what it imports at its first call is no fault's doing."""
        warm = Traffic(self.mint, [port], host=self.host)
        client = _Client(warm)
        client_id = await warm._registration(client)
        assert client_id is not None
        ((code, verifier),) = await self.mint.codes(client_id, 1)
        form = {"grant_type": "authorization_code", "client_id": client_id, "code": code}
        assert await warm._exchanged(client, Chain({**form, "code_verifier": verifier})), warm.acts
        client.drop()

    # --- while it runs -----------------------------------------------------------------------

    @asynccontextmanager
    async def running(self, *, refreshes: int = 3) -> AsyncIterator[None]:
        """Clients at work until the end of the block; then each finishes what it asked for."""
        self._stopping_since = None
        clients = [_Client(self) for _ in self._waiting]
        work = [
            asyncio.create_task(self._work(client, chains, refreshes))
            for client, chains in zip(clients, self._waiting, strict=True)
        ]
        try:
            yield
        finally:
            self._stopping_since = time.monotonic()
            await asyncio.gather(*work)
            for client in clients:
                client.drop()

    @contextmanager
    def cause(self) -> Iterator[None]:
        """The time in which something is wrong."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.causes.append((began, time.monotonic()))

    @property
    def answered(self) -> int:
        """How many requests got what they asked for so far."""
        return sum(act.well for act in self.acts)

    async def _work(self, client: _Client, chains: list[Chain], refreshes: int) -> None:
        mine: list[Chain] = []
        while chains and self._stopping_since is None:
            chain = chains.pop()
            mine.append(chain)
            self.chains.append(chain)
            client_id = await self._registration(client)
            if client_id is not None:
                self.registered.append(client_id)
            if not await self._exchanged(client, chain):
                continue
            for _ in range(refreshes):
                if self._stopping_since is not None or not await self._refreshed(client, chain):
                    break
                await self._called(client, chain)
        # Out of codes: refresh on, so that there is traffic for as long as the block lasts. Each
        # its own: two at one chain would look like a thief, and rightly so.
        alive = [chain for chain in mine if chain.access and not chain.abandoned]
        while self._stopping_since is None and alive:
            chain = alive[-1]
            if await self._refreshed(client, chain):
                await self._called(client, chain)
            else:
                await asyncio.sleep(AGAIN_AFTER)

    async def _registration(self, client: _Client) -> str | None:
        document = {
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        async for reply in self._until_answered(client, "register", "/oauth/register", document):
            if reply.status == 201:
                return str(reply.json()["client_id"])
        return None

    async def _exchanged(self, client: _Client, chain: Chain) -> bool:
        lost = False
        async for reply in self._until_answered(client, "exchange", "/oauth/token", chain.form):
            lost = lost or reply.lost in ("cut", "late")
            if reply.status == 200:
                self._keep(chain, reply)
                await self._called(client, chain)
                return True
            if reply.status == 400:
                chain.abandoned = True
                if not lost:
                    self.wrong.append(("D", f"a code that nobody spent: {reply.body.decode()}"))
        return False

    async def _refreshed(self, client: _Client, chain: Chain) -> bool:
        form = _refresh(chain, chain.refresh[-1])
        async for reply in self._until_answered(client, "refresh", "/oauth/token", form):
            if reply.status == 200:
                self._keep(chain, reply)
                return True
            if reply.status == 400:
                self.wrong.append(("C", f"a refresh token without a thief: {reply.body.decode()}"))
                chain.abandoned = True
        return False

    async def _called(self, client: _Client, chain: Chain) -> None:
        headers = {**_CALL_HEADERS, "authorization": f"Bearer {chain.access[-1]}"}
        async for _ in self._until_answered(client, "call", "/mcp", _CALL, headers):
            pass

    async def _until_answered(
        self, client: _Client, kind: str, path: str, given: Any, headers: Any = None
    ) -> AsyncIterator[Reply]:
        """Ask, and again while told to come back or not told anything; every reply."""
        while True:
            began = time.monotonic()
            port, reply = await client.ask(path, given, headers)
            self.acts.append(Act(kind, port, began, time.monotonic(), reply))
            yield reply
            if reply.status not in (0, 429, 503):
                return
            since = self._stopping_since
            if since is not None and time.monotonic() - since > PATIENCE:
                self.never.append(str(self.acts[-1]))
                return
            await asyncio.sleep(AGAIN_AFTER)

    def _keep(self, chain: Chain, reply: Reply) -> None:
        body = reply.json()
        chain.access.append(body["access_token"])
        chain.refresh.append(body["refresh_token"])

    # --- afterwards --------------------------------------------------------------------------

    async def verify(self) -> Verdict:
        """Ask in peace for everything that was promised; call it once, when the traffic has ended.

        It replays what is spent, and so ends the grants of this traffic.
        """
        verdict = Verdict(tuple(self.acts), tuple(self.causes))
        verdict.late = [*self.never, *(str(a) for a in self.acts if a.reply.lost == "late")]
        verdict.unclear = [wrong for act in self.acts if (wrong := _unclear(act))]
        verdict.unclear += [what for promise, what in self.wrong if promise == "D"]
        verdict.dead = [what for promise, what in self.wrong if promise == "C"]
        client = _Client(self)
        for client_id in self.registered:
            if await self.mint.store.client(client_id) is None:
                verdict.lost.append(f"registration {client_id}")
        for chain in self.chains:
            if chain.access and not chain.abandoned:
                await _still_good(client, chain, verdict)
        for chain in self.chains:
            await _spent(client, chain, verdict)
        client.drop()
        return verdict


class _Client:
    """Wires to every node, used in turn."""

    def __init__(self, traffic: Traffic) -> None:
        wires = [Wire(port, traffic.host) for port in traffic.ports]
        self._wires = wires
        self._turn = itertools.cycle(wires)

    async def ask(self, path: str, given: Any, headers: Any = None) -> tuple[int, Reply]:
        wire = next(self._turn)
        how = wire.form if path == "/oauth/token" else wire.json
        return wire.port, await how(path, given, headers)

    def drop(self) -> None:
        for wire in self._wires:
            wire.drop()


def _refresh(chain: Chain, token: str) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "client_id": chain.form["client_id"],
        "refresh_token": token,
    }


def _unclear(act: Act) -> str:
    """What is wrong with this answer whatever the trouble was; empty if nothing is."""
    reply = act.reply
    if act.well or reply.lost:
        return ""
    if reply.status in (429, 503):
        known = reply.status == 429 or b"temporarily_unavailable" in reply.body
        after = reply.headers.get("retry-after", "")
        return "" if known and after.isdecimal() and int(after) >= 1 else f"bare {act}"
    # What may be said of a code or a token that its client holds is judged where it is used.
    return "" if act.kind in ("exchange", "refresh") and reply.status == 400 else str(act)


async def _still_good(client: _Client, chain: Chain, verdict: Verdict) -> None:
    for token in chain.access:
        headers = {**_CALL_HEADERS, "authorization": f"Bearer {token}"}
        _, reply = await client.ask("/mcp", _CALL, headers)
        if reply.status != 200:
            verdict.lost.append(f"access token: {reply.status} {reply.body[:200]!r}")
    _, first = await client.ask("/oauth/token", _refresh(chain, chain.refresh[-1]))
    _, again = await client.ask("/oauth/token", _refresh(chain, chain.refresh[-1]))
    if first.status != 200 or again.status != 200:
        verdict.lost.append(f"refresh token: {first.status} {first.body[:200]!r}")
    elif first.json()["refresh_token"] != again.json()["refresh_token"]:
        verdict.twice.append("a refresh token with two successors")


async def _spent(client: _Client, chain: Chain, verdict: Verdict) -> None:
    """A code that bought something, or was called spent, buys nothing again."""
    if not chain.access and not chain.abandoned:
        return
    _, reply = await client.ask("/oauth/token", chain.form)
    if reply.status == 200:
        verdict.twice.append(f"code {chain.form['code'][:8]}")
    elif reply.status != 400 or reply.json()["error"] != "invalid_grant":
        verdict.lost.append(f"a spent code: {reply.status} {reply.body[:200]!r}")
