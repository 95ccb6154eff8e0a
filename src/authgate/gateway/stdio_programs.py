"""How many programs run, for whom, for how long, and with how much memory.

A person gets a few, so that nobody keeps others out; who needs room gets that of the program which
has been idle longest, his own where the limit is his. A program is idle while no request of its
tenant is being answered; an open stream is one, because its client waits for news.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from authgate.gateway import stdio_memory
from authgate.gateway.stdio_process import Launch, Program, ProgramGone
from authgate.gateway.stdio_warden import Warden
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal

LOOK_EVERY = 1.0
RETRY_AFTER = 5  # seconds; until then somebody may be done
SETTLED = 5.0  # seconds; what ends by itself before that has failed to start
LONGEST_PAUSE = 32.0
_REMEMBERED = 4096  # owners whose program failed lately

Owner = tuple[str, str]
"""The person's `sub`, and the client where the program is told of it: never shared with others."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`total` and `each` (person) in programs, `idle` in seconds, `memory` in bytes."""

    total: int
    each: int
    idle: float
    memory: int


class Tenant(ABC):
    """Whoever has a program: a session, or a person without one. Ends with its program."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.program: Program | None = None
        self.over = False
        self.users = 0
        self.used_at = time.monotonic()

    @property
    def idle(self) -> bool:
        return not self.users and not self.over

    @contextmanager
    def used(self) -> Iterator[None]:
        """A request is being answered."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1
            self.used_at = time.monotonic()

    @abstractmethod
    async def end(self, why: str) -> None:
        """Answer who waits, end the program, leave nothing; within some seconds."""


class Programs:
    """Those of this process. For one event loop, from the first program to `close`."""

    def __init__(self, launch: Launch, limits: Limits) -> None:
        self._launch = launch
        self._limits = limits
        self._warden = Warden()
        self._tenants: set[Tenant] = set()
        self._pauses = _Pauses()
        self._looking: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._watches_memory = stdio_memory.can_be_watched()
        self._closed = False

    def __len__(self) -> int:
        return len(self._tenants)

    async def start(self, tenant: Tenant, told: Mapping[str, str]) -> Program:
        """A program for a tenant, who has to `leave` whatever comes of this; raises `Refusal`.

        `told` is added to its environment.
        """
        if self._looking is None:
            self._begin()
        self._pauses.check(tenant.owner)
        await self._make_room(tenant.owner[0])
        self._still(tenant)
        self._tenants.add(tenant)
        try:
            tenant.program = await Program.start(self._launch, tenant.owner[0], told, self._warden)
        except ProgramGone:
            raise self._pauses.failed(tenant.owner) from None
        self._still(tenant)
        return tenant.program

    def _still(self, tenant: Tenant) -> None:
        """Is a program wanted, after a wait in which everything may have ended?"""
        if self._closed or tenant.over:
            raise Refusal(Reason.STOPPING, retry_after=1)

    async def leave(self, tenant: Tenant) -> None:
        """The tenant is done: its program is ended, and its room free after that."""
        tenant.over = True
        try:
            if tenant.program is not None:
                await tenant.program.end()
        finally:
            self._tenants.discard(tenant)

    def silent(self, tenant: Tenant, program: Program) -> None:
        """Its output has ended: was that our doing, an end, or a failure to begin?"""
        if program.was_ended or time.monotonic() - program.started_at > SETTLED:
            self._pauses.forget(tenant.owner)
        else:
            self._pauses.failed(tenant.owner)

    def refusal(self, tenant: Tenant) -> Refusal:
        """What to say of a program that ended before it answered anything."""
        return self._pauses.refusal(tenant.owner)

    async def close(self) -> None:
        """End them all at once."""
        self._closed = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(*(tenant.end("stopping") for tenant in list(self._tenants)))
        await asyncio.to_thread(self._warden.close)

    # --- room -----------------------------------------------------------------------------------

    async def _make_room(self, sub: str) -> None:
        while True:
            mine = [tenant for tenant in self._tenants if tenant.owner[0] == sub]
            if len(mine) >= self._limits.each:
                crowd, whose = mine, "this person's"
            elif len(self._tenants) >= self._limits.total:
                crowd, whose = list(self._tenants), "all people's"
            else:
                return
            if (idle := _longest_idle(crowd)) is not None:
                await idle.end("room for another")
            elif leaving := [tenant for tenant in crowd if tenant.over]:
                await leaving[0].end("room for another")
            else:
                raise Refusal(Reason.UPSTREAM_FULL, retry_after=RETRY_AFTER, whose=whose)

    # --- a look at all of them ------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._watches_memory:
            log.warning("upstream.memory_unwatched", why="there is no /proc on this system")
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                self._end_all(self._idle_too_long(), "idle")
                self._end_all(self._exited(), "exited")
                if self._watches_memory:
                    self._end_all(await self._too_large(), "memory")
            except (
                Exception
            ) as trouble:  # a bug too: a watch that ended unheard would watch nothing
                log.error("upstream.watch_broken", error=type(trouble).__name__)

    def _end_all(self, tenants: Iterable[Tenant], why: str) -> None:
        for tenant in tenants:
            task = asyncio.create_task(tenant.end(why))
            self._ending.add(task)
            task.add_done_callback(self._heard)

    def _heard(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        if not task.cancelled() and (trouble := task.exception()) is not None:
            log.error("upstream.end_failed", error=type(trouble).__name__)

    def _idle_too_long(self) -> list[Tenant]:
        before = time.monotonic() - self._limits.idle
        return [one for one in self._tenants if one.idle and one.used_at <= before]

    def _exited(self) -> list[Tenant]:
        """Those whose program has ended while something it started holds its output open."""
        return [one for one in self._tenants if not one.over and one.program and one.program.exited]

    async def _too_large(self) -> list[Tenant]:
        by_pid = {
            one.program.pid: one
            for one in self._tenants
            if one.program is not None and not one.over
        }
        if not by_pid:
            return []
        used = await asyncio.to_thread(stdio_memory.in_use, by_pid)
        found = []
        for pid, size in used.items():
            if size > self._limits.memory:
                log.warning(
                    "upstream.too_large",
                    subject=by_pid[pid].owner[0],
                    pid=pid,
                    mib=size >> 20,
                    limit=self._limits.memory >> 20,
                )
                found.append(by_pid[pid])
        return found


def _longest_idle(tenants: Iterable[Tenant]) -> Tenant | None:
    idle = [tenant for tenant in tenants if tenant.idle and tenant.program is not None]
    return min(idle, key=lambda tenant: tenant.used_at, default=None)


class _Pauses:
    """How long whoever's program failed has to wait for another: 1, 2, 4 … 32 seconds.

    For each owner by himself: what one person's request does to a program must not keep it from
    everybody else.
    """

    def __init__(self) -> None:
        self._failed: OrderedDict[Owner, tuple[int, float]] = OrderedDict()

    def check(self, owner: Owner) -> None:
        _, until = self._failed.get(owner, (0, 0.0))
        if time.monotonic() < until:
            raise self.refusal(owner)

    def failed(self, owner: Owner) -> Refusal:
        """Count a failure, and what to say of it."""
        times, _ = self._failed.pop(owner, (0, 0.0))
        pause = min(LONGEST_PAUSE, 2.0**times)
        self._failed[owner] = (min(times + 1, 10), time.monotonic() + pause)
        if len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)
        log.warning("upstream.start_failed", subject=owner[0], times=times + 1, pause=pause)
        return self.refusal(owner)

    def refusal(self, owner: Owner) -> Refusal:
        _, until = self._failed.get(owner, (0, 0.0))
        wait = max(1, round(until - time.monotonic() + 0.5))
        return Refusal(Reason.UPSTREAM_NOT_STARTED, retry_after=wait)

    def forget(self, owner: Owner) -> None:
        self._failed.pop(owner, None)
