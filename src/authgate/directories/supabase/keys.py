"""The project's public signing keys, fetched when they are needed and not more often.

A key name that is not known may be a rotation or a stranger's invention: it causes a look at most
once in a cooldown, for everybody together. So made-up names cost one request in that time, and a
real rotation is seen that much later at worst, whoever else is asking. (Remembering every unknown
name would need a bound of its own, and would delay the very key that is about to appear.) Whose key
is known never waits for a look: a project that accepts connections and says nothing would else hold
up every call, a whole deadline each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authgate.directories.contract import Unavailable
from authgate.directories.recent import Recent
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.errors import RETRY_OUTAGE, react
from authgate.observe import log

KEEP = 600.0  # what Supabase itself tells caches
COOLDOWN = 10.0
LOOK = (
    1.5  # seconds that a call waits for an unknown key: less than the gateway waits for a verdict
)
STALE = 3600.0  # an outage must not lock out people whose key we know; nor may a withdrawn one live
MAX_KEYS = 32
_KEY = "jwks"

PublicKey = ECKey | RSAKey | OKPKey


class ProjectKeys:
    """Keys by name. For one event loop."""

    def __init__(self, api: SupabaseApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched = self._tried = float("-inf")
        self._failed = False
        self._asking: Recent[None] = Recent(lambda _: 0, clock=clock)

    async def find(self, kid: str) -> PublicKey | Unavailable | None:
        """The key of this name; None if the project has none."""
        now = self._clock()
        due = now - self._fetched >= KEEP or kid not in self._keys
        if due and (now - self._tried >= COOLDOWN or self._asking.holds(_KEY)):
            look = self._asking.begin(_KEY, self._refresh)
            if (kid not in self._keys or self._are_stale()) and not await _ends(look):
                return Unavailable(RETRY_OUTAGE)
        unsure = self._failed and kid not in self._keys  # it may be the new key, behind the outage
        if unsure or self._are_stale():
            return Unavailable(RETRY_OUTAGE)
        return self._keys.get(kid)

    def _are_stale(self) -> bool:
        return self._clock() - self._fetched >= STALE

    async def close(self) -> None:
        """Drop what is being asked."""
        await self._asking.close()

    async def _refresh(self) -> None:
        self._tried = self._clock()
        self._failed = True
        reply = await self._api.public("/.well-known/jwks.json")
        if not isinstance(reply, Said) or not reply.ok:
            react(reply, {}, "jwks")
            return
        listed = reply.body.get("keys")
        found = listed if isinstance(listed, list) else []
        self._keys = dict(filter(None, map(_read, found[:MAX_KEYS])))
        self._fetched = self._clock()
        self._failed = False


async def _ends(look: asyncio.Task[None]) -> bool:
    """Wait for it, but not for long; it goes on for whoever comes next."""
    done, _ = await asyncio.wait([look], timeout=LOOK)
    for task in done:
        task.result()  # a bug is told to whoever waited for it
    return bool(done)


def _read(jwk: object) -> tuple[str, PublicKey] | None:
    """A key that may verify: public, asymmetric, named. `oct` keys never come in (RFC 8725 3.1)."""
    if not isinstance(jwk, Mapping):
        return None
    kid, kty = jwk.get("kid"), jwk.get("kty")
    if not isinstance(kid, str) or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    public: dict[str, Any] = {
        name: value
        for name, value in jwk.items()
        if name in ("kty", "crv", "x", "y", "n", "e") and isinstance(value, str)
    }
    try:
        if kty == "EC":
            return kid, ECKey.import_key(public)
        if kty == "RSA":
            return kid, RSAKey.import_key(public)
        if kty == "OKP":
            return kid, OKPKey.import_key(public)
    except (JoseError, ValueError):
        log.warning("supabase.key_unreadable", kty=kty)
    return None
