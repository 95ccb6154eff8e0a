"""Access tokens: what is in them, when one is good, and how a resource asks for one.

The form is RFC 9068 (JWT profile), the checks are its section 4, the challenge is RFC 6750
section 3 with the parameters the MCP specification adds. Signatures are `security.keys`' business;
whether the grant is still alive is a question to the store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Grant

TYPES = frozenset({"at+jwt", "application/at+jwt"})
MAX_TOKEN_LENGTH = 8192


def access_claims(
    grant: Grant, scopes: Collection[str], *, issuer: str, now: int, ttl: int, jti: str
) -> dict[str, object]:
    """The claims of an access token of `grant` (RFC 9068 section 2.2): one audience, never more.

    `now` and `ttl` in seconds. `gid` names the grant, so that ending it ends the token at once.
    """
    return {
        "iss": issuer,
        "sub": grant.person.sub,
        "aud": grant.resource,
        "client_id": grant.client_id,
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + ttl,
        "jti": jti,
        "gid": grant.grant_id,
        "auth_time": grant.authenticated_at,
    }


def check_header(header: Mapping[str, object], allowed: Collection[str]) -> None:
    """Refuse a JOSE header we would not have written (RFC 8725 sections 3.1, 3.11; RFC 9068 4).

    A key in the header is never trusted, and a critical extension is one we do not know.
    """
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise Refusal(Reason.TOKEN_SIGNATURE)
    if any(name in header for name in ("crit", "jwk", "jku", "x5u", "x5c")):
        raise Refusal(Reason.TOKEN_SIGNATURE)
    kind = header.get("typ")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise Refusal(Reason.TOKEN_TYPE)


def check_claims(
    claims: Mapping[str, object],
    *,
    issuer: str,
    resource: str | None,
    now: int,
    check_time: bool = True,
    leeway: int = 0,
) -> None:
    """Refuse claims that do not make an access token for `resource` at `now` (RFC 9068 section 4).

    `resource` None accepts any audience (revocation, introspection). No `leeway` (seconds) on `exp`
    where we issue: the token is our own and so is the clock.
    """
    for name in ("iss", "sub", "client_id", "jti", "gid"):
        value = claims.get(name)
        if not isinstance(value, str) or not value:
            raise Refusal(Reason.TOKEN_MALFORMED)
    for name in ("exp", "iat"):
        value = claims.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refusal(Reason.TOKEN_MALFORMED)
    if claims["iss"] != issuer:
        raise Refusal(Reason.TOKEN_ISSUER)
    check_audience(claims.get("aud"), resource)
    check_lifetime(claims, now=now, check_time=check_time, leeway=leeway)


def check_audience(audience: object, resource: str | None) -> None:
    """`aud` must be exactly one resource, and `resource` if one is named (RFC 8707 section 2)."""
    if not isinstance(audience, str) or not audience:
        raise Refusal(Reason.TOKEN_AUDIENCE, resource=resource or "the resource")
    if resource is not None and audience != resource:
        raise Refusal(Reason.TOKEN_AUDIENCE, resource=resource)


def check_lifetime(
    claims: Mapping[str, object], *, now: int, check_time: bool, leeway: int = 0
) -> None:
    """`exp` in the future, `nbf` (if any) not, as RFC 7519 sections 4.1.4 and 4.1.5 want it.

    `leeway` in seconds, for the clock of another machine.
    """
    not_before = claims.get("nbf")
    if not_before is not None and (not isinstance(not_before, int) or isinstance(not_before, bool)):
        raise Refusal(Reason.TOKEN_MALFORMED)
    if not check_time:
        return
    expires_at = claims["exp"]
    if not isinstance(expires_at, int) or expires_at + leeway <= now:
        raise Refusal(Reason.TOKEN_EXPIRED)
    if not_before is not None and not_before > now + leeway:
        raise Refusal(Reason.TOKEN_MALFORMED)


def bearer_token(authorization: str | None) -> str:
    """The token of an `Authorization` header (RFC 6750 section 2.1); raises `Refusal`.

    The scheme is case-insensitive (RFC 9110 section 11.1). Any other scheme counts as no token.
    """
    if not authorization:
        raise Refusal(Reason.TOKEN_MISSING)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Refusal(Reason.TOKEN_MISSING)
    token = token.strip(" ")
    if not token or len(token) > MAX_TOKEN_LENGTH or " " in token or not token.isascii():
        raise Refusal(Reason.TOKEN_MALFORMED)
    return token


def check_grant(grant: Grant | None, *, sub: str, client_id: str) -> Grant:
    """The grant an access token names, alive and of the person and client the token names.

    The last is always so in a token of ours: whoever signs with a key that leaked cannot choose a
    person. Everything that believes an access token asks this, and not the claims alone.
    """
    if grant is None or grant.revoked_at is not None:
        raise Refusal(Reason.TOKEN_ENDED)
    if (grant.person.sub, grant.client_id) != (sub, client_id):
        raise Refusal(Reason.TOKEN_MALFORMED)
    return grant


def check_scope(granted: Collection[str], wanted_any: Collection[str]) -> None:
    """At least one of `wanted_any` must be granted (RFC 6750 section 3.1, insufficient_scope)."""
    if wanted_any and not set(granted) & set(wanted_any):
        raise Refusal(Reason.SCOPE_INSUFFICIENT, scope=" ".join(wanted_any))


@dataclass(frozen=True, slots=True)
class Challenger:
    """Makes the `WWW-Authenticate` value of one resource (RFC 6750 section 3, RFC 9728 5.1).

    `metadata_url` is the protected resource metadata's address, `scopes` what a client should ask.
    """

    metadata_url: str
    scopes: tuple[str, ...]

    def challenge(self, refusal: Refusal | None, scopes: tuple[str, ...] | None = None) -> str:
        """The header value; without `refusal`, or when no token came, it names no `error`.

        `scopes` are what this very request takes, where that is known.
        """
        scopes = self.scopes if scopes is None else scopes
        parts = []
        if refusal is not None and refusal.reason is not Reason.TOKEN_MISSING:
            parts.append(f'error="{refusal.code}"')
            parts.append(f'error_description="{refusal.sentence}"')
        parts.append(f'resource_metadata="{self.metadata_url}"')
        if scopes:
            parts.append(f'scope="{" ".join(scopes)}"')
        return "Bearer " + ", ".join(parts)
