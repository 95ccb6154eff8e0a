"""The guard of a program whose authgate is elsewhere.

The same questions in the same order as `gateway.guard` asks them, and the same answers: token,
origin, scopes; 401 with the way to a token, 403 with the scopes to ask for, 503 where nobody can be
asked, since clients throw their tokens away on a 401. The token is checked by the authgate's
published keys (`issuers.remote`) and must be for exactly this resource. Who wants revocation to
count at once, and not with the token's end, gives `introspection`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import orjson

from authgate.endpoints.well_known import METADATA_MAX_AGE, Place
from authgate.fetch import Fetch
from authgate.gateway.caller import Caller
from authgate.gateway.credentials import AUTHORIZATION
from authgate.gateway.guarded import CORS
from authgate.issuers.contract import AccessClaims
from authgate.issuers.remote import Introspection, RemoteIssuer
from authgate.observe import log
from authgate.protocol import metadata, tokens
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.tokens import Challenger
from authgate.settings.values import LOOPBACK
from authgate.web.answers import (
    Answer,
    document,
    json_answer,
    refusal_body,
    refusal_headers,
)
from authgate.web.endpoint import Endpoint
from authgate.web.origins import OriginRule
from authgate.web.request import Request

SCOPES = ("mcp:use",)  # what an authgate offers that was told nothing else
WELL_KNOWN = "/.well-known/oauth-protected-resource"
MAX_BYTES = 262_144  # of any answer of the authgate; its largest is a set of keys


class TooLittle(Refusal):
    """A token without the scopes of an operation; all of them, however many: a sentence is cut."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__(Reason.SCOPE_INSUFFICIENT, scope=" ".join(scopes))
        self.scopes = scopes


class RemoteGuard:
    """Decides who may call `resource`, by the tokens of the authgate whose public URL is `issuer`.

    Both are exact strings. A token must have all of `required_scopes`. Browsers may call from the
    resource's own origin, from loopback and from `allowed_origins`. For one event loop, from the
    first call to `close`. Raises `ValueError` for an issuer or resource that can never match.
    """

    def __init__(
        self,
        issuer: str,
        resource: str,
        required_scopes: Sequence[str] = SCOPES,
        *,
        introspection: Introspection | None = None,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        log.as_library()
        self.issuer = _identifier("issuer", issuer)
        self.resource = _identifier("resource", resource)
        if issuer.endswith("/"):
            raise ValueError(
                f"issuer {issuer!r} ends with a slash, which authgate's public URL never does: "
                f"every token would be another issuer's. Leave it out."
            )
        self.required_scopes = tuple(required_scopes)
        place = Place.of(resource)
        # Of a path only the slash directly behind the host is dropped (RFC 9728 section 3.1).
        self._metadata_path = WELL_KNOWN + ("" if place.prefix == "/" else place.prefix)
        self._challenger = Challenger(place.origin + self._metadata_path, self.required_scopes)
        self._origins = OriginRule(frozenset((place.origin, *allowed_origins)))
        self._fetch = Fetch(max_bytes=MAX_BYTES)
        self._tokens = RemoteIssuer(issuer, self._fetch, introspection=introspection)
        self.clock: Callable[[], int] = lambda: int(time.time())

    async def admit(self, request: Request, scopes: Sequence[str] | None = None) -> Caller:
        """Who calls; raises `Refusal`. `scopes` are what this operation takes, if not the usual."""
        token = tokens.bearer_token(request.header(AUTHORIZATION))
        if b"access_token=" in request.scope["query_string"]:
            raise Refusal(Reason.TOKEN_TWICE)
        caller = await self.caller(token)
        if not self._origins.allows(request.header(b"origin")):
            raise Refusal(Reason.ORIGIN_REFUSED)
        return self.may(caller, scopes)

    def may(self, caller: Caller, scopes: Sequence[str] | None = None) -> Caller:
        """`caller`, if it has all scopes that are asked for; raises `Refusal`."""
        wanted = self.required_scopes if scopes is None else tuple(scopes)
        if not set(wanted) <= set(caller.scopes):
            raise TooLittle(wanted)
        return caller

    async def caller(self, token: str) -> Caller:
        """Whom a token speaks for, whatever its scopes; raises `Refusal`."""
        return _caller(await self._tokens.check(token, self.resource, self.clock()))

    def answer(self, refusal: Refusal) -> Answer:
        """The answer to a refused call; 401 and 403 for scope carry the challenge (RFC 6750 3)."""
        headers = [*refusal_headers(refusal), *CORS]
        if refusal.face.status == 401 or isinstance(refusal, TooLittle):
            scopes = refusal.scopes if isinstance(refusal, TooLittle) else None
            challenge = self._challenger.challenge(refusal, scopes)
            headers.append((b"www-authenticate", challenge.encode("ascii")))
        return json_answer(refusal.face.status, refusal_body(refusal), headers)

    def documents(self) -> Mapping[str, Endpoint]:
        """The protected resource metadata at its addresses: the resource's path inserted, and the
        root, where some clients look first (RFC 9728 section 3.1)."""
        host = urlsplit(self.resource).netloc
        body = orjson.dumps(
            metadata.protected_resource(self.resource, self.issuer, self.required_scopes, host)
        )

        async def get(_: Request) -> Answer:
            return document(body, METADATA_MAX_AGE)

        endpoint = Endpoint(get=get, cors=True)
        return {self._metadata_path: endpoint, WELL_KNOWN: endpoint}

    async def start(self) -> None:
        """Look at the authgate's keys, so that the first caller need not wait for them.

        An authgate that is not up yet is no reason not to start: callers get 503 until it is.
        """
        try:
            await self._tokens.refresh_keys()
        except Refusal:
            log.warning("issuer.not_reached", issuer=self.issuer)

    async def close(self) -> None:
        """End what goes on with the authgate."""
        await self._tokens.close()
        await self._fetch.close()


def _caller(claims: AccessClaims) -> Caller:
    """A token tells nobody's name, so whoever shows one to people shows the identifier."""
    return Caller(
        sub=claims.sub,
        client_id=claims.client_id,
        scopes=claims.scopes,
        grant_id=claims.grant_id,
        display=claims.sub,
        expires_at=claims.expires_at,
    )


def _identifier(name: str, url: str) -> str:
    """An issuer or a resource, as it is written: it is compared, and never taken apart and put
    together again."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or url != url.strip():
        raise ValueError(f"{name} {url!r} is no http or https URL")
    if "?" in url or "#" in url or "@" in parts.netloc:
        raise ValueError(f"{name} {url!r} must have no query, no fragment and no user in it")
    if url != f"{parts.scheme}://{parts.netloc}{parts.path}" or not url.isascii():
        raise ValueError(f"{name} {url!r} is not spelled as it will be compared")
    if parts.scheme == "http" and not LOOPBACK.fullmatch(_host(parts.hostname)):
        log.warning("adapter.plain_http", name=name, url=url)
    return url


def _host(hostname: str) -> str:
    return f"[{hostname}]" if ":" in hostname else hostname
