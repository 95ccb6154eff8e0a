"""The lazy MCP application: built once, started and stopped in one task, and never a loose end."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request

from authgate.web.mcp_app import LazyMcpApp
from authgate.web.request import Message, Receive, Scope, Send
from tests.tools.asking import ask, scope_of

ticket: contextvars.ContextVar[str] = contextvars.ContextVar("ticket", default="none")


class StandIn:
    """An SDK server and its session manager in one, that tells what happens to it."""

    def __init__(self) -> None:
        self.entered_in: asyncio.Task[Any] | None = None
        self.left_in: asyncio.Task[Any] | None = None
        self.ticket = ""
        self.built_with: dict[str, Any] = {}
        self.answering = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    @property
    def session_manager(self) -> StandIn:
        return self

    def streamable_http_app(self, **options: Any) -> None:
        self.built_with = options

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        self.entered_in, self.ticket = asyncio.current_task(), ticket.get()
        try:
            yield
        finally:
            self.left_in = asyncio.current_task()

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.answering.set()
        await self.go_on.wait()
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        if scope["path"] == "/half":
            raise RuntimeError("secret detail")
        await send({"type": "http.response.body", "body": b"hello"})


async def test_concurrent_first_requests_build_once() -> None:
    built: list[StandIn] = []

    def factory() -> StandIn:
        built.append(StandIn())
        return built[-1]

    app = LazyMcpApp(factory)
    answers = await asyncio.gather(*(ask(app, scope_of()) for _ in range(20)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"hello")}
    assert len(built) == 1
    await app.close()


async def test_the_factory_runs_beside_the_event_loop() -> None:
    threads: list[int] = []

    def factory() -> StandIn:
        threads.append(threading.get_ident())
        return StandIn()

    app = LazyMcpApp(factory, json_response=True)
    await ask(app, scope_of())
    assert threads != [threading.get_ident()]
    await app.close()


async def test_it_ends_in_the_task_it_began_in() -> None:
    server = StandIn()
    app = LazyMcpApp(lambda: server, json_response=True)
    ticket.set("first request")
    await ask(app, scope_of())
    assert server.left_in is None
    await app.close()
    assert server.entered_in is server.left_in is not asyncio.current_task()
    assert server.ticket == "none"  # nothing of the first caller stays with the server
    assert server.built_with["stateless_http"] is True
    assert server.built_with["json_response"] is True


async def test_a_failed_start_is_tried_again() -> None:
    attempts: list[StandIn | None] = [None, StandIn()]

    def factory() -> StandIn:
        server = attempts.pop(0)
        if server is None:
            raise ImportError("secret detail")
        return server

    app = LazyMcpApp(factory)
    heard = await ask(app, scope_of())
    assert heard.status == 500
    assert heard.header("x-request-id")
    assert b"secret" not in heard.body
    assert (await ask(app, scope_of())).status == 200
    await app.close()


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    begin = threading.Event()

    def factory() -> StandIn:
        assert begin.wait(10)
        return StandIn()

    app = LazyMcpApp(factory)
    first = asyncio.create_task(ask(app, scope_of()))
    second = asyncio.create_task(ask(app, scope_of()))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    begin.set()
    assert (await second).status == 200
    await app.close()


async def test_closing_waits_for_a_start_and_can_be_repeated() -> None:
    app = LazyMcpApp(StandIn)
    await app.close()  # never started
    asked = asyncio.create_task(ask(app, scope_of()))
    await asyncio.sleep(0)
    await app.close()
    await app.close()
    assert (await asked).status == 200
    assert (await ask(app, scope_of())).status == 200  # and it would start afresh
    await app.close()


async def test_half_an_answer_ends_in_an_exception() -> None:
    """So that the HTTP server closes the connection: a complete answer would be a lie."""
    app = LazyMcpApp(StandIn)
    with pytest.raises(RuntimeError):
        await ask(app, scope_of(path="/half"))
    await app.close()


async def test_other_methods_do_not_wake_it() -> None:
    def factory() -> StandIn:
        pytest.fail("woken")

    app = LazyMcpApp(factory)
    for method in ("GET", "DELETE", "PUT", "HEAD"):
        heard = await ask(app, scope_of(method))
        assert (heard.status, heard.header("allow")) == (405, "POST, OPTIONS")


async def test_a_caller_who_hangs_up_in_the_middle_of_a_request_is_no_fault() -> None:
    """Nobody is there to be answered, and nothing is to be mended."""

    class Reading(StandIn):
        async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
            await Request(dict(scope), receive).body()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pytest.fail(f"answered with {message}")

    app = LazyMcpApp(Reading)
    await app(scope_of(), receive, send)
    await app.close()
