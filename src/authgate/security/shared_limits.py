"""Hits that many nodes and workers count together, in Redis or Valkey (AUTHGATE_LIMITS_URL).

Why not the storage of `limits`: it takes each node's own clock, counts a hit and says when to come
back in two calls, and knows nothing of attempts that are still being judged. Of the store, only
`EVALSHA` on sorted sets is used, so any Redis from 5 on and any Valkey will do; not a cluster,
where the places of one attempt would lie on several servers.

Every call has a deadline. The first that fails opens the circuit: from then on callers hear at once
that the store is lost, and one task asks every few seconds until it is back. Never here: what is
counted in its place (`limits`). Imported only where the setting is set.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import secrets
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from authgate.observe import log
from authgate.security.brakes import Brake, LimitStoreLost, Place, retry_in
from authgate.security.shared_script import SCRIPT

DEADLINE = 0.25
IN_LINE = 1.0  # for a connection: a crowd at this node is no trouble of the store's
RETRY_EVERY = 2.0
LEASE = 60.0  # an attempt whose node died counts as being judged for so long
MAX_PLACES = 100_000  # of one limit
CONNECTIONS = 16  # few, or a burst on a cold pool would spend the deadline on handshakes
PREFIX = "authgate:limits:"

_NAMED = re.compile(r"(-?[A-Z]{2,20})\b")
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}

Judged = tuple[int | None, int | None]
"""Seconds to wait, or the index of a place all of which is taken by others; else it may go on."""
Mode = Literal["judge", "right", "wrong", "unsaid", "hit", "look"]
_DECIDES = ("judge", "hit", "look")


class SharedLimits:
    """The counts of one authgate's nodes. For one event loop; connects at the first use.

    `pepper` must be the same on all nodes; two authgates with different ones may use one store.
    `lost` is whether the circuit is open, `fallbacks` how many decisions were made without the
    store.
    """

    def __init__(self, url: str, pepper: bytes) -> None:
        scheme, _, rest = url.partition("://")
        self.pepper = pepper
        self._mark = hashlib.sha256(pepper).hexdigest()[:8]
        self.lost = False
        self.fallbacks = 0
        self._back_at: float | None = None
        self._returning: asyncio.Task[None] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._node = secrets.token_hex(6)
        self._ids = itertools.count()
        self._redis: Any = Redis(
            connection_pool=BlockingConnectionPool.from_url(
                f"{_SCHEMES.get(scheme, scheme)}://{rest}",
                max_connections=CONNECTIONS + 1,  # one for who looks whether it is back
                timeout=DEADLINE,
                socket_timeout=DEADLINE,
                socket_connect_timeout=DEADLINE,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,
            )
        )
        self._script: Any = self._redis.register_script(SCRIPT)
        self._lines = asyncio.Semaphore(CONNECTIONS)

    def new_id(self) -> str:
        """A name for one attempt or hit that no other node draws."""
        return f"{self._node}{next(self._ids):x}"

    def back_within(self, seconds: float) -> bool:
        """Has the store come back so lately? What was counted here meanwhile still holds then."""
        return self._back_at is not None and time.monotonic() - self._back_at < seconds

    # --- what is asked of it ------------------------------------------------------------------

    async def judge(self, attempt: str, places: Sequence[Place]) -> Judged:
        """May this attempt be judged? If so, it counts as being judged until `settle`.

        Raises `LimitStoreLost`, as `hit` and `retry_after` do. Whoever leaves before the answer
        came gives the place back when it came: sooner, on another connection, that might be heard
        before the question.
        """
        asking = asyncio.create_task(self._judge(attempt, places))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            self._later(self._give_back(asking, attempt, places))
            raise

    async def _judge(self, attempt: str, places: Sequence[Place]) -> Judged:
        said, number = await self._ask("judge", attempt, places)
        if said == "blocked":
            return retry_in(number / 1e6), None
        return None, number if said == "full" else None

    async def _give_back(
        self, asking: asyncio.Task[Judged], attempt: str, places: Sequence[Place]
    ) -> None:
        with suppress(LimitStoreLost):
            if await asking == (None, None):
                await self._ask("unsaid", attempt, places)

    async def settle(self, attempt: str, places: Sequence[Place], verdict: bool | None) -> None:
        """The attempt was right (its first place forgets), wrong (all count), or was not judged.

        A caller who hangs up meanwhile does not take the verdict along. If the store is lost, what
        was reserved there ends by itself.
        """
        await asyncio.shield(self._later(self._settle(attempt, places, verdict)))

    async def _settle(self, attempt: str, places: Sequence[Place], verdict: bool | None) -> None:
        mode: Mode = "unsaid" if verdict is None else "right" if verdict else "wrong"
        with suppress(LimitStoreLost):
            await self._ask(mode, attempt, places)

    def _later(self, rest: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(rest)
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def hit(self, place: Place) -> int | None:
        """Count a hit; seconds to wait if it is one too many (it is then not counted)."""
        said, number = await self._ask("hit", self.new_id(), (place,))
        return retry_in(number / 1e6) if said == "blocked" else None

    async def retry_after(self, place: Place) -> int | None:
        """None while another hit would count; else seconds to wait."""
        said, number = await self._ask("look", self.new_id(), (place,))
        return retry_in(number / 1e6) if said == "blocked" else None

    # --- its life -----------------------------------------------------------------------------

    async def trouble(self) -> str | None:
        """Ask it something that it must write for; what is wrong, in a word or two, or None."""
        brake = Brake("look", "1000/minute", time.monotonic)
        try:
            await self._call("hit", self.new_id(), (Place(brake, self._node),))
        except Exception as error:  # whatever listens there
            return _named(error)
        return None

    async def look(self) -> None:
        """See at the start whether it answers, and say so if not."""
        trouble = await self.trouble()
        if trouble is not None:
            self._lose(trouble)

    async def close(self) -> None:
        """Let the last verdicts arrive, then let go of the connections."""
        await asyncio.gather(*self._settling, return_exceptions=True)
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.gather(self._returning, return_exceptions=True)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    def _lose(self, trouble: str) -> None:
        if self.lost:  # of many that waited at once, the first one tells
            return
        self.lost = True
        log.warning(
            "limits.store_lost",
            error=trouble,
            detail="Limits count in this process alone until the store is back.",
        )
        self._returning = asyncio.create_task(self._return())

    async def _return(self) -> None:
        while True:
            await asyncio.sleep(RETRY_EVERY)
            if await self.trouble() is None:
                break
        self.lost, self._back_at = False, time.monotonic()
        log.info("limits.store_back", fallbacks=self.fallbacks)

    # --- the call -----------------------------------------------------------------------------

    async def _ask(self, mode: Mode, name: str, places: Sequence[Place]) -> tuple[str, int]:
        if not self.lost:
            try:
                async with self._line():
                    if not self.lost:  # while this one waited
                        return await self._call(mode, name, places)
            except Exception as error:  # whatever listens there, no sign-in may break of it
                self._lose(_named(error))
        self.fallbacks += mode in _DECIDES
        raise LimitStoreLost

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[None]:
        """A connection's worth of room. Whoever waits for it does not spend the deadline meanwhile,
        or a stranger's burst would have this node count alone for seconds."""
        async with asyncio.timeout(IN_LINE):
            await self._lines.acquire()
        try:
            yield
        finally:
            self._lines.release()

    async def _call(self, mode: Mode, name: str, places: Sequence[Place]) -> tuple[str, int]:
        keys: list[str] = []
        arguments: list[str | int] = [mode, name, int(LEASE * 1e6), MAX_PLACES]
        for place in places:
            brake = place.brake
            whose = f"{PREFIX}{brake.name}:{place.key}"
            keys += (whose, whose + ":judged", f"{PREFIX}{brake.name}:places:{self._mark}")
            arguments += (brake.amount, brake.seconds * 1_000_000)
        async with asyncio.timeout(DEADLINE):
            answer = await self._script(keys, arguments)
        match answer:
            case [bytes() as echo, (b"in" | b"blocked" | b"full") as said, int() as number] if (
                echo == name.encode()
            ):
                return said.decode(), number
        # Something else listens there, or a connection gives answers to the wrong questions.
        await self._redis.connection_pool.disconnect()
        raise ValueError("no answer of ours")


def _named(error: Exception) -> str:
    """What went wrong, without a word that came from over there: those may be anything."""
    said = _NAMED.match(str(error)) if isinstance(error, ResponseError) else None
    return f"{type(error).__name__} {said[1]}" if said else type(error).__name__
