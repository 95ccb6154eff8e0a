"""What the listener refuses before any handler is asked (RFC 9112 sections 6.1 and 9.3)."""

from __future__ import annotations

import asyncio
import time

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


async def test_a_body_that_grows_in_chunks_is_cut_off(port: int) -> None:
    chunk = b"1000\r\n" + b"a" * 0x1000 + b"\r\n"
    head = HEAD + FORM + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = await talk(port, head + chunk * 40)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer.lower()


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
