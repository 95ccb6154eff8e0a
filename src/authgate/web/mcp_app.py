"""An MCP server on the official SDK that is imported, built and started by its first request.

The SDK costs half a second and tens of MiB, which a process that only issues tokens never needs.
Never here: what the server offers (its factory knows), who may call it (`gateway.guard`) and where
browsers may call from (`web.origins`).

The SDK's own Host and Origin check is off. It guards servers that answer anybody who can reach
them, against DNS rebinding. Here the Origin is judged before this application is asked, no answer
depends on the Host header, and a server behind `gateway.guard` answers only to a bearer token,
which a rebound page does not have. On, it would refuse every host name but loopback.

Stateless: each POST is complete in itself. The 2026-07-28 protocol knows nothing else, and for
earlier clients it spares the session that another worker, or this one after a restart, would answer
with 404. So there is no stream to resume and none to end: GET and DELETE are 405, as the transport
allows, instead of a connection that stays open for nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.web.answers import refusal_answer, unforeseen
from authgate.web.request import BODY_LIMIT, Message, Receive, Scope, Send

STOP_WITHIN = 5.0  # seconds that running calls get at shutdown


class SessionManager(Protocol):
    """The part of the SDK's session manager that is used here."""

    def run(self) -> AbstractAsyncContextManager[None]: ...

    def handle_request(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...


class McpServer(Protocol):
    """The part of the SDK's servers (high and low level) that is used here."""

    @property
    def session_manager(self) -> Any: ...

    def streamable_http_app(
        self, *, json_response: bool, stateless_http: bool, max_request_body_size: int, host: str
    ) -> Any: ...


class LazyMcpApp:
    """An ASGI application around the server that `factory` makes.

    `factory` runs in a thread, so that importing the SDK does not stop everybody else's requests.
    `json_response`: one JSON document per answer. Without it a call may stream its progress.
    `body_limit` in bytes.
    """

    def __init__(
        self,
        factory: Callable[[], Any],
        *,
        json_response: bool = False,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        self._factory = factory
        self._json_response = json_response
        self._body_limit = body_limit
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[SessionManager] | None = None
        self._stop = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            refusal = Refusal(Reason.METHOD_NOT_ALLOWED, allowed="POST, OPTIONS")
            await refusal_answer(refusal).send(send)
            return
        sending = _Watched(send)
        try:
            manager = await self._manager()
            await manager.handle_request(scope, receive, sending)
        except Exception as trouble:  # the last line: nothing of ours or the SDK's gets outside
            if _caller_left(trouble):
                return
            answer = unforeseen("mcp.failed", scope, trouble)
            if sending.started:
                raise  # half an answer is out: only closing the connection tells the client so
            await answer.send(send)

    async def close(self) -> None:
        """End running calls and stop; a later request would start afresh."""
        task, self._task, self._ready = self._task, None, None
        if task is None:
            return
        self._stop.set()
        _, late = await asyncio.wait([task], timeout=STOP_WITHIN)
        for left in late:
            left.cancel()
            await asyncio.wait([left])

    async def _manager(self) -> SessionManager:
        """The running session manager; the first caller starts it, others wait for the same one."""
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._stop = asyncio.Event()
            # A context of its own: whatever the first request carries in context variables (its
            # log fields) would otherwise stay with the server for good.
            self._task = asyncio.get_running_loop().create_task(
                self._run(self._ready, self._stop), context=contextvars.Context()
            )
        # Shielded: a caller that goes away must not take the others' server along.
        return await asyncio.shield(self._ready)

    async def _run(self, ready: asyncio.Future[SessionManager], stop: asyncio.Event) -> None:
        """Start, serve and end in one task: the SDK's cancel scopes must be left where entered."""
        try:
            server: McpServer = await asyncio.to_thread(self._factory)
            server.streamable_http_app(
                json_response=self._json_response,
                stateless_http=True,
                max_request_body_size=self._body_limit,
                host="",  # not loopback: no Host and Origin check of the SDK's, see above
            )
            manager: SessionManager = server.session_manager
            async with manager.run():
                ready.set_result(manager)
                await stop.wait()
        except Exception as trouble:
            if ready.done():
                log.warning("mcp.stopped", error=type(trouble).__name__)
            else:
                ready.set_exception(trouble)
        finally:
            ready.cancel()  # for who still waits at shutdown; nothing happens to one that is done
            if self._ready is ready:
                self._ready = self._task = None  # the next request tries again


def _caller_left(trouble: Exception) -> bool:
    """Whether the SDK was reading a request whose caller hung up: no bug, and nobody to answer."""
    from starlette.requests import ClientDisconnect  # the SDK has imported it by then

    return isinstance(trouble, ClientDisconnect)


class _Watched:
    """`send`, remembering whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        await self._send(message)
