"""What the guard, the steps and the tools ask of an issuer of access tokens.

Two kinds: one of our own, which mints, and one elsewhere, which others ask for tokens. What both
can do, and all that the guard needs, is verify.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from authgate.protocol.records import Grant


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says. Only an issuer makes one (RFC 9068 section 2.2).

    `grant_id` is the issuer's own name for what the person allowed. An issuer elsewhere may leave
    `client_id`, `grant_id` and `jti` empty.
    """

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


class Verifier(Protocol):
    """The issuer of the access tokens that the guard accepts."""

    identifier: str

    def verify(self, token: str, resource: str, now: int) -> AccessClaims:
        """Check signature, type, issuer, audience and time; raises `Refusal` (RFC 9068 section 4).

        `TOKEN_KEY_UNKNOWN` is worth another try after `refresh_keys`. Whether the person may still
        be connected is the caller's question (`gateway.standing`).
        """

    async def refresh_keys(self, *, at_most_every: float = 0.0) -> None:
        """Read the keys again, so that a rotation made elsewhere is seen here.

        `at_most_every` seconds: a call sooner after the last one does nothing, so that made-up key
        names cannot cost a read each. Raises `Refusal` (temporarily unavailable) when the keys
        cannot be read, so that a good token with a new key is not called a bad one.
        """


class Issuer(Verifier, Protocol):
    """An issuer of our own."""

    def mint(self, grant: Grant, scopes: tuple[str, ...], now: int) -> AccessToken:
        """Sign an access token of `grant`, narrowed to `scopes`, for the grant's resource."""

    def verify_any_time(self, token: str) -> AccessClaims:
        """Like `verify`, but for any audience and also for an expired token (revocation)."""

    def jwks(self) -> bytes:
        """The public keys as a JWK Set document, ready to send (RFC 7517 section 5)."""


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """An authorization server's own metadata (RFC 8414 section 2), checked and as it came.

    `registration_endpoint` is None where clients cannot register; `takes_metadata_documents`: they
    may be known by a URL instead. `body` is the document.
    """

    body: bytes = field(repr=False)
    authorization_endpoint: str
    token_endpoint: str
    registration_endpoint: str | None
    takes_metadata_documents: bool = False


class IssuerElsewhere(Verifier, Protocol):
    """An issuer elsewhere, with what our tools and documents ask of it for others.

    All raise `Refusal`: what it said no to in our words, and temporarily unavailable when it cannot
    be asked.
    """

    async def metadata(self) -> ServerMetadata:
        """Its metadata; in an outage the last that was seen, for a day."""

    async def register(self, document: object) -> dict[str, object]:
        """Register a client there (RFC 7591); the client information response, checked."""

    async def token(self, form: Mapping[str, str]) -> dict[str, object]:
        """Ask its token endpoint; the token response, checked (RFC 6749 section 5.1).

        A `client_secret` in `form` is presented in the way the client was registered for.
        """
