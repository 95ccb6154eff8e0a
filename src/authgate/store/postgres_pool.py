"""The connections of one process to PostgreSQL, and who waits for one.

A call takes an idle connection, or waits for one, within bounds: so many callers, so long. It runs
to its end also when its caller has gone. Whoever is over the deadline is told so and the connection
is given up, because a server that does not answer will not answer a request to stop either; the
next call gets a new one. No connection is kept for ever: a name may lead to another server by now.
Every error is named here once, for all statements: `StoreUnavailable` for what may pass, a loud
fault for what is ours.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection

from authgate.observe import log
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres_wire import Call, Result, ServerError, Statement, Wire

# "Not now": connection trouble, resources, an operator's intervention, the system's own errors.
_UNAVAILABLE_CLASSES = ("08", "53", "57", "58")
# A standby, or a server that lost its disk: read-only for now.
_UNAVAILABLE = ("25006", "55P03")
# Rolled back as a whole by the server, so that the same call may be made again.
_AGAIN = ("40001", "40P01")
_TRIES = 4
# What a transaction pooler leads to: the statement was prepared on another connection of its own.
_NOT_PREPARED = ("26000", "42P05", "08P01")
# What no connection of before gets over: the server takes no writes any more (another one does), or
# a column has another type than when the statement was prepared. Both are refused before anything
# is done.
_ANOTHER_TYPE = "0A000"
_OUTDATED = ("25006", _ANOTHER_TYPE)
# A connection is replaced after so long, and not all of them at once.
_LIFETIME = 1800.0
_LIFETIME_SPREAD = 600.0
# No new attempt to connect this soon after one that failed, as long as others still work.
_PAUSE = 0.5
# How long an abandoned statement is asked to stop.
_STOP_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class PostgresPolicy:
    """Where the database is, and how much of it one process may take (times in seconds)."""

    url: str = field(repr=False)
    schema: str = "authgate"
    pool: int = 10
    # None: until it fails, and never at the ports of known transaction poolers.
    prepare: bool | None = None
    deadline: float = 5.0
    wait: float = 2.0
    waiting: int = 4096
    connect: float = 5.0


Connect = Callable[[], Awaitable[AsyncConnection[Any]]]


class Pool:
    """Owns the connections; everything is called from the event loop only."""

    def __init__(self, connect: Connect, policy: PostgresPolicy, *, prepare: bool) -> None:
        self._connect = connect
        self._policy = policy
        self._prepare = prepare
        self._loop = asyncio.get_running_loop()
        self._idle: list[Wire] = []
        self._busy: dict[Call, Wire] = {}
        self._queue: deque[Call] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._stopping: set[asyncio.Task[None]] = set()
        self._failed_at: float | None = None
        self._closing = False
        self._drained = asyncio.Event()

    # --- asked by the engine ------------------------------------------------------------------

    def submit(
        self, statements: Sequence[tuple[Statement, list[bytes | None]]]
    ) -> asyncio.Future[list[Result]]:
        """The future results of these statements, run as one transaction."""
        if self._closing:
            raise StoreUnavailable("the store is closed")
        if len(self._queue) >= self._policy.waiting:
            raise StoreUnavailable("too many callers are waiting for the database")
        call = Call(statements, self._loop.create_future())
        call.until = self._loop.time() + self._policy.wait + self._policy.deadline
        if self._idle:
            self._start(self._idle.pop(), call)
        else:
            call.timer = self._loop.call_later(self._policy.wait, self._waited_long, call)
            self._queue.append(call)
            self._open_more()
        return call.future

    def stats(self) -> dict[str, int]:
        return {
            "size": self._policy.pool,
            "open": len(self._idle) + len(self._busy),
            "idle": len(self._idle),
            "busy": len(self._busy),
            "opening": len(self._opening),
            "waiting": len(self._queue),
        }

    async def close(self) -> None:
        """Let what was accepted come to its end (deadlines hold), then let go."""
        self._closing = True
        while self._idle:
            self._idle.pop().close()
        while self._busy or self._queue:
            self._drained.clear()
            await self._drained.wait()
        for task in self._opening:
            task.cancel()
        # Those that ask the server to stop something are bounded, and worth waiting for.
        await asyncio.gather(*self._opening, *self._stopping, return_exceptions=True)

    # --- the life of a call -------------------------------------------------------------------

    def _start(self, wire: Wire, call: Call) -> None:
        self._busy[call] = wire
        if call.timer is not None:
            call.timer.cancel()
        call.timer = self._loop.call_later(self._policy.deadline, self._late, call)
        wire.send(call, self._prepare)

    def _waited_long(self, call: Call) -> None:
        self._queue.remove(call)
        self._refuse(call, StoreUnavailable("no connection to the database came free in time"))

    def _late(self, call: Call) -> None:
        wire = self._busy.pop(call)
        # Of a host that is gone nobody says so, and each of them would cost a caller the deadline.
        self._let_go_of_idle(self._loop.time() - self._policy.deadline)
        self._stopping.add(task := self._loop.create_task(wire.stop(_STOP_WITHIN)))
        task.add_done_callback(self._stopping.discard)
        self._refuse(call, StoreUnavailable("the database did not answer in time"))
        self._open_more()

    def _ended(self, wire: Wire, call: Call | None, error: Exception | None) -> None:
        if call is not None:
            self._busy.pop(call, None)
            if call.timer is not None:
                call.timer.cancel()
        self._put_back(wire, call.error if call is not None else None, error)
        if call is not None:
            self._settle(call, error)
        if self._queue:
            self._open_more()

    def _put_back(self, wire: Wire, said: ServerError | None, broken: Exception | None) -> None:
        """Give a connection whose call is over to the next one, or let go of it."""
        wire.heard_at = self._loop.time()
        if said is not None and said.sqlstate in _OUTDATED:
            self._let_go_of_idle(wire.heard_at)
            broken = said
        if broken is not None or wire.broken or wire.heard_at >= wire.good_until:
            if wire in self._idle:
                self._idle.remove(wire)
            wire.close()
        elif self._queue:
            self._start(wire, self._queue.popleft())
        elif self._closing:
            wire.close()
        else:
            self._idle.append(wire)
            # The last in is the first out: the one at the bottom may wait there for ever.
            if self._idle[0].good_until <= wire.heard_at:
                self._idle.pop(0).close()

    def _settle(self, call: Call, broken: Exception | None) -> None:
        error = call.error
        if error is None and broken is None:
            self._drain()
            if not call.future.done():
                call.future.set_result(call.results)
        elif error is not None and self._may_repeat(call, error, broken):
            call.error = None
            call.results = []
            call.tries += 1
            call.timer = self._loop.call_later(self._policy.wait, self._waited_long, call)
            self._queue.appendleft(call)
            if self._idle:
                self._start(self._idle.pop(), self._queue.popleft())
        else:
            self._refuse(call, _named(error, broken))

    def _may_repeat(self, call: Call, error: ServerError, broken: Exception | None) -> bool:
        if call.tries >= _TRIES or self._loop.time() > call.until:
            return False
        if error.sqlstate in (*_AGAIN, *_OUTDATED):
            # Again on a new connection: it is a pooler's, which prepared it on one of its own.
            if error.sqlstate == _ANOTHER_TYPE and call.tries and call.prepared:
                self._stop_preparing()
            return True
        if not call.prepared or broken is not None or error.sqlstate not in _NOT_PREPARED:
            return False
        self._stop_preparing()
        return True

    def _stop_preparing(self) -> None:
        if self._prepare:
            self._prepare = False
            log.warning("store.prepare_off", setting="AUTHGATE_DATABASE_PREPARE")

    def _refuse(self, call: Call, error: Exception) -> None:
        self._drain()
        if not call.future.done():
            call.future.set_exception(error)

    def _drain(self) -> None:
        if self._closing:
            self._drained.set()

    # --- connections --------------------------------------------------------------------------

    def _let_go_of_idle(self, unheard_since: float) -> None:
        """Close the idle connections that have not answered since."""
        kept = [wire for wire in self._idle if wire.heard_at > unheard_since]
        for wire in self._idle:
            if wire.heard_at <= unheard_since:
                wire.close()
        self._idle = kept

    def _open_more(self) -> None:
        """Open as many connections as callers wait, one alone after a failure."""
        open_now = len(self._idle) + len(self._busy)
        room = self._policy.pool - open_now - len(self._opening)
        wanted = len(self._queue) - len(self._opening)
        if self._failed_at is not None:
            recent = self._loop.time() - self._failed_at < _PAUSE
            wanted = 0 if self._opening or (open_now and recent) else 1
        for _ in range(min(room, wanted)):
            task = self._loop.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    async def _open(self) -> None:
        try:
            connection = await self._connect()
        except StoreUnavailable as error:
            self._failed_at = self._loop.time()
            # Now and not when the loop tells: of several that fail at once the last must know it.
            if (this := asyncio.current_task()) is not None:
                self._opening.discard(this)
            self._no_connection(error)
            return
        self._failed_at = None
        lifetime = _LIFETIME + random.random() * _LIFETIME_SPREAD  # noqa: S311 (no secret)
        wire = Wire(connection, self._ended, self._loop.time() + lifetime)
        self._ended(wire, None, None)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._no_connection(fault)
        elif self._queue and self._failed_at is None:
            self._open_more()

    def _no_connection(self, error: BaseException) -> None:
        """Whoever waits need not, unless a connection that works comes free or is on its way."""
        if self._busy or self._opening:
            return
        waiting, self._queue = self._queue, deque()
        for call in waiting:
            if call.timer is not None:
                call.timer.cancel()
            assert isinstance(error, Exception)
            self._refuse(call, error)


def _named(error: ServerError | None, broken: Exception | None) -> Exception:
    """The error as the contract calls it, or as it is if it is a fault of ours."""
    if error is None:
        unavailable = StoreUnavailable("the connection to the database was lost")
        unavailable.__cause__ = broken
        return unavailable
    state = error.sqlstate
    if state[:2] in _UNAVAILABLE_CLASSES or state in (*_UNAVAILABLE, *_AGAIN):
        unavailable = StoreUnavailable(f"the database cannot be used now: {error}")
        unavailable.__cause__ = error
        return unavailable
    return error
