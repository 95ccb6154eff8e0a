"""The stand-in's signing keys: one ring for sessions (API), one for AuthKit's tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey


class Ring:
    """RS256 keys: the last one signs, all that stand here are published."""

    def __init__(self) -> None:
        self.certificates: dict[str, bytes] = {}
        self._keys: list[RSAKey] = []

    @property
    def keys(self) -> list[RSAKey]:
        """Made when they are first wanted: most tests want one of the two rings."""
        if not self._keys:
            self._make()
        return self._keys

    def rotate(self, *, keep_old: bool = True) -> None:
        """A new key signs from now on; without `keep_old` the earlier ones are gone at once."""
        if not keep_old:
            self._keys.clear()
            self.certificates.clear()
        elif not self._keys:
            self._make()  # the old one, that nobody had asked for yet
        self._make()

    def _make(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        kid = "sso_oidc_key_pair_01" + secrets.token_hex(12).upper()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        self._keys.append(RSAKey.import_key(pem, {"kid": kid}))
        self.certificates[kid] = _certificate(key)
        del self._keys[:-10]

    def sign(self, claims: dict[str, Any]) -> str:
        key = self.keys[-1]
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": key.kid}, claims, key)

    def read(self, token: str, now: float) -> dict[str, Any] | None:
        """The claims of a token of this ring that has not expired."""
        for key in self.keys:
            try:
                claims = dict(jwt.decode(token, key, algorithms=["RS256"]).claims)
            except (JoseError, ValueError):
                continue
            return claims if claims.get("exp", 0) > now else None
        return None

    def jwks(self, *, certificates: bool = False) -> dict[str, Any]:
        return {"keys": [self._public(key, certificates) for key in self.keys]}

    def _public(self, key: RSAKey, certificates: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {**key.as_dict(private=False), "alg": "RS256", "use": "sig"}
        if certificates:
            der = self.certificates[str(key.kid)]
            digest = hashlib.sha256(der).digest()
            shown["x5c"] = [base64.b64encode(der).decode()]
            shown["x5t#S256"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return shown


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "workos stand-in")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)
