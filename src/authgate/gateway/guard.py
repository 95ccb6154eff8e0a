"""The guard: what came with a request becomes a `Caller`, or the answer is a challenge.

Order, for every request and before any of its body is read: credential, token, origin, scope. A
request without a valid token learns nothing but where to get one (MCP authorization, token
handling; RFC 6750 section 3). Until `required` others may pass as well: `protocol.rollout` rules on
that, and only a call without any credential has its body read for it. Never here: how a request
comes and goes on (`guarded`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from authgate.gateway import legacy, one_reading, rollout
from authgate.gateway.caller import STRICT, Caller, Passage, nobody
from authgate.gateway.credentials import AUTHORIZATION, Presented
from authgate.gateway.rollout import Found, Rollout
from authgate.gateway.slots import Slots
from authgate.gateway.standing import Standings
from authgate.issuers.contract import AccessClaims, Verifier
from authgate.observe import log
from authgate.observe.about import learned
from authgate.protocol import tokens
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import Routing
from authgate.protocol.records import ApiKey
from authgate.protocol.rollout import LEGACY, Kind, Mode, Passes, Recorded, Rules, Worth, rule
from authgate.protocol.tokens import Challenger
from authgate.store.contract import StoreUnavailable
from authgate.web.answers import Answer, Header, json_answer, refusal_body, refusal_headers
from authgate.web.origins import OriginRule
from authgate.web.request import BODY_LIMIT, Receive, Request, again, read_body

KEY_LOOKS_EVERY = 1.0  # seconds
STRANGERS = 64  # large bodies held at once for callers without a credential, of all of them


class Admitted(NamedTuple):
    """A request that passes: who calls, how it goes on, and what its answer says besides.

    `receive` gives its body, also if that had to be read for the decision.
    """

    caller: Caller
    passage: Passage
    receive: Receive
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides who may call `resource`. `scopes`: any one of them is enough; none, none is asked.

    `first` are the scopes that a client is told to ask for, None for the challenger's own.
    `body_limit` in bytes is for calls without a credential, whose body decides.
    """

    issuer: Verifier
    standings: Standings
    resource: str
    scopes: Collection[str]
    challenger: Challenger
    origins: OriginRule
    clock: Callable[[], int]
    rollout: Rollout
    body_limit: int
    first: Callable[[], tuple[str, ...] | None]
    reading: Slots = field(default_factory=lambda: Slots(STRANGERS, STRANGERS))

    async def admit(self, request: Request, receive: Receive) -> Admitted:
        """Who calls, and how the call goes on; raises `Refusal`."""
        rules, now = self.rollout.rules, self.clock()
        if rules.mode is Mode.REQUIRED:
            return Admitted(await self._required(request, now), STRICT, receive)
        shown = self.rollout.credentials.read(request.scope)
        key = None
        if shown.own:
            shown, key = await self.rollout.presented(shown, rules)
        found = await self._found(request, shown, key, rules, now)
        ruling = rule(rules.mode, shown.kind, found.worth)
        self.rollout.count(ruling.recorded, found)
        match ruling.passes:
            case Passes.LISTED:
                receive = await self._listed(request, receive, rules, found)
            case Passes.JUDGED if not rules.judged_there:
                raise _why(found)
            case Passes.NO:
                raise _why(found)
            case _:
                pass
        if not rules.upstream:
            self._check_origin(request)  # nobody behind us sees from where a page calls
        caller = found.caller if ruling.known else nobody(shown.kind)
        told = legacy.farewell(shown.kind, rules) if rules.mode is not Mode.OFF else ()
        return Admitted(caller, rollout.passage(rules, shown, caller), receive, told)

    async def asked_first(self, request: Request, receive: Receive) -> Admitted:
        """How a browser's question goes on that the upstream is to answer."""
        rules, shown = self.rollout.rules, self.rollout.credentials.read(request.scope)
        shown, _ = await self.rollout.presented(shown, rules)
        return Admitted(nobody(shown.kind), rollout.preflight(rules, shown), receive)

    async def _required(self, request: Request, now: int) -> Caller:
        """The column `required` of the table in one line: a token of ours, or a refusal. What else
        may have come matters to the counts alone, so nobody's good call pays for telling it."""
        try:
            caller = await self._ours(request, now)
        except Refusal as refusal:
            shown = self.rollout.credentials.read(request.scope)
            self.rollout.count(Recorded.REFUSAL, Found.refused(shown.kind, refusal))
            raise
        self.rollout.usage.count(Kind.OURS, caller.client_id, refused=False)
        return caller

    async def _found(
        self, request: Request, shown: Presented, key: ApiKey | None, rules: Rules, now: int
    ) -> Found:
        """What the credential is worth. In `off` nothing is looked at, so nothing can fail."""
        try:
            if rules.mode is Mode.OFF:
                return Found(Worth.BAD, nobody(shown.kind))
            if shown.kind in LEGACY:
                found = await self.rollout.look(shown, key, rules, now)
                if shown.kind is Kind.API_KEY and found.refusal is None:
                    self._check_reach(request, found.caller.scopes)
                return found
            if shown.kind is Kind.UNKNOWN:
                tokens.bearer_token(request.header(AUTHORIZATION))
                raise Refusal(Reason.TOKEN_MALFORMED)
            return Found(Worth.GOOD, await self._ours(request, now))
        except Refusal as refusal:
            return Found.refused(shown.kind, refusal)
        except StoreUnavailable as trouble:
            log.trouble("store.unavailable", request.scope, trouble)
            return Found.refused(shown.kind, Refusal(Reason.STORE_UNAVAILABLE, retry_after=5))

    async def _ours(self, request: Request, now: int) -> Caller:
        """The caller behind a token of our issuer; raises `Refusal`."""
        token = tokens.bearer_token(request.header(AUTHORIZATION))
        if b"access_token=" in request.scope["query_string"]:
            raise Refusal(Reason.TOKEN_TWICE)
        claims = await self._verify(token, now)
        learned(client_id=claims.client_id, sub=claims.sub)
        person = await self.standings.of(claims, now)
        self._check_reach(request, claims.scopes)
        return Caller(
            sub=person.sub,
            client_id=claims.client_id,
            scopes=claims.scopes,
            grant_id=claims.grant_id,
            display=person.display,
            expires_at=claims.expires_at,
        )

    def answers_browsers(self, request: Request) -> bool:
        """Is it ours to say to a browser that a page may call (CORS)? Else the upstream says it.

        Before `required` a server may stand behind that takes anybody who can reach it. Web pages
        of other origins cannot, as long as nobody lets them.
        """
        rules = self.rollout.rules
        return rules.mode is Mode.REQUIRED or self.origins.allows(request.header(b"origin"))

    def _check_reach(self, request: Request, scopes: Collection[str]) -> None:
        """May what we gave out be used from there, and for this at all?"""
        self._check_origin(request)
        tokens.check_scope(scopes, self.scopes)

    def _check_origin(self, request: Request) -> None:
        if not self.origins.allows(request.header(b"origin")):
            raise Refusal(Reason.ORIGIN_REFUSED)

    async def _listed(
        self, request: Request, receive: Receive, rules: Rules, found: Found
    ) -> Receive:
        """The body again, of a call that anybody may make; raises `Refusal`.

        A browser's page counts by its origin here: what anybody may do from outside, a page of
        somebody else's must not do from inside.
        """
        if not rules.anonymous.anything:
            raise _why(found)
        self._check_origin(request)
        if request.method != "POST":
            # The stream of a session, or its end: whoever may begin one may have these. Where there
            # are none any more the name of one says nothing, and would open a stream all the same.
            named = request.header(b"mcp-session-id") is not None
            if not named or Routing(request.header(b"mcp-protocol-version")).stateless:
                raise _why(found)
            return receive
        body = await self._strangers_body(request, receive)
        call = await one_reading.only_call(request.scope["headers"], body)
        if call is None or not rules.anonymous.allows(call.method, call.name):
            raise _why(found)
        return again(body, receive)

    async def _strangers_body(self, request: Request, receive: Receive) -> bytes:
        """A body that nobody answers for. Of large ones there are so many at once: those who pass
        have their share of the memory by `slots`, and a stranger comes here before that."""
        declared = request.header(b"content-length") or ""
        little = min(BODY_LIMIT, self.body_limit)
        if declared.isdigit() and len(declared) < 10 and int(declared) <= little:
            return await read_body(request.scope, receive, little)
        with self.reading.taken("", stream=False, bounded=False):
            return await read_body(request.scope, receive, self.body_limit)

    async def _verify(self, token: str, now: int) -> AccessClaims:
        """Verify, once more after a look for keys that another process may have added."""
        try:
            return self.issuer.verify(token, self.resource, now)
        except Refusal as refusal:
            if refusal.reason is not Reason.TOKEN_KEY_UNKNOWN:
                raise
        await self.issuer.refresh_keys(at_most_every=KEY_LOOKS_EVERY)
        return self.issuer.verify(token, self.resource, now)

    def answer(self, refusal: Refusal) -> Answer:
        """The answer to a refused call; 401 and 403 for scope carry the challenge."""
        headers = refusal_headers(refusal)
        challenged = refusal.face.status == 401 or refusal.reason is Reason.SCOPE_INSUFFICIENT
        if challenged:
            challenge = self.challenger.challenge(refusal, self.first())
            headers.append((b"www-authenticate", challenge.encode("ascii")))
        return json_answer(refusal.face.status, refusal_body(refusal), headers)


def _why(found: Found) -> Refusal:
    return found.refusal or Refusal(Reason.TOKEN_MISSING)
