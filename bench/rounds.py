"""The measurements under load: what is sent for each, in rounds that go from server to server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import repeat
from statistics import median

from bench import messages
from bench.load import Loaded, Next, Work, always, load
from bench.targets import Target

TOKEN = b'"access_token":"'
SUM = b'"sum":'


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    connections: tuple[int, ...]
    codes: dict[int, int]
    starts: int


FULL = Plan(rounds=5, seconds=0.8, connections=(1, 32), codes={1: 900, 32: 4000}, starts=5)
QUICK = Plan(rounds=3, seconds=0.3, connections=(1, 32), codes={1: 300, 32: 1500}, starts=2)


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement, or the median of several. Latencies in ms, CPU in µs of the server.

    `behind_us` is the CPU of the server behind it, where it is a gateway.
    """

    rate: float
    p50: float
    p99: float
    cpu_us: float
    generator_share: float
    behind_us: float = 0.0

    @classmethod
    def of(cls, loaded: Loaded, behind: float = 0.0) -> Figures:
        return cls(
            loaded.rate,
            loaded.percentile(0.5),
            loaded.percentile(0.99),
            loaded.cpu_us,
            loaded.generator_share,
            behind / loaded.requests * 1e6,
        )


@dataclass(frozen=True, slots=True)
class Series:
    """All rounds of one measurement at one server."""

    work: str
    connections: int
    server: str
    rounds: list[Figures]

    @property
    def median(self) -> Figures:
        return Figures(
            *(median(getattr(one, f.name) for one in self.rounds) for f in fields(Figures))
        )

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest round in requests per second."""
        rates = [one.rate for one in self.rounds]
        return min(rates), max(rates)

    def as_json(self) -> dict[str, object]:
        return {
            "work": self.work,
            "connections": self.connections,
            "server": self.server,
            "median": asdict(self.median),
            "rounds": [asdict(one) for one in self.rounds],
        }


@dataclass(frozen=True, slots=True)
class Held:
    """What a server's memory was (MiB) after so many measured requests."""

    server: str
    requests: int
    mib: float


class Rounds:
    """Collects the series of all measurements."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._found: dict[tuple[str, int, str], list[Figures]] = {}
        self._requests: Counter[str] = Counter()
        self.held: list[Held] = []

    def series(self) -> list[Series]:
        """Everything measured so far, in the order of measuring."""
        return [Series(*key, rounds) for key, rounds in self._found.items()]

    async def authorization(self, targets: list[Target]) -> None:
        """Discovery, keys, registration, code exchange, refresh; the peers beside authgate."""
        for target in targets:
            await self._warm_up(target)
        for number in range(self._plan.rounds):
            self._say(f"round {number + 1} of {self._plan.rounds}")
            for name, prepare in WORKS.items():
                for connections in self._plan.connections:
                    for target in _turned(targets, number):
                        await self._measure(name, prepare, connections, target)
        for target in targets:
            self.held.append(Held(target.name, self._requests[target.name], target.server.rss()))

    async def tool_calls(self, work: str, asked: Sequence[tuple[Target, str | None]]) -> None:
        """One small tool call at each target, with the token that it takes; a round to warm up."""
        tokens = {target.name: token for target, token in asked}
        targets = [target for target, _ in asked]
        for number in range(-1, self._plan.rounds):
            for connections in self._plan.connections:
                for target in _turned(targets, number):
                    call = messages.call_add(target.port, tokens[target.name])
                    calls = Work(_each(connections, call), 200, SUM)
                    await self._run(work, connections, target, calls, keep=number >= 0)

    async def _warm_up(self, target: Target) -> None:
        for prepare in WORKS.values():
            work = await prepare(target, 4, 200)
            if work is not None:
                await load(target.port, work, seconds=0.3)

    async def _measure(self, name: str, prepare: Prepare, connections: int, target: Target) -> None:
        work = await prepare(target, connections, self._plan.codes[connections])
        if work is not None:
            await self._run(name, connections, target, work)

    async def _run(
        self, name: str, connections: int, target: Target, work: Work, *, keep: bool = True
    ) -> None:
        before = target.behind.cpu() if target.behind else 0.0
        done = await load(
            target.port, work, seconds=self._plan.seconds, server_cpu=target.server.cpu
        )
        behind = target.behind.cpu() - before if target.behind else 0.0
        self._requests[target.name] += done.requests
        if keep:
            self._found.setdefault((name, connections, target.name), []).append(
                Figures.of(done, behind)
            )


def _turned(targets: list[Target], number: int) -> list[Target]:
    """The servers, another one first in each round."""
    first = number % len(targets)
    return targets[first:] + targets[:first]


def _each(connections: int, request: bytes) -> list[Next]:
    return [always(repeat(request)) for _ in range(connections)]


async def _discovery(target: Target, connections: int, _: int) -> Work | None:
    if target.paths.discovery is None:
        return None
    asked = messages.get(target.paths.discovery, target.port)
    return Work(_each(connections, asked), 200, b'"token_endpoint"')


async def _jwks(target: Target, connections: int, _: int) -> Work | None:
    if target.paths.jwks is None:
        return None
    return Work(_each(connections, messages.get(target.paths.jwks, target.port)), 200, b'"keys":[{')


async def _registration(target: Target, connections: int, _: int) -> Work:
    asked = messages.registration(target.paths.register, target.port)
    return Work(_each(connections, asked), 201, b'"client_id":"')


async def _exchange(target: Target, connections: int, codes: int) -> Work:
    asked = [
        messages.exchange(target.paths.token, target.port, client, code)
        for client, code in await target.codes(codes)
    ]
    shared = always(asked)  # every code once, whichever connection is free for it
    return Work([shared] * connections, 200, TOKEN)


async def _refresh(target: Target, connections: int, _: int) -> Work:
    codes = await target.codes(connections)
    asked = [
        messages.exchange(target.paths.token, target.port, client, code) for client, code in codes
    ]
    begun = await load(target.port, Work([always(asked)], 200, TOKEN), seconds=60, keep_bodies=True)
    chains = [
        messages.refreshing(
            target.paths.token, target.port, client, messages.refresh_token_in(body)
        )
        for (client, _), body in zip(codes, begun.bodies, strict=True)
    ]
    return Work(chains, 200, TOKEN)


async def access_token(target: Target) -> str:
    """An access token of a real exchange."""
    ((client, code),) = await target.codes(1)
    asked = messages.exchange(target.paths.token, target.port, client, code)
    done = await load(
        target.port, Work([always([asked])], 200, TOKEN), seconds=60, keep_bodies=True
    )
    return messages.access_token_in(done.bodies[0])


Prepare = Callable[[Target, int, int], Awaitable[Work | None]]
WORKS: dict[str, Prepare] = {
    "discovery": _discovery,
    "JWKS": _jwks,
    "registration": _registration,
    "code exchange": _exchange,
    "refresh": _refresh,
}
