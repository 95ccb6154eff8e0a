"""Proof Key for Code Exchange (RFC 7636), S256 only: `plain` and no method at all are refused."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from hashlib import sha256

from authgate.protocol.errors import Reason, Refusal

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


def check_challenge(challenge: str | None, method: str | None) -> str:
    """The challenge of an authorization request, or a refusal (RFC 7636 section 4.4.1).

    An absent method means `plain` (section 4.3), which OAuth 2.1 does not allow.
    """
    if challenge is None:
        raise Refusal(Reason.PKCE_MISSING)
    if method != "S256":
        raise Refusal(Reason.PKCE_METHOD)
    if not _CHALLENGE.fullmatch(challenge):
        raise Refusal(Reason.PKCE_CHALLENGE_MALFORMED)
    return challenge


def check_verifier(verifier: str | None) -> str:
    """The verifier of a token request, well formed (RFC 7636 section 4.1), or a refusal."""
    if verifier is None:
        raise Refusal(Reason.PKCE_VERIFIER_MISSING)
    if not _VERIFIER.fullmatch(verifier):
        raise Refusal(Reason.PKCE_VERIFIER_MALFORMED)
    return verifier


def verifier_fits(verifier: str, challenge: str) -> bool:
    """Does BASE64URL(SHA-256(verifier)) equal the challenge (RFC 7636 section 4.6)?"""
    made = urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode("ascii"))
