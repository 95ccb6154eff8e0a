"""One signing key: made, read from PEM, kept, and put to use on bytes.

Crypto and key checks are joserfc's; the compact form is put together in `keys`, with the header
made once a key. Never here: which key signs, and what is signed. Neighbour: `keys`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    generate_private_key as generate_rsa_private_key,
)
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from authgate.protocol.records import SigningKey
from authgate.security.vault import Vault, base64url

ALGORITHMS = ("ES256", "RS256")
RSA_BITS = 2048
MAX_RSA_BITS = 8192
MAX_PEM_BYTES = 65536
PUBLIC_MEMBERS = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")

# joserfc's own allow-list: whatever else it can do is out of a token's reach (RFC 8725 3.1).
_REGISTRY = JWSRegistry(algorithms=list(ALGORITHMS))

PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey
JoseKey = ECKey | RSAKey


class KeyUnusable(Exception):
    """A key that cannot sign for us; the text says why and what to bring instead."""


def generate(algorithm: str) -> PrivateKey:
    """A fresh private key for `ES256` or `RS256`."""
    if algorithm == "ES256":
        return generate_private_key(SECP256R1())
    if algorithm == "RS256":
        return generate_rsa_private_key(public_exponent=65537, key_size=RSA_BITS)
    raise KeyUnusable(f"There is no signing algorithm {algorithm}; use ES256 or RS256.")


def read_pem(pem: bytes) -> PrivateKey:
    """The private key of a PEM file: EC P-256 or RSA of 2048 bits or more, not encrypted."""
    if len(pem) > MAX_PEM_BYTES:
        raise KeyUnusable("The file is too large to be a private key in PEM form.")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise KeyUnusable(
            "The private key is encrypted. Decrypt it first: "
            "openssl pkey -in FILE.pem -out PLAIN.pem"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        if b"PUBLIC KEY" in pem or b"CERTIFICATE" in pem:
            raise KeyUnusable(
                "The file holds a public key or a certificate; the private key is needed."
            ) from None
        raise KeyUnusable("The file holds no private key in PEM form that can be read.") from None
    return _check_kind(key)


def _check_kind(key: object) -> PrivateKey:
    if isinstance(key, EllipticCurvePrivateKey):
        if not isinstance(key.curve, SECP256R1):
            raise KeyUnusable(f"The curve {key.curve.name} is not supported; use EC P-256.")
        return key
    if isinstance(key, RSAPrivateKey):
        if not RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise KeyUnusable(
                f"An RSA key of {key.key_size} bits is not supported; use 2048 to {MAX_RSA_BITS}."
            )
        if key.public_key().public_numbers().e < 65537:
            raise KeyUnusable("The RSA key's public exponent is too small; use 65537.")
        return key
    raise KeyUnusable("Only EC P-256 and RSA keys can sign here.")


def to_record(key: PrivateKey, vault: Vault, *, created_at: int, signs_from: int) -> SigningKey:
    """The key as it is stored; its name is its RFC 7638 thumbprint."""
    jose = _jose_private(key)
    algorithm = "ES256" if isinstance(jose, ECKey) else "RS256"
    kid = jose.thumbprint()
    members = {**jose.as_dict(private=False), "kid": kid, "use": "sig", "alg": algorithm}
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return SigningKey(
        kid=kid,
        algorithm=algorithm,
        public_jwk=public_members(cast("dict[str, str]", members)),
        sealed_private=vault.seal(pem.decode("ascii"), purpose="signing key"),
        created_at=created_at,
        signs_from=signs_from,
    )


def public_members(jwk: dict[str, str]) -> dict[str, str]:
    """What may be published of a key: a list of what goes out, not of what stays (RFC 7517 9.2)."""
    return {name: jwk[name] for name in PUBLIC_MEMBERS if name in jwk}


def _jose_private(key: PrivateKey) -> JoseKey:
    if isinstance(key, EllipticCurvePrivateKey):
        return ECKey.import_key(key)
    return RSAKey.import_key(key)


@dataclass(frozen=True, slots=True, repr=False)
class VerifyingKey:
    """The public half of a stored key, ready for use. The record decides the algorithm."""

    kid: str
    algorithm: str
    public: JoseKey

    @classmethod
    def of(cls, record: SigningKey) -> VerifyingKey:
        """The key of a stored record; raises `KeyUnusable` if type and algorithm do not match."""
        jwk: dict[str, str | list[str]] = {**public_members(dict(record.public_jwk))}
        try:
            public: JoseKey = (
                ECKey.import_key(jwk) if record.algorithm == "ES256" else RSAKey.import_key(jwk)
            )
            _REGISTRY.get_alg(record.algorithm).check_key(public)
        except (JoseError, ValueError, KeyError):
            raise KeyUnusable(f"The stored key {record.kid} does not fit its algorithm.") from None
        return cls(kid=record.kid, algorithm=record.algorithm, public=public)

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Is this our signature? Whatever is odd about a stranger's bytes, the answer is no."""
        try:
            return _REGISTRY.get_alg(self.algorithm).verify(signing_input, signature, self.public)
        except (JoseError, ValueError, TypeError):
            return False


@dataclass(frozen=True, slots=True, repr=False)
class SignerKey:
    """The private half of a stored key, ready for use, with its JOSE header made once."""

    kid: str
    algorithm: str
    signs_from: int
    head: bytes
    private: JoseKey

    @classmethod
    def of(cls, record: SigningKey, vault: Vault) -> SignerKey:
        """Unseal a stored key; raises `SealedValueUnreadable`."""
        pem = vault.open(record.sealed_private, purpose="signing key")
        return cls(
            kid=record.kid,
            algorithm=record.algorithm,
            signs_from=record.signs_from,
            head=header_segment(record.kid, record.algorithm),
            private=_jose_private(read_pem(pem.encode("ascii"))),
        )

    def sign(self, signing_input: bytes) -> bytes:
        """The JWS signature of `signing_input`."""
        return _REGISTRY.get_alg(self.algorithm).sign(signing_input, self.private)


def header_segment(kid: str, algorithm: str, kind: str = "at+jwt") -> bytes:
    """The encoded JOSE header of a token a key signs; an access token's (RFC 9068 section 2.1)."""
    header = {"typ": kind, "kid": kid, "alg": algorithm}
    return base64url(orjson.dumps(header)).encode("ascii")
