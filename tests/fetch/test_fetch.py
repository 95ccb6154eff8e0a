"""What the way out promises: bounds, no redirects, no cookies, and failures that tell nothing."""

from __future__ import annotations

import asyncio
import gzip
import logging
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from authgate import __version__
from authgate.fetch import Call, Fetch, FetchFailed, Kind

SECRET = "hunter2-in-the-answer"
KEY = "sb_secret_" + "k" * 8
SENT = "hunter2-in-the-question"
Server = Callable[..., Awaitable[str]]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Serve one handler at every path; gives its URL."""
    runners = []

    async def serve(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> str:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def fetch() -> AsyncIterator[Fetch]:
    made = Fetch(connect=0.5, max_bytes=10_000)
    yield made
    await made.close()


async def failing(fetch: Fetch, url: str, total: float = 1.0) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        await fetch.json(Call("POST", url, {"apikey": KEY}, {"password": SENT}, total))
    failed = caught.value
    told = "".join(traceback.format_exception(failed)) + repr(failed) + str(vars(failed))
    for secret in (SECRET, KEY, SENT):
        assert secret not in told
    assert failed.__context__ is None
    assert failed.__cause__ is None
    return failed


async def test_json_goes_out_and_comes_in(server: Server, fetch: Fetch) -> None:
    async def echo(request: web.Request) -> web.Response:
        headers = {k.lower(): v for k, v in request.headers.items()}
        got = {"got": await request.json(), "headers": headers, "path": request.raw_path}
        return web.json_response(got, status=418, headers={"X-Sb-Error-Code": "tea"})

    url = await server(echo) + "/a%2Fb?q=%40x"
    answer = await fetch.json(Call("POST", url, {"apikey": "k"}, {"é": 1}))
    assert (answer.status, answer.headers["x-sb-error-code"]) == (418, "tea")
    assert isinstance(answer.body, dict)
    assert answer.body["got"] == {"é": 1}
    assert answer.body["path"] == "/a%2Fb?q=%40x"  # not re-written
    sent = answer.body["headers"]
    assert sent["user-agent"] == f"authgate/{__version__}"
    assert sent["content-type"] == "application/json"
    assert "cookie" not in sent
    assert "got" not in repr(answer)
    assert "apikey" not in repr(Call("GET", url, {"apikey": "k"}, {"x": "y"}))


@pytest.mark.parametrize("value", ["a+b c", "é&=%", "x" * 9000])
async def test_a_form_goes_out_as_one(server: Server, fetch: Fetch, value: str) -> None:
    async def echo(request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response({"form": dict(form), "type": request.content_type})

    call = Call("POST", await server(echo), {"authorization": KEY}, form={"code": value, "b": ""})
    answer = await fetch.json(call)
    assert answer.body == {
        "form": {"code": value, "b": ""},
        "type": "application/x-www-form-urlencoded",
    }
    assert value not in repr(call)
    assert KEY not in repr(call)


async def test_a_form_that_fails_tells_nothing(server: Server, fetch: Fetch) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    with pytest.raises(FetchFailed) as caught:
        await fetch.json(Call("POST", await server(cut), form={"client_secret": SENT}, total=1.0))
    told = "".join(traceback.format_exception(caught.value)) + str(vars(caught.value))
    assert SENT not in told
    assert caught.value.sent


async def test_an_answer_without_a_body_has_none(server: Server, fetch: Fetch) -> None:
    async def nothing(_: web.Request) -> web.Response:
        return web.Response(status=204)

    assert (await fetch.json(Call("GET", await server(nothing)))).body is None


async def test_no_redirect_is_followed_and_no_cookie_kept(server: Server, fetch: Fetch) -> None:
    seen = []

    async def away(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        return web.Response(status=302, headers={"Location": "/other", "Set-Cookie": "a=b"})

    url = await server(away)
    for _ in range(2):
        assert (await fetch.json(Call("GET", url))).status == 302
    assert seen == [None, None]


async def test_the_environment_has_no_say(
    server: Server, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def fine(_: web.Request) -> web.Response:
        return web.json_response({})

    assert (await fetch.json(Call("GET", await server(fine)))).status == 200


async def test_what_takes_too_long_times_out(server: Server, fetch: Fetch) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    failed = await failing(fetch, await server(slow), 0.1)
    assert (failed.kind, failed.sent) == (Kind.TIMEOUT, True)


async def test_a_body_that_drips_times_out_too(server: Server, fetch: Fetch) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(50):
            await answer.write(b" ")
            await asyncio.sleep(0.05)
        return answer

    assert (await failing(fetch, await server(drip), 0.2)).kind is Kind.TIMEOUT


async def test_nobody_there(fetch: Fetch) -> None:
    for url in ("http://127.0.0.1:1/", "http://nobody.invalid/", "http://"):
        failed = await failing(fetch, url)
        assert (failed.kind, failed.sent) == (Kind.UNREACHABLE, False)


async def test_a_cut_connection_is_unreachable_and_was_sent(server: Server, fetch: Fetch) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    failed = await failing(fetch, await server(cut))
    assert (failed.kind, failed.sent) == (Kind.UNREACHABLE, True)


async def test_a_body_that_is_too_large_is_not_read_to_its_end(
    server: Server, fetch: Fetch
) -> None:
    async def huge(_: web.Request) -> web.Response:
        return web.Response(body=b'"' + SECRET.encode() * 100_000 + b'"')

    async def bomb(_: web.Request) -> web.Response:
        body = gzip.compress(b'"' + b"x" * 1_000_000 + b'"')
        assert len(body) < 2000
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    for handler in (huge, bomb):
        failed = await failing(fetch, await server(handler))
        assert (failed.kind, failed.status) == (Kind.TOO_LARGE, 200)


@pytest.mark.parametrize("body", [f"<p>{SECRET}</p>", f'{{"a": {SECRET}', "\x00\xff", "NaN"])
async def test_what_is_no_json_says_so_with_its_status(
    server: Server, fetch: Fetch, body: str
) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(status=502, body=body.encode("latin-1"))

    failed = await failing(fetch, await server(odd))
    assert (failed.kind, failed.status) == (Kind.NOT_JSON, 502)


async def test_what_is_no_http_is_no_json_either(fetch: Fetch) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"220 {SECRET}\r\n".encode())
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    assert (await failing(fetch, f"http://127.0.0.1:{port}/")).kind is Kind.NOT_JSON
    listening.close()
    await listening.wait_closed()


async def test_many_at_once_share_one_session(server: Server, fetch: Fetch) -> None:
    async def fine(request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    url = await server(fine)
    calls = (fetch.json(Call("POST", url, json={"n": n})) for n in range(200))
    answers = await asyncio.gather(*calls)
    assert [answer.body for answer in answers] == [{"n": n} for n in range(200)]


async def test_after_close_nothing_goes_out() -> None:
    fetch = Fetch()
    await fetch.close()
    await fetch.close()
    assert (await failing(fetch, "http://127.0.0.1:1/")).kind is Kind.UNREACHABLE


async def test_nothing_is_logged(
    server: Server, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(body=SECRET.encode())

    url = await server(odd)
    with caplog.at_level(logging.DEBUG):
        await failing(fetch, url)
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


def test_importing_it_does_not_import_aiohttp() -> None:
    code = "import sys, authgate.fetch; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
