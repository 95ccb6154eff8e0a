"""What steps and the guard ask of an issuer of access tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from authgate.protocol.records import Grant


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says. Only an issuer makes one (RFC 9068 section 2.2)."""

    sub: str
    client_id: str
    scopes: tuple[str, ...]
    audience: str
    grant_id: str
    jti: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A fresh access token; `expires_in` in seconds."""

    value: str = field(repr=False)
    expires_in: int = 3600


class Issuer(Protocol):
    """The issuer of the access tokens that the guard accepts."""

    identifier: str

    def mint(self, grant: Grant, scopes: tuple[str, ...], now: int) -> AccessToken:
        """Sign an access token of `grant`, narrowed to `scopes`, for the grant's resource."""

    def verify(self, token: str, resource: str, now: int) -> AccessClaims:
        """Check signature, type, issuer, audience and time; raises `Refusal` (RFC 9068 section 4).

        Whether the grant is still alive is the caller's question to the store.
        """

    def verify_any_time(self, token: str) -> AccessClaims:
        """Like `verify`, but for any audience and also for an expired token (revocation)."""

    def jwks(self) -> bytes:
        """The public keys as a JWK Set document, ready to send (RFC 7517 section 5)."""

    async def refresh_keys(self, *, at_most_every: float = 0.0) -> None:
        """Read the keys again, so that a rotation made elsewhere is seen here.

        `at_most_every` seconds: a call sooner after the last one does nothing, so that made-up key
        names cannot cost a read each.
        """
