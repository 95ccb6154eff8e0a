"""What goes on beside the requests for as long as the process lives.

No job ends because of a trouble that may pass, and none holds anybody up.
"""

from __future__ import annotations

import asyncio

from authgate.app.core import Core, now
from authgate.observe import log, metrics
from authgate.security.key_material import KeyUnusable
from authgate.security.vault import SealedValueUnreadable
from authgate.store.contract import StoreUnavailable

SWEEP_EVERY = 60.0
SWEEP_FULL = 500  # a sweep that found this many rows is followed by another
SWEEP_AGAIN = 0.1  # 5,000 rows a second: a flood of requests must not outrun its removal
KEYS_EVERY = 5.0


async def sweeping(core: Core) -> None:
    """Remove what nothing can need any more, in small batches, for as long as the process lives."""
    while True:
        try:
            swept = await core.store.sweep(
                now(),
                access_ttl=core.policy.access_token_ttl,
                audit_days=core.settings.audit_days,
            )
            await core.store.forget_signing_keys(now())
            metrics.record.swept(swept.total, now())
            if swept.total:
                log.debug("store.swept", rows=swept.total)
            pause = SWEEP_AGAIN if swept.total >= SWEEP_FULL else SWEEP_EVERY
        except StoreUnavailable as trouble:
            log.warning("store.sweep_failed", detail=str(trouble))
            pause = SWEEP_EVERY
        except Exception as trouble:  # a bug too: a sweep that ended unheard would fill the disk
            log.error("store.sweep_broken", error=type(trouble).__name__)
            pause = SWEEP_EVERY
        await asyncio.sleep(pause)


async def reading_keys(core: Core) -> None:
    """See a rotation made by the command line or another worker within seconds; make it when due.

    After the reading, and only if that went well: a process whose secret does not open the key that
    signs would make one that the others cannot open.
    """
    while True:
        await asyncio.sleep(KEYS_EVERY)
        try:
            if await core.keys.refresh(now()):
                log.info("keys.changed")
            made = await core.keys.rotate_when_due(now(), core.settings.key_rotation_days)
            if made is not None:
                await core.keys.refresh(now())
                log.info("keys.rotated", kid=made.kid, signs_from=made.signs_from)
        except (StoreUnavailable, SealedValueUnreadable, KeyUnusable) as trouble:
            # The keys in use stay in use: one unreadable row must not end this watch.
            log.warning("keys.read_failed", detail=str(trouble))
        except Exception as trouble:  # or a rotation after a leak would not be seen here
            log.error("keys.watch_broken", error=type(trouble).__name__)
