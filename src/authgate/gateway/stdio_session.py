"""A session of the revisions that have them (to 2025-11-25), with a program of its own.

The SDK's Streamable HTTP transport stands on one side, the program's lines on the other, and
messages pass unchanged. What a pipe does not say is put back here: on which stream a message of
the program belongs, and that a call which the program will never answer is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import anyio
from mcp.server.streamable_http import GET_STREAM_KEY, StreamableHTTPServerTransport
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import (
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)

from authgate.gateway import jsonrpc
from authgate.gateway.stdio_events import Events
from authgate.gateway.stdio_exchange import Exchange
from authgate.gateway.stdio_lines import Logged, TooLong, answered
from authgate.gateway.stdio_pending import Underway
from authgate.gateway.stdio_process import Program, ProgramGone
from authgate.gateway.stdio_programs import Owner, Programs, Tenant
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal

LAST_ANSWERS = 2.0  # seconds for answers to be taken when the program has ended
STREAM_BEGINS = 1.0
HELD, HELD_SIZE = 64, 1 << 20  # messages and bytes for a client that listens nowhere yet
REQUEST_CANCELLED = -32800  # the SDK's, where a cancelled request's stream must still end


class Session(Tenant):
    """From `begin` until `gone` is called. `timeout` in seconds is as in the proxy's policy."""

    def __init__(
        self,
        owner: Owner,
        programs: Programs,
        timeout: float,
        gone: Callable[[Session], None],
    ) -> None:
        super().__init__(owner)
        self.id = secrets.token_urlsafe(24)
        self.answered = False  # has its program said anything?
        self.refused = False  # was that no?
        self._programs = programs
        self._timeout = timeout
        self._gone = gone
        self._transport = StreamableHTTPServerTransport(self.id, event_store=Events())
        self._pending = Underway()
        self._held: deque[tuple[JSONRPCMessage, int]] = deque()
        self._posts = 0
        self._answered_all = asyncio.Event()
        self._answered_all.set()
        self._outgoing: Any = None
        self._task: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._background: set[asyncio.Task[None]] = set()

    # --- its life -------------------------------------------------------------------------------

    async def begin(self, told: Mapping[str, str]) -> None:
        """Start its program; raises `Refusal`."""
        self._task = asyncio.create_task(self._run(told))
        await asyncio.shield(self._ready)

    async def end(self, why: str) -> None:
        """End the program, which ends the rest."""
        if not self.over:
            log.info("upstream.session_ended", subject=self.owner[0], why=why)
        self.over = True
        self._gone(self)
        if self.program is not None:
            await self.program.end()
        task = self._task
        if task is None:
            return
        _, late = await asyncio.wait([task], timeout=2 * LAST_ANSWERS)
        for left in late:  # a client that takes nothing holds it up
            left.cancel()
            await asyncio.wait([left])

    async def _run(self, told: Mapping[str, str]) -> None:
        try:
            program = await self._programs.start(self, told)
            async with self._transport.connect() as (incoming, outgoing):
                self._outgoing = outgoing
                taking = asyncio.create_task(self._take(incoming, program))
                taking.add_done_callback(self._taken)
                try:
                    self._ready.set_result(None)
                    await self._give(program)
                    self._programs.silent(self, program)
                    await self._say_over()
                finally:
                    taking.cancel()
                    await asyncio.wait([taking])
                    await self._transport.terminate()
        except Refusal as refusal:
            self._ready.set_exception(refusal)
        except Exception as trouble:
            log.error("upstream.session_broken", error=type(trouble).__name__)
        finally:
            self.over = True
            self._gone(self)
            if not self._ready.done():
                self._ready.set_exception(Refusal(Reason.STOPPING, retry_after=1))
            self._pending.clear()
            await self._programs.leave(self)

    # --- one request ----------------------------------------------------------------------------

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request of this session's: a POST, or a GET that listens."""
        listens = exchange.scope["method"] == "GET"
        with self.used():
            self._count(not listens)
            watching = asyncio.create_task(self._flush_when_listening()) if listens else None
            try:
                await self._transport.handle_request(
                    exchange.scope, exchange.receive, exchange.send
                )
            finally:
                self._count(-(not listens))
                if watching is not None:
                    watching.cancel()
        await exchange.finish()

    def _count(self, posts: int) -> None:
        self._posts += posts
        if self._posts:
            self._answered_all.clear()
        else:
            self._answered_all.set()

    def is_pending(self, request_id: RequestId | None) -> bool:
        """Is there a request of that id under way? Two of the same would mix their answers."""
        return request_id is not None and self._pending.get(str(request_id)) is not None

    async def _flush_when_listening(self) -> None:
        """What had nowhere to go goes to the stream that was opened, once the SDK has it."""
        ends = time.monotonic() + STREAM_BEGINS
        while not self._listens:
            if time.monotonic() > ends:
                return
            await asyncio.sleep(0.005)
        while self._held:
            await self._send(self._held.popleft()[0], None)

    @property
    def _listens(self) -> bool:
        """Does the client have a stream for what belongs to no call? The SDK alone knows."""
        return GET_STREAM_KEY in self._transport._request_streams

    # --- client to program ----------------------------------------------------------------------

    async def _take(self, incoming: Any, program: Program) -> None:
        async for item in incoming:
            if isinstance(item, Exception):
                continue
            message: JSONRPCMessage = item.message
            if isinstance(message, JSONRPCRequest):
                await self._register(message)
            line = message.model_dump_json(by_alias=True, exclude_unset=True)
            with contextlib.suppress(ProgramGone):
                await program.write(line.encode())
            if (
                isinstance(message, JSONRPCNotification)
                and message.method == "notifications/cancelled"
            ):
                await self._cancelled(message.params or {})

    def _taken(self, task: asyncio.Task[None]) -> None:
        """Nobody takes messages any more. If that was not our doing, the session is over."""
        if not task.cancelled() and (trouble := task.exception()) is not None:
            log.error("upstream.session_broken", error=type(trouble).__name__)
            self._spawn(self.end("broken"))

    async def _register(self, request: JSONRPCRequest) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._timeout, self._too_late, str(request.id))
        self._pending.add(request, timer)
        if self.over:
            await self._fail(str(request.id), Refusal(Reason.UPSTREAM_DIED))
        while self._held and not self._listens:
            await self._send(self._held.popleft()[0], request.id)

    async def _cancelled(self, params: Mapping[str, Any]) -> None:
        """Nobody answers a cancelled request, but its stream ends with an answer only."""
        pending = self._pending.pop(str(params.get("requestId")))
        if pending is not None:
            error = ErrorData(code=REQUEST_CANCELLED, message="Request cancelled")
            await self._send(JSONRPCError(jsonrpc="2.0", id=pending.id, error=error), None)

    # --- program to client ----------------------------------------------------------------------

    async def _give(self, program: Program) -> None:
        noise = Logged("upstream.no_message", subject=self.owner[0], pid=program.pid)
        async for line in program.messages():
            if isinstance(line, TooLong):
                await self._too_long(line, program)
                continue
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                noise.say(line)
                continue
            if isinstance(message, JSONRPCResponse | JSONRPCError):
                await self._answer(message)
            else:
                await self._pass(message, len(line))

    async def _answer(self, message: JSONRPCResponse | JSONRPCError) -> None:
        pending = self._pending.pop(str(message.id)) if message.id is not None else None
        if pending is None:
            return  # nobody asked, or nobody waits any more
        if pending.method == "initialize" and not self.answered:
            self.answered = True
            self.refused = isinstance(message, JSONRPCError)
        await self._send(message, None)

    async def _pass(self, message: JSONRPCMessage, size: int) -> None:
        about = self._pending.about(message, listens=self._listens)
        if about is not None:
            about.timer.cancel()
            await self._send(message, about.id)
        elif self._listens:
            await self._send(message, None)
        else:
            self._held.append((message, size))
            while len(self._held) > HELD or sum(size for _, size in self._held) > HELD_SIZE:
                self._held.popleft()

    async def _too_long(self, line: TooLong, program: Program) -> None:
        log.warning(
            "upstream.message_too_long", subject=self.owner[0], pid=program.pid, size=line.size
        )
        if (found := answered(line)) is not None:
            key = found.decode("utf-8", "replace").strip('"')
            await self._fail(key, Refusal(Reason.UPSTREAM_TOO_LONG))

    # --- calls that end without an answer -------------------------------------------------------

    def _too_late(self, key: str) -> None:
        self._spawn(self._give_up(key))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _give_up(self, key: str) -> None:
        pending = self._pending.get(key)
        if pending is None or self.program is None:
            return
        seconds = f"{self._timeout:g}"
        await self._fail(key, Refusal(Reason.UPSTREAM_TIMEOUT, seconds=seconds))
        told = {"requestId": pending.id, "reason": f"no answer within {seconds} seconds"}
        cancel = JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params=told)
        with contextlib.suppress(ProgramGone):
            await self.program.write(cancel.model_dump_json(by_alias=True).encode())

    async def _fail(self, key: str, refusal: Refusal) -> None:
        pending = self._pending.pop(key)
        if pending is not None:
            error = ErrorData(**jsonrpc.error_of(refusal))
            await self._send(JSONRPCError(jsonrpc="2.0", id=pending.id, error=error), None)

    async def _say_over(self) -> None:
        """The program has ended: whoever waits is told, and has a moment to take it."""
        self.over = True
        self._gone(self)
        for key in self._pending.all():
            await self._fail(key, Refusal(Reason.UPSTREAM_DIED))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._answered_all.wait(), LAST_ANSWERS)

    async def _send(self, message: JSONRPCMessage, related: RequestId | None) -> None:
        metadata = ServerMessageMetadata(related_request_id=related)
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            await self._outgoing.send(SessionMessage(message, metadata))
