"""The load generator: keep-alive connections, each sending its next request when the last is done.

It does no more than it must (httptools parses, bytes are searched), so that the server is the
limit and not this; what it used of its own core is part of every result. It checks every answer:
one wrong answer ends the run, because the time of a refusal says nothing.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httptools

# The next request of a connection, given the body of its last answer; None: it has no more.
Next = Callable[[bytes | None], bytes | None]


class WrongAnswer(Exception):
    """A server answered something else than what was asked for."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one measurement sends. `marker` must be in the body of every answer, `status` its code.

    `sources`: one per connection.
    """

    sources: list[Next]
    status: int
    marker: bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """One measurement. Times in seconds; `server_cpu` None where it was not asked for."""

    requests: int
    elapsed: float
    latencies: list[float] = field(repr=False)
    generator_cpu: float
    server_cpu: float
    bodies: list[bytes] = field(default_factory=list, repr=False)

    @property
    def rate(self) -> float:
        return self.requests / self.elapsed

    @property
    def cpu_us(self) -> float:
        """The server's CPU time per request in µs: what holds still on a noisy machine."""
        return self.server_cpu / self.requests * 1e6

    @property
    def generator_share(self) -> float:
        return self.generator_cpu / self.elapsed

    def percentile(self, share: float) -> float:
        """A latency in ms."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e3


def always(requests: Iterable[bytes]) -> Next:
    """A source that sends these one after the other, whatever comes back."""
    following = iter(requests)
    return lambda _: next(following, None)


class _Connection(asyncio.Protocol):
    """One connection: sends, checks, notes how long it took, sends again."""

    def __init__(self, run: _Run, source: Next) -> None:
        self._run = run
        self._source = source
        self._transport: Any = None
        self._parser: Any = None
        self._body: bytes | None = None
        self._parts: list[bytes] = []
        self._sent = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, _: Exception | None) -> None:
        if self.busy:
            self._run.fail("the server closed a connection in the middle of a request")

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        done = time.perf_counter()
        run = self._run
        run.latencies.append(done - self._sent)
        self.busy = False
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        status = self._parser.get_status_code()
        if status != run.work.status or run.work.marker not in body:
            run.fail(f"{status} {body[:300]!r}")
            return
        if run.keep_bodies:
            run.bodies.append(body)
        self._body = body
        if done < run.deadline:
            self.send()
        else:
            run.one_ended()

    def send(self) -> None:
        request = self._source(self._body)
        if request is None:
            self._run.one_ended()
            return
        self.busy = True
        self._sent = time.perf_counter()
        self._transport.write(request)

    def close(self) -> None:
        self.busy = False
        self._transport.close()


class _Redirected(_Connection):
    """Takes the address of a redirect for its body; looks at every header, so only to prepare."""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"location":
            self._parts.append(value)


class _Run:
    """One measurement in progress."""

    def __init__(self, work: Work, *, keep_bodies: bool) -> None:
        self.work = work
        self.keep_bodies = keep_bodies
        self.latencies: list[float] = []
        self.bodies: list[bytes] = []
        self.deadline = 0.0
        self._left = len(work.sources)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one_ended(self) -> None:
        self._left -= 1
        if self._left == 0 and not self._over.done():
            self._over.set_result(None)

    def fail(self, why: str) -> None:
        if not self._over.done():
            self._over.set_exception(WrongAnswer(why))

    async def over(self) -> None:
        await asyncio.wait_for(self._over, timeout=120)


async def load(
    port: int,
    work: Work,
    *,
    seconds: float,
    server_cpu: Callable[[], float] = lambda: 0.0,
    keep_bodies: bool = False,
    redirects: bool = False,
) -> Loaded:
    """Send `work` until its sources are empty or `seconds` are over, whichever comes first.

    `redirects`: the answers are redirects; their addresses are judged and kept as bodies.
    """
    kind = _Redirected if redirects else _Connection
    run = _Run(work, keep_bodies=keep_bodies)
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    for source in work.sources:
        _, connection = await loop.create_connection(partial(kind, run, source), "127.0.0.1", port)
        connections.append(connection)
    gc.collect()
    gc.disable()
    try:
        server_before, own_before, begun = server_cpu(), _own_cpu(), time.perf_counter()
        run.deadline = begun + seconds
        for connection in connections:
            connection.send()
        await run.over()
        elapsed = time.perf_counter() - begun
        server, own = server_cpu() - server_before, _own_cpu() - own_before
    finally:
        gc.enable()
        for connection in connections:
            connection.close()
    return Loaded(len(run.latencies), elapsed, run.latencies, own, server, run.bodies)


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
