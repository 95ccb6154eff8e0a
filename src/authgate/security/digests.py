"""How secrets are made: 256 random bits, kept and compared as SHA-256 digests only.

A digest of 256 random bits needs no salt and no slow hash: there is nothing to guess. Passwords,
which people choose, are the embedded directory's business and go through argon2id.
"""

from __future__ import annotations

import secrets

from authgate.protocol.digests import digest, same_digest

__all__ = [
    "digest",
    "new_identifier",
    "new_one_time_code",
    "new_ordered_identifier",
    "new_secret",
    "same_digest",
]


def new_secret() -> str:
    """A fresh secret: 256 random bits as 43 base64url characters."""
    return secrets.token_urlsafe(32)


def new_one_time_code() -> str:
    """128 random bits that a person copies from a page: hexadecimal, so that a double click takes
    all of it and nobody mistakes a letter for another. For minutes, and for one use."""
    return secrets.token_hex(16)


def new_identifier(prefix: str) -> str:
    """A fresh public identifier: `prefix` and 128 random bits as 22 base64url characters."""
    return prefix + secrets.token_urlsafe(16)


def new_ordered_identifier(prefix: str, now: int) -> str:
    """Like `new_identifier`, with `now` (epoch seconds) in front of the random bits.

    Rows made one after another then stand side by side in the index, which saves a store with
    many of them a tenth to a fifth of its writing. It tells when it was made, so it is for
    identifiers whose age is no secret.
    """
    return f"{prefix}{now:08x}{secrets.token_urlsafe(16)}"
