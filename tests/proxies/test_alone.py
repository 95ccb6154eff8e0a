"""What the files in deploy/ make a proxy do, before a server that helps it with nothing.

The SDKs' event streams tell nginx themselves not to collect them (X-Accel-Buffering); other servers
do not, and no server can tell it so about a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.proxies.authority import Authority
from tests.proxies.conftest import PLACES
from tests.proxies.nginx import Nginx
from tests.standins.upstream import Exchange, RawUpstream, Script, plain

WITHIN = 10.0

every_place = pytest.mark.parametrize("place", PLACES)


@asynccontextmanager
async def before(
    script: Script, place: str, folder: Path, authority: Authority
) -> AsyncIterator[tuple[RawUpstream, asyncio.StreamReader, asyncio.StreamWriter]]:
    """The proxy before `script`, and a connection to the proxy."""
    kind, file, _ = PLACES[place]
    async with RawUpstream(script) as upstream:
        with kind(folder, authority, file) as front:
            await asyncio.to_thread(front.start, upstream.port)
            reader, writer = await asyncio.open_connection(
                "localhost", front.port, ssl=authority.trust()
            )
            try:
                yield upstream, reader, writer
            finally:
                writer.close()


def request(place: str, *fields: str, method: str = "POST") -> bytes:
    lines = [f"{method} {PLACES[place][2]}/mcp HTTP/1.1", "Host: localhost", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@every_place
async def test_events_come_out_one_by_one(place: str, tmp_path: Path, authority: Authority) -> None:
    heard = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        for number in (1, 2):
            await exchange.chunk(b"data: %d\n\n" % number)
            await asyncio.wait_for(heard.wait(), WITHIN)
            heard.clear()
        await exchange.chunk(b"")

    async with before(script, place, tmp_path, authority) as (_, reader, writer):
        writer.write(request(place, method="GET"))
        for number in (b"1", b"2"):
            event = b"data: " + number + b"\n\n"
            assert (await asyncio.wait_for(reader.readuntil(event), WITHIN)).endswith(event)
            heard.set()


@every_place
async def test_an_upload_goes_in_piece_by_piece(
    place: str, tmp_path: Path, authority: Authority
) -> None:
    parts: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(exchange: Exchange) -> None:
        while part := await exchange.part():
            parts.put_nowait(part)
        await exchange.answer()

    async with before(script, place, tmp_path, authority) as (_, reader, writer):
        writer.write(request(place, "Transfer-Encoding: chunked"))
        for part in (b"first", b"second"):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            assert await asyncio.wait_for(parts.get(), WITHIN) == part
        writer.write(b"0\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), WITHIN)).startswith(b"HTTP/1.1 200")


@every_place
async def test_what_it_says_about_the_caller(
    place: str, tmp_path: Path, authority: Authority
) -> None:
    async with before(plain, place, tmp_path, authority) as (upstream, reader, writer):
        for _ in range(2):
            writer.write(
                request(
                    place,
                    "X-Forwarded-For: 203.0.113.9",
                    "X_Forwarded_For: 203.0.113.9",
                    "Connection: x-forwarded-for, keep-alive",
                    method="GET",
                )
            )
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n{}"), WITHIN)
    assert upstream.connections == 1
    for seen in upstream.seen:
        assert seen.target == f"{PLACES[place][2]}/mcp"
        assert seen.header("x-forwarded-for") == "127.0.0.1"
        assert seen.header("host") == "localhost"
        if PLACES[place][0] is Nginx:  # Caddy passes it on; authgate does not read it
            assert seen.header("x_forwarded_for") is None
        assert seen.header("connection") is None


@every_place
async def test_the_end_of_a_client_is_told(
    place: str, tmp_path: Path, authority: Authority
) -> None:
    ended = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.ended()
        ended.set()

    async with before(script, place, tmp_path, authority) as (_, reader, writer):
        writer.write(request(place, method="GET"))
        await asyncio.wait_for(reader.readline(), WITHIN)
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), WITHIN)


@every_place
async def test_a_long_head_of_an_answer_passes(
    place: str, tmp_path: Path, authority: Authority
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(b"{}", "X-Long: " + "x" * 12_000)

    async with before(script, place, tmp_path, authority) as (_, reader, writer):
        writer.write(request(place, method="GET"))
        assert (await asyncio.wait_for(reader.readline(), WITHIN)).startswith(b"HTTP/1.1 200")
