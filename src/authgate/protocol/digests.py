"""Recognising a secret by its SHA-256 digest, in constant time."""

from __future__ import annotations

import hmac
from hashlib import sha256


def digest(secret: str) -> str:
    """The lower-case hexadecimal SHA-256 of a secret value."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same_digest(secret: str, kept: str) -> bool:
    """Is `secret` the value whose digest was `kept`? Compared in constant time."""
    return hmac.compare_digest(digest(secret), kept)
