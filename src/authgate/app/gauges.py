"""What changes by itself, looked at every few seconds while somebody counts: keys, pool, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from authgate.app.core import Core, now
from authgate.app.observing import counted
from authgate.observe import log, metrics
from authgate.security.keys import key_states
from authgate.security.limits import Throttles
from authgate.store.contract import StoreUnavailable

LOOK_EVERY = 5.0


@runtime_checkable
class Pooled(Protocol):
    """A store with connections of its own."""

    def pool_stats(self) -> Mapping[str, int]: ...


async def looking(core: Core, throttles: Throttles) -> None:
    """Look for as long as the process lives and somebody counts."""
    seen = 0
    while counted():
        try:
            values = await _keys(core)
            if isinstance(core.store, Pooled):
                values |= _pool(core.store.pool_stats())
            metrics.record.watched(values)
            fallbacks = throttles.fallbacks
            metrics.record.limit_fallbacks(fallbacks - seen)
            seen = fallbacks
        except StoreUnavailable:
            pass  # others tell that, and louder
        except Exception as trouble:  # a bug too: the look must not end unheard
            log.error("metrics.look_broken", error=type(trouble).__name__)
        await asyncio.sleep(LOOK_EVERY)


async def _keys(core: Core) -> dict[str, float]:
    states = key_states(await core.store.signing_keys(), now())
    signing = [key.created_at for key, state in states if state == "signing"]
    published = sum(state != "retired" for _, state in states)
    made = {"authgate_signing_key_timestamp_seconds": float(signing[0])} if signing else {}
    return {"authgate_signing_keys": float(published), **made}


def _pool(stats: Mapping[str, int]) -> dict[str, float]:
    """By the names that the pool has for them."""
    return {
        f"authgate_store_pool_{name}": float(stats[name])
        for name in ("size", "open", "busy", "waiting")
        if name in stats
    }
