"""Supabase's own access tokens, for callers that still have them (legacy acceptance).

Signed with an asymmetric key: judged here with the project's public keys. Signed with HS256: asked
at `GET /user`, since the secret that verifies also signs and is nothing to hold. Only a person's
token passes: role `authenticated`, a `sub`, not anonymous. An API key is a JWT as well, and is
never taken nor sent on. Never here: whether legacy tokens are accepted at all (the gateway).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authgate.directories.contract import Refused, SignedIn, Unavailable
from authgate.directories.recent import Recent
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.errors import USER, react, unexpected
from authgate.directories.supabase.keys import ProjectKeys, PublicKey
from authgate.directories.supabase.people import MAX_DISPLAY, NAME, Member, is_uuid, read_member
from authgate.directories.supabase.policy import SupabasePolicy
from authgate.protocol.errors import Refusal
from authgate.protocol.records import Person
from authgate.security import compact

MAX_TOKEN = 16_384
LEEWAY = 5  # seconds between Supabase's clock and ours
KEEP_USER = 30.0  # for a ban or a sign-out to be seen; `GET /user` sees them at once

_ALGORITHMS = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
    ("RSA", None): ("RS256", "RS512"),
}
_METHOD = re.compile(r"[a-z0-9/_-]{1,40}", re.ASCII)
_RFC_8176 = {"password": "pwd", "totp": "otp", "mfa/phone": "sms"}

Verdict = SignedIn | Refused | Unavailable


class AccessTokens:
    """`clock` in seconds since the epoch, `monotonic` for what is remembered."""

    def __init__(
        self,
        api: SupabaseApi,
        policy: SupabasePolicy,
        keys: ProjectKeys,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._api = api
        self._policy = policy
        self._keys = keys
        self._clock = clock
        self._users: Recent[Member | Refused | Unavailable] = Recent(_keep_for, clock=monotonic)

    async def verify(self, token: str) -> Verdict:
        """Whose access token this is, if it is one and good."""
        if len(token) > MAX_TOKEN:
            return Refused()
        try:
            _, head, body, _ = compact.split(token)
            header = compact.json_object(compact.decode_segment(head))
            claims = compact.json_object(compact.decode_segment(body))
        except Refusal:
            return Refused()
        # Before any request: a stranger's token must not cost one, and an API key must not travel.
        if "crit" in header or not self._may_pass(claims):
            return Refused()
        if header.get("alg") == "HS256":
            return await self._asked(token, claims)
        return await self._verified(token, header, claims)

    async def close(self) -> None:
        """Drop what is being asked."""
        await self._users.close()

    def _may_pass(self, claims: Mapping[str, object]) -> bool:
        now, exp, nbf = self._clock(), claims.get("exp"), claims.get("nbf", 0)
        aud, sub = claims.get("aud"), claims.get("sub")
        return (
            claims.get("iss") == self._policy.issuer
            and aud in ("authenticated", ["authenticated"])
            and claims.get("role") == "authenticated"
            and isinstance(sub, str)
            and is_uuid(sub)
            and claims.get("is_anonymous", False) is False
            and claims.get("aal") in (("aal2",) if self._policy.require_aal2 else ("aal1", "aal2"))
            and isinstance(exp, int | float)
            and now < exp + LEEWAY
            and isinstance(nbf, int | float)
            and nbf <= now + LEEWAY
        )

    async def _verified(
        self, token: str, header: Mapping[str, object], claims: Mapping[str, Any]
    ) -> Verdict:
        kid, alg = header.get("kid"), header.get("alg")
        if not isinstance(kid, str) or not isinstance(alg, str):
            return Refused()
        if not any(alg in names for names in _ALGORITHMS.values()):
            return Refused()
        key = await self._keys.find(kid)
        if isinstance(key, Unavailable):
            return key
        if key is None or alg not in _algorithms(key):
            return Refused()
        try:
            jws.deserialize_compact(token, key, algorithms=[alg])
        except (JoseError, ValueError):
            return Refused()
        email = claims.get("email")
        shown = email if isinstance(email, str) and email.isprintable() and email else claims["sub"]
        return SignedIn(_person(claims, shown[:MAX_DISPLAY]))

    async def _asked(self, token: str, claims: Mapping[str, Any]) -> Verdict:
        name = hashlib.sha256(token.encode()).hexdigest()
        member = await self._users.get(name, lambda: self._user(token))
        if not isinstance(member, Member):
            return member
        if member.sub != claims["sub"] or member.anonymous or member.shut_out(self._clock()):
            return Refused()
        return SignedIn(_person(claims, member.display))

    async def _user(self, token: str) -> Member | Refused | Unavailable:
        reply = await self._api.user(token)
        if not isinstance(reply, Said) or not reply.ok:
            return react(reply, USER, "user")
        return read_member(reply.body) or unexpected(reply, "user")


def _algorithms(key: PublicKey) -> tuple[str, ...]:
    """What a key may verify is the key's own, whatever the token says (RFC 8725 section 3.1)."""
    match key:
        case ECKey() | OKPKey():
            return _ALGORITHMS.get((key.key_type, key.curve_name), ())
        case RSAKey():
            return _ALGORITHMS["RSA", None]


def _person(claims: Mapping[str, Any], display: str) -> Person:
    listed = claims.get("amr")
    named = [one.get("method") for one in listed if isinstance(one, dict)] if listed else []
    methods = tuple(
        _RFC_8176.get(one, one) for one in named if isinstance(one, str) and _METHOD.fullmatch(one)
    )
    assurance = 2 if claims["aal"] == "aal2" else 1
    return Person(claims["sub"], NAME, display, methods, assurance)


def _keep_for(value: Member | Refused | Unavailable) -> float:
    return 0 if isinstance(value, Unavailable) else KEEP_USER
