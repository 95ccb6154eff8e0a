"""The proxy on real sockets: what passes, what never does, what each side learns of the other."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx2
import pytest

from authgate.gateway.identity import Plain
from tests.clauses import clause
from tests.gateway.proxying import WITHIN, in_front_of, soon, until
from tests.standins.upstream import Exchange, RawUpstream, plain

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "add"}}
ROUTED = {"mcp-protocol-version": "2025-11-25", "mcp-method": "tools/call", "mcp-name": "add"}


def as_person(name: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {name}", **more}


# --- what passes ----------------------------------------------------------------------------------


async def test_a_call_passes_as_it_came() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        body = b'{ "jsonrpc":"2.0",  "id":1, "method":"ping" }\n'
        answer = await http.post(
            "/mcp?region=eu&x=%2F+y",
            content=body,
            headers={"content-type": "application/json", "x-own": "1", "accept": "a/b"},
        )
    [seen] = upstream.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/mcp?region=eu&x=%2F+y", body)
    assert seen.header("content-type") == "application/json"
    assert seen.header("x-own") == "1"
    assert seen.header("accept") == "a/b"
    assert (answer.status_code, answer.content) == (200, b"{}")


async def test_the_client_says_nothing_that_the_gateway_made_up() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()
    [seen] = upstream.seen
    assert sorted(seen.headers) == [
        ("content-length", "2"),
        ("host", f"127.0.0.1:{upstream.port}"),
        ("via", "1.1 authgate"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "auth.example"),
        ("x-forwarded-proto", "https"),
    ]


@pytest.mark.parametrize(
    "status",
    ["201 Yes", "202 Yes", "204 Yes", "400 No", "401 No", "404 No", "405 No", "418 ", "500 Oops"],
)
async def test_any_status_passes(status: str) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        body = b"" if status[:3] in ("202", "204") else b"words"
        await exchange.answer(body, "WWW-Authenticate: Other", status=status)

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        for _ in range(2):  # the connections on both sides stay usable
            answer = await http.post("/mcp", json=CALL)
            assert str(answer.status_code) == status[:3]
            assert answer.headers["www-authenticate"] == "Other"
            assert answer.text in ("", "words")
    assert upstream.connections == 1


async def test_compressed_bytes_stay_as_they_are() -> None:
    packed = gzip.compress(b"text " * 1000)

    async def script(exchange: Exchange) -> None:
        assert exchange.header("accept-encoding") == "gzip"
        assert exchange.header("content-encoding") == "gzip"
        await exchange.answer(await exchange.read(), "Content-Encoding: gzip")

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        sent = {"accept-encoding": "gzip", "content-encoding": "gzip"}
        async with http.stream("POST", "/mcp", content=packed, headers=sent) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
    assert raw == packed
    assert answer.headers["content-length"] == str(len(packed))


async def test_an_answer_streams_while_it_is_being_made() -> None:
    heard = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin()
        await exchange.chunk(b"data: 1\n\n")
        await soon(heard)  # the second part is not made before the first has arrived
        await exchange.chunk(b"data: 2\n\n")
        await exchange.chunk(b"")

    async with (
        RawUpstream(script) as upstream,
        in_front_of(upstream.url) as http,
        http.stream("POST", "/mcp", json=CALL) as answer,
    ):
        parts = answer.aiter_raw()
        assert await anext(parts) == b"data: 1\n\n"
        heard.set()
        assert [part async for part in parts] == [b"data: 2\n\n"]


async def test_the_head_of_a_stream_does_not_wait_for_its_first_word() -> None:
    heard = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.begin("Mcp-Session-Id: s")
        await soon(heard)
        await exchange.chunk(b"")

    async with (
        RawUpstream(script) as upstream,
        in_front_of(upstream.url) as http,
        http.stream("GET", "/mcp", headers={"last-event-id": "e-7"}) as answer,
    ):
        assert answer.headers["content-type"] == "text/event-stream"
        heard.set()
        assert await answer.aread() == b""
    assert upstream.seen[0].header("last-event-id") == "e-7"
    assert upstream.seen[0].header("content-length") is None


@pytest.mark.parametrize("length", [None, 6])
async def test_a_request_streams_while_it_is_being_made(length: int | None) -> None:
    arrived = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if length is None:
            assert exchange.header("content-length") is None
            assert await exchange.part() == b"one"
            arrived.set()
            assert await exchange.part() == b"two"
            assert await exchange.part() == b""
        else:
            assert exchange.header("transfer-encoding") is None
            assert exchange.header("content-length") == str(length)
            assert await exchange.reader.readexactly(3) == b"one"
            arrived.set()
            assert await exchange.reader.readexactly(3) == b"two"
        await exchange.answer()

    async def body() -> Any:
        yield b"one"
        await soon(arrived)
        yield b"two"

    sent = {} if length is None else {"content-length": str(length)}
    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        answer = await http.post("/mcp", content=body(), headers=sent)
    assert answer.status_code == 200


@pytest.mark.parametrize("routed", [{}, ROUTED])
async def test_large_ones_arrive_whole(routed: dict[str, str]) -> None:
    async def script(exchange: Exchange) -> None:
        body = await exchange.read()
        assert exchange.header("content-length") == str(len(body))
        await exchange.answer(body)

    sent = b'{"method":"tools/call","params":{"name":"add","x":"' + b"y" * 3_000_000 + b'"}}'
    async with (
        RawUpstream(script) as upstream,
        in_front_of(upstream.url, body_limit=1 << 22) as http,
    ):
        assert (await http.post("/mcp", content=sent, headers=routed)).content == sent


async def test_delete_passes() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        assert (await http.delete("/mcp")).status_code == 200
    assert upstream.seen[0].method == "DELETE"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_body_where_it_means_nothing(method: str) -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        assert (await http.request(method, "/mcp", content=b"{}")).status_code == 200
        assert (await http.request(method, "/mcp", content=b"x" * 2000)).status_code == 413
    [seen] = upstream.seen
    assert (seen.method, seen.body) == (method, b"")


async def test_a_client_that_asks_before_it_sends() -> None:
    """`Expect: 100-continue`, as curl sends it with a large body."""
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
        head = b"POST /mcp HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()
    assert upstream.seen[0].header("expect") is None


async def test_interim_answers_are_passed_over() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await exchange.answer()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        assert (await http.post("/mcp", json=CALL)).content == b"{}"


# --- what does not --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "TRACE", "PROPFIND"])
async def test_methods_that_mcp_does_not_have(method: str) -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        answer = await http.request(method, "/mcp")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, POST, DELETE, OPTIONS"
    assert not upstream.seen


async def test_a_token_never_goes_upstream() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        await http.post("/mcp?access%5Ftoken=ada&a=1", json=CALL, headers=as_person("ada"))
        await http.post("/mcp?access_token=ada", json=CALL, headers=as_person("ada"))
    for seen in upstream.seen:
        assert seen.header("authorization") is None
        assert "token" not in seen.target
    assert [seen.target for seen in upstream.seen] == ["/mcp?a=1", "/mcp"]


async def test_the_operators_query_is_the_only_one() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url + "?read_only=true") as http:
        await http.post("/mcp?read_only=false", json=CALL)
    assert upstream.seen[0].target == "/mcp?read_only=true"


async def test_identity_is_ours_to_say() -> None:
    claims = {
        "x-authgate-subject": "root",
        "x_authgate_subject": "root",
        "X-AUTHGATE-SCOPES": "all",
        "x-forwarded-for": "203.0.113.9",
        "connection": "x-authgate-subject, via, x-forwarded-for",
    }
    async with RawUpstream() as upstream, in_front_of(upstream.url, identity=Plain()) as http:
        await http.post("/mcp", json=CALL, headers=as_person("ada", **claims))
    [seen] = upstream.seen
    assert seen.header("x-authgate-subject") == "ada"
    assert seen.header("x-authgate-client") == "client_1"
    assert seen.header("x-authgate-scopes") == "mcp:use"
    assert seen.header("x-authgate-display") == "ada@example.com"
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert seen.header("via") == "1.1 authgate"
    assert not [name for name, value in seen.headers if value == "root" or "_" in name]


@clause("RFC 9112", "11.2")
async def test_an_answer_with_two_framings_is_framed_anew() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin("Content-Length: 2", "Connection: close")
        await exchange.chunk(b"HTTP/1.1 200 OK\r\n\r\n")
        await exchange.chunk(b"")
        exchange.writer.close()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        answer = await http.post("/mcp", json=CALL)
        # either it is refused as broken or it says what it is, once
        assert answer.status_code in (200, 502)
        if answer.status_code == 200:
            assert "content-length" not in answer.headers
            assert answer.content == b"HTTP/1.1 200 OK\r\n\r\n"


# --- headers against the body ---------------------------------------------------------------------


@clause("MCP 2026-07-28", "basic/transports/streamable-http#server-validation")
async def test_headers_that_contradict_the_body() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        for wrong in ({"mcp-method": "tools/list"}, {"mcp-name": "drop"}):
            answer = await http.post("/mcp", json=CALL, headers=ROUTED | wrong)
            assert answer.status_code == 400
            error = answer.json()
            assert (error["jsonrpc"], error["id"], error["error"]["code"]) == ("2.0", 7, -32020)
            assert error["error"]["data"]["error"] == "invalid_request"
            assert error["error"]["data"]["hint"]
        twice = [*ROUTED.items(), ("mcp-name", "add")]
        assert (await http.post("/mcp", json=CALL, headers=twice)).status_code == 400
        assert not upstream.seen
        assert (await http.post("/mcp", json=CALL, headers=ROUTED)).status_code == 200


async def test_a_body_that_is_no_json_where_it_is_compared() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        answer = await http.post("/mcp", content=b"{", headers=ROUTED)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)
        assert answer.json()["id"] is None
        assert not upstream.seen
        # where nothing is compared it is the server's to judge
        assert (await http.post("/mcp", content=b"{")).status_code == 200


# --- limits ---------------------------------------------------------------------------------------


def pieces(count: int) -> Any:
    async def body() -> Any:
        for _ in range(count):
            yield b"x" * 1000

    return body()


@pytest.mark.parametrize("routed", [{}, ROUTED])
@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_over_the_limit(routed: dict[str, str], declared: bool) -> None:
    ended = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        with pytest.raises(asyncio.IncompleteReadError):
            await exchange.read()
        ended.set()
        exchange.writer.close()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url, body_limit=5000) as http:
        content = b"x" * 8000 if declared else pieces(8)
        answer = await http.post("/mcp", content=content, headers=routed)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == -32600
        if upstream.seen:  # it had begun to pass
            assert not declared
            assert not routed
            await soon(ended)
        upstream.script = plain
        fits = await http.post("/mcp", content=pieces(5))
        assert fits.status_code == 200


async def test_open_streams_leave_room_for_calls_and_for_others() -> None:
    over = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.begin()
            await soon(over)
            await exchange.chunk(b"")
        else:
            await plain(exchange)

    async with RawUpstream(script) as upstream, in_front_of(upstream.url, each=4) as http:
        ada, lin = as_person("ada"), as_person("lin")

        async def hold(person: dict[str, str]) -> int:
            async with http.stream("GET", "/mcp", headers=person) as answer:
                await answer.aread()
                return answer.status_code

        held = [asyncio.create_task(hold(ada)) for _ in range(3)]
        await until(lambda: len(upstream.seen) == 3)
        refused = await http.get("/mcp", headers=ada)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["data"]["error"] == "temporarily_unavailable"
        listen = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}
        also = await http.post(
            "/mcp", json=listen, headers=ada | {"mcp-method": "subscriptions/listen"}
        )
        assert also.status_code == 503
        assert (await http.post("/mcp", json=CALL, headers=ada)).status_code == 200
        held.append(asyncio.create_task(hold(lin)))
        await until(lambda: len(upstream.seen) == 5)
        over.set()
        assert await asyncio.gather(*held) == [200] * 4


# --- one side ends --------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before the head", "in the stream", "with a body on its way"])
async def test_a_client_that_goes_away_is_gone_upstream(when: str) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if when == "with a body on its way":
            await exchange.part()
        else:
            await exchange.read()
        if when == "in the stream":
            await exchange.begin()
            await exchange.chunk(b"data: 1\n\n")
        begun.set()
        await exchange.ended()
        ended.set()

    async def endless() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        body = endless() if when == "with a body on its way" else b"{}"

        async def call() -> None:
            async with http.stream("POST", "/mcp", content=body) as answer:
                async for _ in answer.aiter_raw():
                    pass

        calling = asyncio.create_task(call())
        await soon(begun)
        calling.cancel()
        await asyncio.wait_for(ended.wait(), 1.0)
        await asyncio.wait([calling])


@pytest.mark.parametrize("framed", ["chunked", "by length", "in a chunk"])
async def test_an_upstream_that_breaks_off_leaves_no_whole_answer(
    framed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        if framed == "by length":
            await exchange.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        else:
            await exchange.begin()
            await exchange.chunk(b"half")
            if framed == "in a chunk":
                await exchange.say(b"100\r\nmore")
        exchange.writer.close()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        got = []

        async def call() -> None:
            async with http.stream("POST", "/mcp", json=CALL) as answer:
                async for part in answer.aiter_raw():
                    got.append(part)

        with pytest.raises(httpx2.RemoteProtocolError):
            await call()
        assert got[0].startswith(b"half")
    assert "upstream.cut" in "".join(capsys.readouterr())


# --- an upstream in trouble -----------------------------------------------------------------------


def error_of(answer: httpx2.Response) -> tuple[int, Any, int, str]:
    said = answer.json()
    assert said["jsonrpc"] == "2.0"
    assert set(said["error"]["data"]) == {"error", "hint"}
    return answer.status_code, said["id"], said["error"]["code"], said["error"]["data"]["error"]


async def test_nobody_there() -> None:
    async with RawUpstream() as upstream:
        url = upstream.url
    async with in_front_of(url) as http:
        answer = await http.post("/mcp", json=CALL)
        assert error_of(answer) == (502, 7, -32603, "upstream_error")
        assert "nothing was sent" in answer.json()["error"]["message"]
        assert error_of(await http.get("/mcp")) == (502, None, -32603, "upstream_error")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["nothing", "half a head", "no HTTP", "a huge header", "many", "upgrade", "999"],
)
async def test_no_proper_answer(raw: bytes) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        exchange.writer.write(raw)
        exchange.writer.close()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        answer = await http.post("/mcp", json=CALL)
        assert error_of(answer) == (502, 7, -32603, "upstream_error")
        assert "before you repeat it" in answer.json()["error"]["data"]["hint"]
        assert len(upstream.seen) == 1
        upstream.script = plain
        assert (await http.post("/mcp", json=CALL)).status_code == 200


async def test_no_answer_in_time() -> None:
    ended = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.ended()
        ended.set()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url, timeout=0.3) as http:
        answer = await http.post("/mcp", json=CALL)
        assert error_of(answer) == (504, 7, -32603, "upstream_error")
        assert "0.3 seconds" in answer.json()["error"]["message"]
        await soon(ended)


async def test_what_has_begun_has_no_limit_of_time() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.begin()
        await asyncio.sleep(0.6)
        await exchange.chunk(b"late")
        await exchange.chunk(b"")

    async with RawUpstream(script) as upstream, in_front_of(upstream.url, timeout=0.3) as http:
        assert (await http.post("/mcp", json=CALL)).content == b"late"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 T", "308 P", "300 M"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_redirect_never_passes(status: str, method: str) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.answer(b"", "Location: https://elsewhere.example/mcp", status=status)

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        answer = await http.request(method, "/mcp")
        assert error_of(answer)[0] == 502
        assert "location" not in answer.headers
        assert "elsewhere" not in answer.text
        assert "AUTHGATE_UPSTREAM" in answer.json()["error"]["data"]["hint"]
    assert len(upstream.seen) == 1


async def test_a_bug_is_a_500_with_a_number_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        def headers(self, _: object) -> Any:
            raise RuntimeError("secret detail")

    async with RawUpstream() as upstream, in_front_of(upstream.url, identity=Broken()) as http:
        answer = await http.post("/mcp", json=CALL)
        assert error_of(answer) == (500, 7, -32603, "server_error")
        assert answer.headers["x-request-id"] in "".join(capsys.readouterr())
        assert "secret" not in answer.text


# --- connections ----------------------------------------------------------------------------------


async def test_a_connection_serves_one_call_after_the_other() -> None:
    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        for _ in range(20):
            assert (await http.post("/mcp", json=CALL)).status_code == 200
    assert upstream.connections == 1


async def test_nobody_waits_behind_somebody_elses_call() -> None:
    over = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        if b"slow" in await exchange.read():
            await soon(over)
        await exchange.answer()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        slow = [asyncio.create_task(http.post("/mcp", content=b"slow")) for _ in range(20)]
        await until(lambda: len(upstream.seen) == 20)
        quick = await http.post("/mcp", json=CALL, headers=as_person("lin"))
        assert quick.status_code == 200
        assert not any(task.done() for task in slow)
        over.set()
        assert {answer.status_code for answer in await asyncio.gather(*slow)} == {200}


async def test_an_upstream_that_was_restarted_between_two_calls() -> None:
    async def once(exchange: Exchange) -> None:
        await plain(exchange)
        exchange.writer.close()

    async with RawUpstream(once) as upstream, in_front_of(upstream.url) as http:
        for _ in range(5):
            assert (await http.post("/mcp", json=CALL)).status_code == 200
            await asyncio.sleep(0.05)  # the end of the connection is on its way
    assert upstream.connections == 5


@clause("RFC 9110", "9.2.2")
@pytest.mark.parametrize(("method", "sent"), [("POST", 1), ("GET", 2), ("DELETE", 2)])
async def test_what_may_have_been_done_is_not_sent_twice(method: str, sent: int) -> None:
    """The upstream closes a connection that was good, on a request, without a word."""

    async def vanish(exchange: Exchange) -> None:
        upstream.script = plain
        await exchange.read()
        exchange.writer.close()

    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        assert (await http.post("/mcp", json=CALL)).status_code == 200
        upstream.script = vanish
        answer = await http.request(method, "/mcp")
        assert answer.status_code == (502 if method == "POST" else 200)
        assert [seen.method for seen in upstream.seen[1:]] == [method] * sent


# --- back-pressure --------------------------------------------------------------------------------

PIECE = b"x" * 65_536
FAR_TOO_MUCH = 1024  # pieces, 64 MiB: what the kernel's buffers hold is a fraction of it


async def test_a_client_that_does_not_read_makes_the_upstream_wait() -> None:
    stalled = asyncio.Event()
    written = 0

    async def script(exchange: Exchange) -> None:
        nonlocal written
        await exchange.read()
        await exchange.begin()
        for _ in range(FAR_TOO_MUCH):
            try:
                await asyncio.wait_for(exchange.chunk(PIECE), 1.0)
            except TimeoutError:
                stalled.set()
                break
            written += 1
        await exchange.ended()

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        async with http.stream("POST", "/mcp", json=CALL) as answer:
            assert answer.status_code == 200
            await asyncio.wait_for(stalled.wait(), 60)
        assert 0 < written < FAR_TOO_MUCH // 2


async def test_an_upstream_that_does_not_read_makes_the_client_wait() -> None:
    over = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await soon(over)
        exchange.writer.close()

    async with (
        RawUpstream(script) as upstream,
        in_front_of(upstream.url, body_limit=1 << 30) as http,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
        length = FAR_TOO_MUCH * len(PIECE)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
        written = 0

        async def upload() -> None:
            nonlocal written
            for _ in range(FAR_TOO_MUCH):
                writer.write(PIECE)
                await asyncio.wait_for(writer.drain(), 1.0)
                written += 1

        with pytest.raises(TimeoutError):
            await upload()
        assert 0 < written < FAR_TOO_MUCH // 2
        over.set()
        writer.transport.abort()
        await until(lambda: len(upstream.seen) == 1, WITHIN)


async def test_an_early_answer_ends_an_upload() -> None:
    """The upstream says no before it has read: its answer passes, and the connection is spent."""

    async def script(exchange: Exchange) -> None:
        await exchange.answer(b"no", status="413 Too Large")
        assert await exchange.reader.read() == b"half"

    async with RawUpstream(script) as upstream, in_front_of(upstream.url) as http:
        reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\nhalf")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 413")
        writer.close()
        upstream.script = plain
        assert (await http.post("/mcp", json=CALL)).status_code == 200
    assert upstream.connections == 2
