"""What is sealed of a kept session: its tokens, no more of them than can be used, and whose it is.

Never here: where it is kept and when it ends (`kept`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import orjson

from authgate.directories.supabase.people import Session
from authgate.protocol.errors import Refusal
from authgate.security import compact
from authgate.security.vault import SealedValueUnreadable, Vault

# A project's hook may put much into an access token; ordinary ones have a thousand characters. One
# that is longer than this could not be asked with: many gateways take no header above 8 KiB.
MAX_ACCESS = 8000
MAX_REFRESH = 1024
MARGIN = 30  # seconds before its end in which an access token is not used: clocks differ

_PURPOSE = "supabase session"


@dataclass(frozen=True, slots=True)
class KeptState:
    """What is sealed. `ends` is when the access token is used no more, `session` the session's id
    at Supabase."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    ends: float
    session: str


class SealedSessions:
    """Seals and opens. `clock` in seconds since the epoch."""

    def __init__(self, vault: Vault, clock: Callable[[], float]) -> None:
        self._vault = vault
        self._clock = clock

    def seal(self, session: Session) -> str | None:
        """A session as it is kept; None for one that cannot be. An access token that is too long
        stays out: then each question is a refresh."""
        access, refresh = session.access_token, session.refresh_token
        if not 0 < len(refresh) <= MAX_REFRESH:
            return None
        ends = self._clock() + session.lasts - MARGIN
        short = access if len(access) <= MAX_ACCESS else ""
        state = orjson.dumps([short, refresh, ends, session_of(access)])
        return self._vault.seal(state.decode(), _PURPOSE)

    def open(self, sealed: str) -> KeptState | None:
        """What was sealed; None if the secret that sealed it is gone."""
        try:
            return KeptState(*orjson.loads(self._vault.open(sealed, _PURPOSE)))
        except SealedValueUnreadable:
            return None


def session_of(access_token: str) -> str:
    """The session's id at Supabase, "" where the token does not tell; nothing is verified by it."""
    try:
        _, _, body, _ = compact.split(access_token)
        found = compact.json_object(compact.decode_segment(body)).get("session_id")
    except Refusal:
        return ""
    return found if isinstance(found, str) and len(found) <= 64 else ""
