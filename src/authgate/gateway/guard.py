"""The guard: a bearer token becomes a `Caller`, or the answer is a challenge.

Order, for every request and before any of its body is read: preflight, token, origin, scope. A
request without a valid token learns nothing but where to get one (MCP authorization, token
handling; RFC 6750 section 3).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from authgate.gateway.caller import Caller
from authgate.gateway.standing import Standings
from authgate.issuers.contract import AccessClaims, Verifier
from authgate.observe import log
from authgate.protocol import tokens
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens import Challenger
from authgate.store.contract import StoreUnavailable
from authgate.web.answers import Answer, Header, json_answer, refusal_body, refusal_headers
from authgate.web.origins import OriginRule
from authgate.web.request import Message, Receive, Request, Scope, Send

KEY_LOOKS_EVERY = 1.0  # seconds

App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Any web origin may read a challenge; whether it may call is decided after the token.
CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"WWW-Authenticate, Mcp-Session-Id, Retry-After"),
)
PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
    # Any header name (Mcp-Param-* has no end of them): without credentials the star means it.
    # Authorization must be named, the star leaves it out (Fetch, CORS-preflight fetch).
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, "
        b"MCP-Protocol-Version, Mcp-Method, Mcp-Name, *",
    ),
    (b"access-control-max-age", b"7200"),
    (b"allow", b"GET, POST, DELETE, OPTIONS"),
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides who may call `resource`. `scopes`: any one of them is enough; none, none is asked."""

    issuer: Verifier
    standings: Standings
    resource: str
    scopes: Collection[str]
    challenger: Challenger
    origins: OriginRule
    clock: Callable[[], int]

    async def admit(self, request: Request) -> Caller:
        """The caller behind a request's token; raises `Refusal`."""
        token = tokens.bearer_token(request.header(b"authorization"))
        if b"access_token=" in request.scope["query_string"]:
            raise Refusal(Reason.TOKEN_TWICE)
        now = self.clock()
        claims = await self._verify(token, now)
        person = await self.standings.of(claims, now)
        if not self.origins.allows(request.header(b"origin")):
            raise Refusal(Reason.ORIGIN_REFUSED)
        tokens.check_scope(claims.scopes, self.scopes)
        return Caller(
            sub=person.sub,
            client_id=claims.client_id,
            scopes=claims.scopes,
            grant_id=claims.grant_id,
            display=person.display,
            expires_at=claims.expires_at,
        )

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
        headers = [*refusal_headers(refusal), *CORS]
        challenged = refusal.face.status == 401 or refusal.reason is Reason.SCOPE_INSUFFICIENT
        if challenged:
            challenge = self.challenger.challenge(refusal)
            headers.append((b"www-authenticate", challenge.encode("ascii")))
        return json_answer(refusal.face.status, refusal_body(refusal), headers)


class Guarded:
    """An ASGI application behind a `Guard`. The token goes no further than this."""

    def __init__(self, app: App, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await Answer(204, b"", [*CORS, *PREFLIGHT]).send(send)
            return
        try:
            caller = await self._guard.admit(Request(scope))
        except Refusal as refusal:
            log.refused(scope, refusal)
            await self._guard.answer(refusal).send(send)
            return
        except StoreUnavailable as trouble:
            log.trouble("store.unavailable", scope, trouble)
            outage = Refusal(Reason.STORE_UNAVAILABLE, retry_after=5)
            await self._guard.answer(outage).send(send)
            return
        except Exception as trouble:  # the last line, as in web.endpoint
            request_id = secrets.token_hex(8)
            log.fault("request.failed", scope, trouble, request_id)
            answer = self._guard.answer(Refusal(Reason.INTERNAL))
            answer.headers.append((b"x-request-id", request_id.encode()))
            await answer.send(send)
            return
        inner = dict(scope)
        inner["authgate.caller"] = caller
        inner["headers"] = [item for item in scope["headers"] if item[0] != b"authorization"]
        await self._app(inner, receive, _with_cors(send))


def _with_cors(send: Send) -> Send:
    """Let a browser client read what the guarded application answers."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                item for item in message["headers"] if not item[0].startswith(b"access-control-")
            ]
            message = {**message, "headers": [*kept, *CORS]}
        await send(message)

    return sending
