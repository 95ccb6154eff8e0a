"""Was this event told by WorkOS, and just now?

The SDK's helper does not fit: it takes the time from the clock, wants the header's two parts joined
by a comma and one blank to the letter, and puts the header into its error.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import Any

TOLERANCE = 180  # seconds, either way; WorkOS's own
MAX_HEADER = 512


@dataclass(frozen=True, slots=True)
class Event:
    """A genuine event. The same `id` may come again, and out of order: compare `created_at`."""

    id: str
    name: str
    data: dict[str, Any] = field(repr=False)
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class NotGenuine:
    """Nothing to act on. `why` is ours, in words for the operator's log."""

    why: str


def verify_webhook(
    body: bytes, signature_header: str | None, secret: str, now: float
) -> Event | NotGenuine:
    """The event in `body`, if `WorkOS-Signature` is right: `t=<milliseconds>, v1=<hex HMAC>`.

    `now` in seconds since the epoch. Nothing of the body is parsed before the signature is right.
    """
    if not signature_header or len(signature_header) > MAX_HEADER:
        return NotGenuine("no signature")
    issued, given = _parts(signature_header)
    if issued is None or not given:
        return NotGenuine("signature malformed")
    signed = issued.encode("ascii") + b"." + body
    right = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    # All are compared, whichever is right: while a secret is changed there may be several.
    if not any([hmac.compare_digest(right, one) for one in given]):  # noqa: C419
        return NotGenuine("signature wrong")
    if abs(now - int(issued) / 1000) > TOLERANCE:
        return NotGenuine("too old or from the future")
    return _event(body)


def _parts(header: str) -> tuple[str | None, list[str]]:
    issued, given = None, []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and re.fullmatch(r"[0-9]{1,16}", value, re.ASCII):
            issued = value
        elif name == "v1" and re.fullmatch(r"[0-9a-f]{64}", value, re.ASCII):
            given.append(value)
    return issued, given[:4]


def _event(body: bytes) -> Event | NotGenuine:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return NotGenuine("no JSON")
    if not isinstance(told, dict):
        return NotGenuine("no event")
    match told:
        case {"id": str(name), "event": str(event), "data": dict(data)} if name and event:
            created = told.get("created_at")
            return Event(name, event, data, created if isinstance(created, str) else "")
    return NotGenuine("no event")
