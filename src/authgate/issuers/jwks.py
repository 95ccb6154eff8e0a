"""The public keys of an issuer elsewhere, from its JWK Set: which may verify (RFC 7517 section 5).

What a key may verify is decided here and not by a token (RFC 8725 section 3.1): a type or an
algorithm that was not asked for never gets in, and `oct` keys, which would sign too, least of all.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from authgate.issuers.documents import Trouble
from authgate.observe import log
from authgate.protocol.tokens_elsewhere import MAX_KEY_NAME
from authgate.security.key_material import MAX_RSA_BITS, RSA_BITS, JoseKey, VerifyingKey

MAX_KEYS = 32  # of a set that holds two or three

_NUMBER = re.compile(r"[A-Za-z0-9_-]{2,1400}", re.ASCII)
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_ALGORITHM = {"RSA": "RS256", "EC": "ES256"}

Keys = Mapping[str, VerifyingKey]


def read_keys(document: Mapping[str, object], algorithms: Collection[str], whose: str) -> Keys:
    """The keys of a set by name, for `algorithms`; raises `Trouble` if none can verify.

    A set without a usable key is a fault at the other end and no withdrawal: those of before serve.
    `whose` begins the names of the log lines.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise Trouble("is no JWK Set")
    if len(listed) > MAX_KEYS:
        log.warning(f"{whose}.keys_too_many", count=len(listed), read=MAX_KEYS)
    keys: dict[str, VerifyingKey] = {}
    for jwk in listed[:MAX_KEYS]:
        key = _read(jwk, algorithms, whose)
        if key is not None:
            keys.setdefault(key.kid, key)
    if not keys:
        raise Trouble(f"holds no {' or '.join(sorted(algorithms))} key that can be used")
    return keys


def _read(jwk: object, algorithms: Collection[str], whose: str) -> VerifyingKey | None:
    """A key that is public, named, and good for one of the algorithms."""
    if not isinstance(jwk, Mapping) or "d" in jwk:
        return None
    kid, kty = jwk.get("kid"), jwk.get("kty")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_NAME or not isinstance(kty, str):
        return None
    algorithm = _ALGORITHM.get(kty)
    if algorithm not in algorithms or algorithm is None or jwk.get("use", "sig") != "sig":
        return None
    if jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        public = _rsa(jwk, whose) if kty == "RSA" else _ec(jwk)
    except (JoseError, ValueError):
        return None
    return None if public is None else VerifyingKey(kid, algorithm, public)


def _rsa(jwk: Mapping[str, object], whose: str) -> JoseKey | None:
    """An RSA key of a size that means something."""
    modulus, exponent = jwk.get("n"), jwk.get("e")
    if not isinstance(modulus, str) or not _NUMBER.fullmatch(modulus):
        return None
    # 65537 and nothing else: smaller ones are known weak, larger ones slow every call.
    if exponent != "AQAB" or not RSA_BITS <= _bits(modulus) <= MAX_RSA_BITS:
        log.warning(f"{whose}.key_unusable", kty="RSA", bits=_bits(modulus))
        return None
    return RSAKey.import_key({"kty": "RSA", "n": modulus, "e": exponent})


def _ec(jwk: Mapping[str, object]) -> JoseKey | None:
    """A point of P-256; whether it is on the curve OpenSSL finds out."""
    x, y = jwk.get("x"), jwk.get("y")
    if jwk.get("crv") != "P-256" or not isinstance(x, str) or not isinstance(y, str):
        return None
    if not _COORDINATE.fullmatch(x) or not _COORDINATE.fullmatch(y):
        return None
    return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})


def _bits(number: str) -> int:
    """How long a number in base64url is (RFC 7518 section 2); 0 for what is none."""
    try:
        data = urlsafe_b64decode(number + "=" * (-len(number) % 4))
    except ValueError:
        return 0
    return int.from_bytes(data, "big").bit_length()
