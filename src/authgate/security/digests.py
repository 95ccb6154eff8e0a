"""How secrets are made: 256 random bits, kept and compared as SHA-256 digests only.

A digest of 256 random bits needs no salt and no slow hash: there is nothing to guess. Passwords,
which people choose, are the embedded directory's business and go through argon2id.
"""

from __future__ import annotations

import secrets

from authgate.protocol.digests import digest, same_digest

__all__ = ["digest", "new_identifier", "new_secret", "same_digest"]


def new_secret() -> str:
    """A fresh secret: 256 random bits as 43 base64url characters."""
    return secrets.token_urlsafe(32)


def new_identifier(prefix: str) -> str:
    """A fresh public identifier: `prefix` and 128 random bits as 22 base64url characters."""
    return prefix + secrets.token_urlsafe(16)
