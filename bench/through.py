"""Through a gateway to an MCP server, beside the same calls made directly.

Two servers stand behind: one that does next to nothing, which shows what a gateway adds to a call,
and the official SDK's, which shows what is left of a real server's throughput. Then a thousand
streams are held open, for what each takes in memory.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import messages
from bench.gateways import AUTHGATE, DIRECT, NGINX, SDK, SMALL, Door, before, find_nginx
from bench.peer_small import OPENED
from bench.rounds import Figures, Rounds, Series
from bench.servers import Server

STREAMS = 1000
STREAMING = (AUTHGATE, NGINX)
AT_ONCE = 50
SETTLE = 1.0  # seconds until what opening leaves behind is over
_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Streams:
    """What so many open streams added to a gateway's memory."""

    server: str
    streams: int
    mib: float

    @property
    def per_thousand(self) -> float:
        return self.mib / self.streams * 1000


@dataclass(frozen=True, slots=True)
class Added:
    """A gateway beside the direct call: ms more at one connection, the share of its rate at many.

    CPU in µs of the gateway's own process. `by_cpu` is the same share, but of the CPU time of all
    servers of a call: what the rates come to where nobody else uses the core.
    """

    work: str
    server: str
    added_ms: float
    ratio: float
    by_cpu: float
    cpu_one: float
    cpu_many: float


async def measure(rounds: Rounds, say: Callable[[str], None]) -> list[Streams]:
    """Everything through the gateways; the series go into `rounds`."""
    has_nginx = find_nginx(say)
    _raise_open_files()
    say("through the gateways to a small server")
    with before("small") as doors:
        await doors.authgate()
        doors.unchecked()
        if has_nginx:
            doors.nginx()
        doors.bare()
        await rounds.tool_calls(SMALL, [(door.target, door.token) for door in doors.all])
        say(f"{STREAMS:,} open streams")
        streams = [await _held_open(door) for door in doors.all if door.target.name in STREAMING]
    say("through the gateways to the SDK's server")
    with before("example") as doors:
        await doors.authgate()
        if has_nginx:
            doors.nginx()
        doors.fastmcp()
        await rounds.tool_calls(SDK, [(door.target, door.token) for door in doors.all])
    return streams


async def _held_open(door: Door) -> Streams:
    """Open the streams, see that each began, weigh the gateway, close them."""
    server: Server = door.target.server
    await asyncio.sleep(SETTLE)
    before_them = server.rss()
    writers: list[asyncio.StreamWriter] = []
    try:
        for _ in range(0, STREAMS, AT_ONCE):
            writers += await asyncio.gather(*(_opened(door) for _ in range(AT_ONCE)))
        await asyncio.sleep(SETTLE)
        return Streams(door.target.name, STREAMS, server.rss() - before_them)
    finally:
        for writer in writers:
            writer.close()


async def _opened(door: Door) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.target.port)
    writer.write(messages.open_stream(door.target.port, door.token))
    head = await asyncio.wait_for(reader.readuntil(OPENED), _WITHIN)
    if b" 200 " not in head[:20]:
        raise RuntimeError(f"a stream was answered with {head[:300]!r}")
    return writer


def _raise_open_files() -> None:
    """As many open files as this machine allows, here and in the processes started from here."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def added(series: Sequence[Series]) -> list[Added]:
    """Every gateway beside the direct call of the same run; those not measured are left out."""
    known = {(one.work, one.connections, one.server): one.median for one in series}
    found = []
    for work in (SMALL, SDK):
        servers = dict.fromkeys(one.server for one in series if one.work == work)
        alone, many = known.get((work, 1, DIRECT)), known.get((work, 32, DIRECT))
        for server in servers:
            if server != DIRECT and alone and many:
                one, more = known[work, 1, server], known[work, 32, server]
                found.append(_beside(work, server, (alone, one), (many, more)))
    return found


def _beside(
    work: str, server: str, one: tuple[Figures, Figures], many: tuple[Figures, Figures]
) -> Added:
    return Added(
        work,
        server,
        added_ms=one[1].p50 - one[0].p50,
        ratio=many[1].rate / many[0].rate,
        by_cpu=many[0].cpu_us / (many[1].cpu_us + many[1].behind_us),
        cpu_one=one[1].cpu_us,
        cpu_many=many[1].cpu_us,
    )
