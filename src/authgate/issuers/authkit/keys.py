"""AuthKit's public keys: its JWK Set, read for the one algorithm that AuthKit signs with."""

from __future__ import annotations

from collections.abc import Mapping

from authgate.issuers import jwks
from authgate.issuers.jwks import Keys
from authgate.protocol.tokens_elsewhere import ALGORITHM

__all__ = ["Keys", "read_keys"]


def read_keys(document: Mapping[str, object]) -> Keys:
    """The keys of AuthKit's set by name; raises `Trouble` if none can verify."""
    return jwks.read_keys(document, (ALGORITHM,), "authkit")
