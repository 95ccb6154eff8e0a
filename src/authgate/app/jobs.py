"""What goes on beside the requests for as long as the process lives.

No job ends because of a trouble that may pass, and none holds anybody up.
"""

from __future__ import annotations

import asyncio
import time

from authgate.app.core import Core, now
from authgate.app.steady import SteadyClock
from authgate.observe import log, metrics
from authgate.protocol import clock
from authgate.security.key_material import KeyUnusable
from authgate.security.vault import SealedValueUnreadable
from authgate.store.contract import StoreUnavailable

SWEEP_EVERY = 60.0
SWEEP_FULL = 500  # a sweep that found this many rows is followed by another
SWEEP_AGAIN = 0.1  # 5,000 rows a second: a flood of requests must not outrun its removal
KEYS_EVERY = 5.0
CLOCK_EVERY = 60.0
STEP_EVERY = 5.0  # was our clock set? Nobody else need be asked for that


async def sweeping(core: Core, steady: SteadyClock | None = None) -> None:
    """Remove what nothing can need any more, in small batches, for as long as the process lives.

    Nothing while the time by `steady` is not to be believed.
    """
    while True:
        if steady is not None and not steady.may_be_believed():
            await asyncio.sleep(SWEEP_EVERY)
            continue
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


class Clock:
    """Our clock beside the database's, looked at once a minute, and when ours was set.

    `said` is for `/readyz`.

    It never makes a node unready. Two clocks cannot tell which of them is wrong, and where it is
    the database's every node would leave at once. It is told loudly instead: an error in the log
    each minute, a gauge, and an alert that comes with it.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.said = "unknown"

    async def watch(self) -> None:
        """Look for as long as the process lives and there is another clock."""
        while True:
            try:
                before = time.time()
                shared = await self._core.store.clock()
                if shared is None:
                    self.said = "ok"
                    return
                self._judge(clock.offset(before, time.time(), shared))
            except StoreUnavailable:
                self.said = "unknown"  # told by others, and louder
            except Exception as trouble:  # a bug too: the watch must not end unheard
                log.error("clock.watch_broken", error=type(trouble).__name__)
            await _a_while_or_a_step()

    def _judge(self, ahead: float) -> None:
        metrics.record.watched({"authgate_clock_offset_seconds": ahead})
        off = f"off by {abs(ahead):.0f} s"
        self.said = "ok"
        match clock.judge(ahead):
            case "warn":
                self.said = off
                log.warning("clock.off", seconds=round(ahead, 1))
            case "error":
                self.said = off
                log.error("clock.off", seconds=round(ahead, 1))
            case "fine":
                pass


async def _a_while_or_a_step() -> None:
    """A minute, or less if our clock is no longer where it would have come to by itself."""
    apart = time.time() - time.monotonic()
    for _ in range(int(CLOCK_EVERY / STEP_EVERY)):
        await asyncio.sleep(STEP_EVERY)
        if clock.judge(time.time() - time.monotonic() - apart) != "fine":
            return


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
