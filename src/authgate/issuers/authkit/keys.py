"""AuthKit's public keys, from its JWK Set: which of them may verify (RFC 7517 section 5)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from authgate.issuers.authkit.documents import Trouble
from authgate.observe import log
from authgate.protocol.tokens_elsewhere import ALGORITHM, MAX_KEY_NAME
from authgate.security.key_material import MAX_RSA_BITS, RSA_BITS, VerifyingKey

MAX_KEYS = 32  # of a set that holds two or three

_NUMBER = re.compile(r"[A-Za-z0-9_-]{2,1400}", re.ASCII)

Keys = Mapping[str, VerifyingKey]


def read_keys(document: Mapping[str, object]) -> Keys:
    """The keys of a set by name; raises `Trouble` if none can verify.

    A set without a usable key is a fault at the other end and no withdrawal: those of before serve.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise Trouble("is no JWK Set")
    if len(listed) > MAX_KEYS:
        log.warning("authkit.keys_too_many", count=len(listed), read=MAX_KEYS)
    keys: dict[str, VerifyingKey] = {}
    for jwk in listed[:MAX_KEYS]:
        key = _read(jwk)
        if key is not None:
            keys.setdefault(key.kid, key)
    if not keys:
        raise Trouble(f"holds no {ALGORITHM} key that can be used")
    return keys


def _read(jwk: object) -> VerifyingKey | None:
    """A key for our one algorithm, public, named, and of a size that means something.

    What a key may verify is decided here and not by a token (RFC 8725 section 3.1): another type
    or another algorithm's key never gets in, and `oct` keys, which would sign too, least of all.
    """
    if not isinstance(jwk, Mapping) or "d" in jwk:
        return None
    kid, modulus, exponent = jwk.get("kid"), jwk.get("n"), jwk.get("e")
    fits = (
        jwk.get("kty") == "RSA"
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", ALGORITHM) == ALGORITHM
    )
    if not fits or not isinstance(kid, str) or not 0 < len(kid) <= MAX_KEY_NAME:
        return None
    if not isinstance(modulus, str) or not _NUMBER.fullmatch(modulus):
        return None
    # 65537 and nothing else: smaller ones are known weak, larger ones slow every call.
    if exponent != "AQAB" or not RSA_BITS <= _bits(modulus) <= MAX_RSA_BITS:
        log.warning("authkit.key_unusable", kty="RSA", bits=_bits(modulus))
        return None
    try:
        public = RSAKey.import_key({"kty": "RSA", "n": modulus, "e": exponent})
    except (JoseError, ValueError):
        return None
    return VerifyingKey(kid=kid, algorithm=ALGORITHM, public=public)


def _bits(number: str) -> int:
    """How long a number in base64url is (RFC 7518 section 2); 0 for what is none."""
    try:
        data = urlsafe_b64decode(number + "=" * (-len(number) % 4))
    except ValueError:
        return 0
    return int.from_bytes(data, "big").bit_length()
