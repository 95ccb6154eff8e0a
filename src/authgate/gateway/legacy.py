"""Callers with what they had before there was OAuth: Supabase's own access tokens, static API keys.

Each raises `Refusal` with a sentence for the caller, as the checks of our own tokens do. Never
here: whether legacy callers pass at all (`protocol.rollout`), and what goes to the upstream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol

from authgate.directories.contract import Refused, SignedIn, Unavailable
from authgate.gateway.caller import Caller
from authgate.gateway.credentials import Presented
from authgate.observe import log
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import ApiKey
from authgate.protocol.rollout import Kind, Rules
from authgate.store.contract import Store
from authgate.web.answers import Header

WAIT = 2.0  # seconds
RETRY_AFTER = 5  # seconds, where nobody said how long
_NAMES = {
    Kind.SUPABASE: "Supabase access tokens",
    Kind.API_KEY: "API keys",
    Kind.EXISTING_KEY: "API keys",
}


class SupabaseTokens(Protocol):
    """Who can tell whose access token of the project one is."""

    async def verify_access_token(self, token: str) -> SignedIn | Refused | Unavailable: ...


@dataclass(slots=True)
class Legacy:
    """`scopes` are what a person with a Supabase token has, `used` is told of every key used."""

    store: Store
    supabase: SupabaseTokens | None
    scopes: tuple[str, ...]
    used: Callable[[ApiKey], None]
    monotonic: Callable[[], float] = time.monotonic
    _silent_until: float = float("-inf")

    async def caller(self, presented: Presented, key: ApiKey | None, now: int) -> Caller:
        """Who has this legacy credential; raises `Refusal`. `key`: what is known of an existing
        one, which was found by what is known of it."""
        if presented.kind is Kind.SUPABASE:
            return await self._person(presented)
        if presented.kind is Kind.API_KEY:
            key = await self.find_key(presented.value)
        return self._holder(presented.kind, key, now)

    async def find_key(self, value: str) -> ApiKey | None:
        """What is known of a key."""
        return await self.store.api_key(digest(value))

    async def _person(self, presented: Presented) -> Caller:
        match await self._verdict(presented.value):
            case SignedIn(person):
                # The claims are proven now, and `verify_access_token` has looked at the same.
                return Caller(
                    person.sub,
                    "",
                    self.scopes,
                    "",
                    person.display,
                    presented.expires_at,
                    Kind.SUPABASE,
                )
            case Unavailable(retry_after):
                raise Refusal(Reason.LEGACY_UNAVAILABLE, retry_after=retry_after or RETRY_AFTER)
            case Refused():
                raise Refusal(Reason.SUPABASE_TOKEN_REFUSED)

    async def _verdict(self, token: str) -> SignedIn | Refused | Unavailable:
        """Supabase's word, for which nobody waits long: until now no call had to wait for it. Where
        it does not come, the next calls are not kept waiting either."""
        assert self.supabase is not None  # or no token would be of this kind
        if self.monotonic() < self._silent_until:
            return Unavailable()
        try:
            async with asyncio.timeout(WAIT):
                return await self.supabase.verify_access_token(token)
        except TimeoutError:
            self._silent_until = self.monotonic() + RETRY_AFTER
            log.warning("legacy.unanswered", seconds=WAIT)
            return Unavailable()

    def _holder(self, kind: Kind, key: ApiKey | None, now: int) -> Caller:
        if key is None:
            raise Refusal(Reason.API_KEY_UNKNOWN)
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            raise Refusal(Reason.API_KEY_ENDED)
        self.used(key)
        return Caller(
            key.sub or key.key_id, "", key.scopes, "", key.name, key.expires_at or 0, kind
        )


def over(kind: Kind, rules: Rules) -> Refusal:
    """The refusal of a credential whose time is over, with the date."""
    until = rules.until(kind)
    assert until is not None
    return Refusal(Reason.LEGACY_OVER, what=_NAMES[kind], since=_day(until))


def farewell(kind: Kind, rules: Rules) -> tuple[Header, ...]:
    """The headers that tell a program in good time (RFC 9745 section 2, RFC 8594 section 3)."""
    until = rules.until(kind)
    if until is None:
        return ()
    announced = min(rules.announced_at, until)  # RFC 9745 section 4: never after the end
    return (
        (b"deprecation", f"@{announced}".encode()),
        (b"sunset", format_datetime(_utc(until), usegmt=True).encode()),
    )


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _day(seconds: int) -> str:
    return _utc(seconds).strftime("%Y-%m-%d %H:%M UTC")
