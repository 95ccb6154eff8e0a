"""Access tokens of an issuer elsewhere: when one is good for us.

RFC 9068 section 4 as far as it applies, and RFC 8725. Neighbour: `tokens` has the rules for our own
tokens, which are stricter where we know that we wrote them. Signatures are the issuer's module's
business, the person behind the token is `gateway.standing`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from authgate.protocol.errors import Reason, Refusal

ALGORITHM = "RS256"

# Seconds between the issuer's clock and ours. Two clocks that are kept differ by milliseconds; this
# is for a machine that has just woken up. Its price is as small: tokens that live 300 seconds live
# 310. Without it a clock of ours that is slow refuses fresh tokens (`nbf`), and clients that are
# refused a fresh token ask for another, and another.
LEEWAY = 10

MAX_KEY_NAME = 256

# AuthKit's tokens say JWT where RFC 9068 section 2.1 wants at+jwt, and that it says anything is
# nowhere promised. What the type is there to tell apart, the audience does: an ID token is for the
# client and never for a resource. For the one audience that both could have, see `_is_id_token`.
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_NEVER = ("crit", "jwk", "jku", "x5u", "x5c")


def check_header(header: Mapping[str, object]) -> str:
    """The name of the key that signed; raises `Refusal` (RFC 8725 sections 3.1, 3.10, 3.11).

    One algorithm, whatever the header says, and no key or address of one from a header.
    """
    if header.get("alg") != ALGORITHM or any(name in header for name in _NEVER):
        raise Refusal(Reason.TOKEN_SIGNATURE)
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Refusal(Reason.TOKEN_TYPE)
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_NAME:
        raise Refusal(Reason.TOKEN_SIGNATURE)
    return kid


def check_issuer(claims: Mapping[str, object], issuer: str) -> None:
    """`iss` must be the issuer's exact string: a slash more is another issuer (RFC 8414 3.3)."""
    came = claims.get("iss")
    if came != issuer:
        raise Refusal(Reason.TOKEN_ISSUER_ELSEWHERE, came=_shown(came), expected=issuer)


def check_claims(claims: Mapping[str, object], accepted: Sequence[str], now: int) -> str:
    """The audience; raises `Refusal` for claims that make no access token for us at `now`.

    `accepted`: the audiences that are us. The first is the resource, further ones are allowed by
    the operator.
    """
    sub, expires_at = claims.get("sub"), claims.get("exp")
    if not isinstance(sub, str) or not sub or not _is_time(expires_at):
        raise Refusal(Reason.TOKEN_MALFORMED)
    for name in ("client_id", "sid", "scope", "jti"):
        if not isinstance(claims.get(name, ""), str):
            raise Refusal(Reason.TOKEN_MALFORMED)
    audience = check_audience(claims.get("aud"), accepted)
    if audience != accepted[0] and _is_id_token(claims):
        raise Refusal(Reason.TOKEN_TYPE)
    _check_time(claims, now)
    return audience


def check_audience(audience: object, accepted: Sequence[str]) -> str:
    """`aud` must be exactly one audience, and one of `accepted` (RFC 8707 section 2).

    A list of one says the same as a string (RFC 7519 section 4.1.3). A longer one is refused even
    if we are in it: whoever else is could take the token to us.
    """
    match audience:
        case str(one) | [str(one)]:
            if one in accepted:
                return one
        case _:
            pass
    raise Refusal(Reason.TOKEN_AUDIENCE_ELSEWHERE, came=_shown(audience), expected=accepted[0])


def is_over(expires_at: int, now: int) -> bool:
    """Has a token ended, with what we allow for two clocks?"""
    return expires_at + LEEWAY <= now


def _check_time(claims: Mapping[str, object], now: int) -> None:
    expires_at, not_before = claims["exp"], claims.get("nbf", 0)
    assert isinstance(expires_at, int)
    if not isinstance(not_before, int) or isinstance(not_before, bool):
        raise Refusal(Reason.TOKEN_MALFORMED)
    if is_over(expires_at, now):
        raise Refusal(Reason.TOKEN_EXPIRED)
    if not_before > now + LEEWAY:
        raise Refusal(Reason.TOKEN_MALFORMED)


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_id_token(claims: Mapping[str, object]) -> bool:
    """Only ID tokens have these (OpenID Connect Core sections 2 and 3.3.2.11)."""
    return any(name in claims for name in ("nonce", "at_hash", "c_hash"))


def _shown(value: object) -> str:
    """A claim as a refusal names it; whatever is odd in it the refusal makes printable."""
    match value:
        case None | "" | []:
            return "nobody in particular"
        case str():
            return value
        case list() if all(isinstance(one, str) for one in value):
            return " and ".join(value[:5])
        case _:
            return "something unreadable"
