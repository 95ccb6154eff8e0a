"""The stand-in's tokens: access tokens of people, the JWT-shaped API keys, the JWK set."""

from __future__ import annotations

import secrets
import uuid
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from tests.standins.supabase_state import Session


class Signer:
    """Signs as the project does: HS256 with the shared secret, or ES256 with a named key."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.secret = secrets.token_urlsafe(32)
        self._shared = OctKey.import_key(self.secret)
        self._key = _new_key()
        self._published = [self._key]

    def rotate(self) -> None:
        """A new key signs from now on; the earlier ones stay published."""
        self._key = _new_key()
        self._published.append(self._key)

    def jwks(self) -> dict[str, Any]:
        if self.algorithm == "HS256":
            return {"keys": []}
        keys = [key.as_dict(private=False) for key in self._published]
        return {"keys": [{**key, "alg": "ES256", "use": "sig"} for key in keys]}

    def sign(self, claims: dict[str, Any]) -> str:
        if self.algorithm == "HS256":
            return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, self._shared)
        header = {"alg": "ES256", "typ": "JWT", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key)

    def api_key(self, role: str) -> str:
        """A key of the old kind: always HS256, no `sub`, ten years."""
        claims = {"iss": "supabase", "role": role, "iat": 1_700_000_000, "exp": 2_000_000_000}
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, self._shared)

    def read(self, token: str, now: float) -> dict[str, Any] | None:
        """The claims of a token of ours that has not expired."""
        keys: list[OctKey | ECKey] = [self._shared, *self._published]
        for key in keys:
            algorithm = "HS256" if key is self._shared else "ES256"
            try:
                claims = dict(jwt.decode(token, key, algorithms=[algorithm]).claims)
            except (JoseError, ValueError):
                continue
            return claims if claims.get("exp", 0) > now else None
        return None


def access_claims(session: Session, issuer: str, now: float, lasts: int) -> dict[str, Any]:
    user = session.user
    return {
        "iss": issuer,
        "sub": user.id,
        "aud": "authenticated",
        "exp": int(now) + lasts,
        "iat": int(now),
        "email": user.email,
        "phone": user.phone,
        "app_metadata": user.app_metadata,
        "user_metadata": user.user_metadata,
        "role": "authenticated",
        "aal": session.aal,
        "amr": session.amr,
        "session_id": session.id,
        "is_anonymous": user.anonymous,
    }


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": str(uuid.uuid4())}, private=True)
