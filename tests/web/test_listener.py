"""What the listener refuses before any handler is asked (RFC 9112 sections 6.1 and 9.3)."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from authgate.web import listener
from authgate.web.answers import Answer
from authgate.web.request import Disconnected, Receive, Scope, Send, read_body
from tests.clauses import clause
from tests.endpoints.gate import Gate
from tests.web.serving import serving, talk

HEAD = b"POST /oauth/token HTTP/1.1\r\nHost: a\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.fixture
async def port(gate: Gate):
    async with serving(gate.app) as number:
        yield number


async def test_a_whole_request_is_answered(port: int) -> None:
    answer = await talk(port, HEAD + FORM + CLOSE + b"Content-Length: 3\r\n\r\na=b")
    assert answer.startswith(b"HTTP/1.1 401")


@clause("RFC 9112", "6.1")
@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        b"Content-Length: 6\r\nContent-Length: 7\r\n",
        b"Content-Length: 6\r\nTransfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\nContent-Length: 6\r\n",
        b"Content-Length: +6\r\n",
        b"Content-Length: 0x6\r\n",
    ],
)
async def test_ambiguous_framing_is_refused_and_closed(port: int, framing: bytes) -> None:
    """Answering both requests would let one caller put words into another's connection."""
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = await talk(port, HEAD + FORM + framing + b"\r\n0\r\n\r\nX" + smuggled)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"alive" not in answer


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(port: int, raw: bytes) -> None:
    answer = await talk(port, raw)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_a_head_without_end_is_refused(port: int) -> None:
    answer = await talk(port, b"GET /healthz HTTP/1.1\r\n" + b"X-Long: " + b"a" * 70_000)
    many = b"".join(b"X-%d: y\r\n" % number for number in range(20_000))
    crowded = await talk(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + many + b"\r\n")
    for refused in (answer, crowded):
        assert refused == b"" or refused.startswith(b"HTTP/1.1 431")


CHUNK = b"1000\r\n" + b"a" * 0x1000 + b"\r\n"


async def test_a_body_that_grows_in_chunks_is_refused_before_its_end(port: int) -> None:
    head = HEAD + FORM + b"Transfer-Encoding: chunked\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + CHUNK * 40)
    answer = await asyncio.wait_for(reader.readuntil(b"}"), 10)
    assert answer.startswith(b"HTTP/1.1 413")
    writer.close()


@pytest.mark.parametrize("size", ["Content-Length: 2000000", "Transfer-Encoding: chunked"])
async def test_who_is_still_sending_gets_the_answer_and_no_reset(port: int, size: str) -> None:
    """A reset would take the answer along; what is left of the body is read and dropped."""
    body = CHUNK * 400 + b"0\r\n\r\n" if "chunked" in size else b"a" * 2_000_000
    head = HEAD + FORM + size.encode() + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    for start in range(0, len(body), 50_000):
        writer.write(body[start : start + 50_000])
        await writer.drain()
        await asyncio.sleep(0.001)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n")
    answers = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answers.startswith(b"HTTP/1.1 413")
    assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200") + 1 == 2


async def test_what_is_dropped_has_an_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "DROP_LIMIT", 1_000_000)
    head = HEAD + FORM + b"Content-Length: 900000000\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    sent = 0
    with suppress(ConnectionError):
        while sent < 200_000_000:
            writer.write(b"a" * 65_536)
            await writer.drain()
            sent += 65_536
    assert 1_000_000 <= sent < 200_000_000


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"POST /oauth/tok",
        HEAD,
        HEAD + FORM + b"Content-Length: 100\r\n\r\na=b",
        HEAD + FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\na",
    ],
)
async def test_half_a_request_is_closed_after_the_deadline(
    port: int, half: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "DEADLINE", 0.5)
    monkeypatch.setattr(listener, "SWEEP_EVERY", 0.05)
    watching = asyncio.create_task(listener.watch())
    begun = time.monotonic()
    await talk(port, half, wait=5)
    watching.cancel()
    assert 0.3 < time.monotonic() - begun < 4


async def test_a_drip_does_not_stretch_the_deadline(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "DEADLINE", 0.5)
    monkeypatch.setattr(listener, "SWEEP_EVERY", 0.05)
    watching = asyncio.create_task(listener.watch())
    begun = time.monotonic()
    head = HEAD + FORM + b"Content-Length: 1000\r\n\r\n"
    await talk(port, head, *[b"a"] * 40, pause=0.05, wait=5)
    watching.cancel()
    assert time.monotonic() - begun < 4


async def test_five_hundred_half_open_requests_hold_nobody_up(port: int) -> None:
    writers = []
    for _ in range(500):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + FORM + b"Content-Length: 100\r\n\r\na=")
        writers.append(writer)
    answer = await talk(
        port, b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: a\r\n" + CLOSE + b"\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200")
    for writer in writers:
        writer.close()


async def test_the_deadline_is_thirty_seconds() -> None:
    assert listener.DEADLINE == 30


@clause("RFC 9110", "6.5.1")
async def test_a_trailer_is_no_header() -> None:
    """What comes after a body was not there when the head was judged."""
    seen: list[list[tuple[bytes, bytes]]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(scope, receive, 100)
        seen.append(scope["headers"])
        await Answer(204).send(send)

    trailers = b"Authorization: Bearer x\r\nX-Forwarded-For: 192.0.2.1\r\n"
    chunked = HEAD + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    async with serving(app) as port:
        for parts in (
            (chunked + b"0\r\n" + trailers + b"\r\n",),
            (chunked, b"0\r\n", trailers + b"\r\n"),
        ):
            assert (await talk(port, *parts, pause=0.02)).startswith(b"HTTP/1.1 204")
    for headers in seen:
        assert [name for name, _ in headers] == [b"host", b"connection", b"transfer-encoding"]


@pytest.mark.parametrize("endless", [b"X-A: " + b"a" * 65_536, b"X: y\r\n" * 8192])
async def test_trailers_without_end_are_not_awaited(endless: bytes) -> None:
    """Each part of a line is joined to what came before: the more, the slower for everybody."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(Disconnected):
            await read_body(scope, receive, 100)

    async with serving(app) as port:
        began = time.monotonic()
        head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
        assert await talk(port, head, endless, *[endless.removeprefix(b"X-A: ")] * 20) == b""
        assert time.monotonic() - began < 5


async def test_a_body_in_many_small_parts_is_no_trailer() -> None:
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sizes.append(len(await read_body(scope, receive, 1 << 20)))
        await Answer(204).send(send)

    async with serving(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):  # the size of a chunk, with an extension, apart from the chunk
            for part in (b"1000;" + b"x" * 1000 + b"\r\n", b"a" * 0x1000, b"\r\n"):
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 204")
        writer.close()
    assert sizes == [200 * 0x1000]
