"""The builtin issuer: authgate signs the access tokens itself (RFC 9068).

`verify` remembers tokens it has found good, under their SHA-256, so that a client's second call
costs about a microsecond; what can change between two calls (the clock, the resource asked about,
the keys) is judged again on every hit. Never here: whether a grant is alive, which the guard reads
from the store. Neighbours: `security.keys` signs, `protocol.tokens` holds the claim rules.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from secrets import token_urlsafe

import orjson

from authgate.issuers.contract import AccessClaims, AccessToken
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Grant
from authgate.protocol.tokens import access_claims, check_claims
from authgate.security.keys import KeyRing

MAX_REMEMBERED = 4096  # about 1 KiB each


class BuiltinIssuer:
    """Mints and verifies access tokens with a loaded key ring."""

    def __init__(
        self,
        identifier: str,
        ring: KeyRing,
        *,
        access_ttl: int = 3600,
        clock: Callable[[], float] = time.time,
        max_remembered: int = MAX_REMEMBERED,
    ) -> None:
        self.identifier = identifier
        self._ring = ring
        self._access_ttl = access_ttl
        self._clock = clock
        self._remembered: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._max_remembered = max_remembered
        self._ring_version = ring.version
        self._refreshed_at = float("-inf")
        self._refreshing = asyncio.Lock()

    def mint(self, grant: Grant, scopes: tuple[str, ...], now: int) -> AccessToken:
        """Sign an access token of `grant`, narrowed to `scopes`, for the grant's resource."""
        claims = access_claims(
            grant,
            scopes,
            issuer=self.identifier,
            now=now,
            ttl=self._access_ttl,
            jti=token_urlsafe(16),
        )
        return AccessToken(self._ring.sign(orjson.dumps(claims), now), self._access_ttl)

    def verify(self, token: str, resource: str, now: int) -> AccessClaims:
        """Check signature, type, issuer, audience, time; raises `Refusal` (RFC 9068 section 4)."""
        if self._ring_version != self._ring.version:
            self._remembered.clear()
            self._ring_version = self._ring.version
        name = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._remembered.get(name)
        if known is None:
            return self._verify_first(token, name, resource, now)
        if known.audience != resource:
            raise Refusal(Reason.TOKEN_AUDIENCE, resource=resource)
        if known.expires_at <= now:
            del self._remembered[name]
            raise Refusal(Reason.TOKEN_EXPIRED)
        return known

    def _verify_first(self, token: str, name: bytes, resource: str, now: int) -> AccessClaims:
        claims = self._ring.verify(token)
        check_claims(claims, issuer=self.identifier, resource=resource, now=now)
        checked = typed(claims)
        if "nbf" not in claims:  # ours have none, so no hit has to think of it
            self._remembered[name] = checked
            if len(self._remembered) > self._max_remembered:
                self._remembered.popitem(last=False)
        return checked

    def verify_any_time(self, token: str) -> AccessClaims:
        """Like `verify`, but for any audience and also for an expired token (revocation)."""
        claims = self._ring.verify(token)
        check_claims(claims, issuer=self.identifier, resource=None, now=0, check_time=False)
        return typed(claims)

    def jwks(self) -> bytes:
        """The public keys as a JWK Set document, ready to send (RFC 7517 section 5)."""
        return self._ring.jwks()

    async def refresh_keys(self, *, at_most_every: float = 0.0) -> None:
        """Read the keys again, so that a rotation made elsewhere is seen here.

        With `at_most_every` (seconds) strangers may cause it too: a guard that meets an unknown key
        name can look once more for an imported key that another worker already signs with, and
        made-up names still cost no more than one read in that time.
        """
        async with self._refreshing:
            if time.monotonic() - self._refreshed_at < at_most_every:
                return
            await self._ring.refresh(int(self._clock()))
            self._refreshed_at = time.monotonic()


def typed(claims: Mapping[str, object]) -> AccessClaims:
    """Checked claims as a record; `check_claims` has seen to all but the types named here."""
    scope = claims.get("scope", "")
    expires_at, issued_at = claims["exp"], claims["iat"]
    if not isinstance(scope, str) or not isinstance(expires_at, int):
        raise Refusal(Reason.TOKEN_MALFORMED)
    if not isinstance(issued_at, int):
        raise Refusal(Reason.TOKEN_MALFORMED)
    return AccessClaims(
        sub=str(claims["sub"]),
        client_id=str(claims["client_id"]),
        scopes=tuple(scope.split()),
        audience=str(claims["aud"]),
        grant_id=str(claims["gid"]),
        jti=str(claims["jti"]),
        issued_at=issued_at,
        expires_at=expires_at,
    )
