"""The compact form of a signed token, taken apart strictly (RFC 7515 section 3.1).

Strictly, because Python's own base64 skips characters it does not know and ignores bits that mean
nothing: one token would then have many spellings. Every function raises `Refusal`, nothing else.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from binascii import a2b_base64

import orjson

from authgate.protocol.errors import Reason, Refusal

_TO_STANDARD = bytes.maketrans(b"-_+/", b"+/  ")  # the standard alphabet's own two are not ours
_PADDING = (b"", b"===", b"==", b"=")


def b64encode(data: bytes) -> bytes:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")


def split(token: str) -> tuple[bytes, bytes, bytes, bytes]:
    """Signing input, header, payload and signature segments."""
    try:
        raw = token.encode("ascii")
    except UnicodeEncodeError:
        raise Refusal(Reason.TOKEN_MALFORMED) from None
    if raw.count(b".") != 2:
        raise Refusal(Reason.TOKEN_MALFORMED)
    signing_input, _, signature = raw.rpartition(b".")
    head, _, body = signing_input.partition(b".")
    return signing_input, head, body, signature


def decode_segment(segment: bytes) -> bytes:
    """The bytes of a segment in its one canonical spelling."""
    try:
        padded = segment.translate(_TO_STANDARD) + _PADDING[len(segment) % 4]
        data = a2b_base64(padded, strict_mode=True)
    except ValueError:
        raise Refusal(Reason.TOKEN_MALFORMED) from None
    if b64encode(data) != segment:
        raise Refusal(Reason.TOKEN_MALFORMED)
    return data


def json_object(data: bytes) -> dict[str, object]:
    """The JSON object in `data`."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Refusal(Reason.TOKEN_MALFORMED) from None
    if not isinstance(value, dict):
        raise Refusal(Reason.TOKEN_MALFORMED)
    return value
