"""What the listener refuses before any handler is asked (RFC 9112 sections 6.1 and 9.3)."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from authgate.web import listener
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
