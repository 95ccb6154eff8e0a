"""Callers of the revisions without sessions (2026-07-28): one program for each person, kept warm.

Any program could answer a request that is complete in itself. But starting one costs from a tenth
of a second to several, and what it remembers must never meet somebody else: so one for each person,
until it has been idle, and whoever calls after its end gets another without noticing.

The SDK answers HTTP: it checks the headers, and streams. A request arrives in its middleware and
goes to the person's program as it is, but for the names that two clients of one person may both
have chosen: the request's id, and with it the tokens of its progress and its subscription.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
    JSONRPCNotification,
    RequestId,
)
from mcp_types.version import (
    HANDSHAKE_PROTOCOL_VERSIONS,
    LATEST_MODERN_VERSION,
    MODERN_PROTOCOL_VERSIONS,
)
from pydantic_core import from_json, to_json

from authgate import __version__
from authgate.gateway import jsonrpc
from authgate.gateway.stdio_calls import (
    Call,
    Tell,
    as_client_knows,
    error_of,
    number_of,
    program_error,
    take_token,
)
from authgate.gateway.stdio_lines import Logged, TooLong, answered
from authgate.gateway.stdio_process import Program, ProgramGone
from authgate.gateway.stdio_programs import Owner, Programs, Tenant
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.web.answers import Answer, json_answer

PROGRAM = "authgate.program"  # in the scope, for the middleware
DISCOVER = 20.0  # seconds; who does not know the question may say nothing at all
LAST_ANSWERS = 2.0


class SessionsOnly(Exception):
    """The program does not know requests without a session. `sure`: it said so itself."""

    def __init__(self, *, sure: bool) -> None:
        super().__init__()
        self.sure = sure


def server() -> Server[Any]:
    """What `web.mcp_app.LazyMcpApp` runs: every request goes to the program in its scope."""
    made: Server[Any] = Server("authgate-gateway", version=__version__)
    made.middleware.append(_relay)
    return made


async def _relay(ctx: Any, call_next: Any) -> Any:
    if ctx.request_id is None:
        return await call_next(ctx)

    async def tell(method: str, params: dict[str, Any]) -> None:
        # Any model with a method and params will do; the closed union of the signature would lose
        # what extensions define.
        message = JSONRPCNotification(jsonrpc="2.0", method=method, params=params)
        await ctx.session.send_notification(cast(Any, message), related_request_id=ctx.request_id)

    warm: Warm = ctx.request.scope[PROGRAM]
    return await warm.call(ctx.request_id, ctx.method, ctx.params, tell)


class Warm(Tenant):
    """A person's program for requests without a session."""

    def __init__(self, owner: Owner, programs: Programs, timeout: float) -> None:
        super().__init__(owner)
        self._programs = programs
        self._timeout = timeout
        self._calls: dict[int, Call] = {}
        self._last = 0
        self._task: asyncio.Task[None] | None = None
        self._gone: Callable[[], None] = lambda: None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda done: done.cancelled() or done.exception())

    # --- its life -------------------------------------------------------------------------------

    def begin(self, told: Mapping[str, str], gone: Callable[[], None]) -> None:
        """Start it; `ready` waits for that. `gone` is called at its end."""
        self._gone = gone
        self._task = asyncio.create_task(self._run(told))

    async def ready(self) -> None:
        """Wait until it answers; raises `Refusal`, or `SessionsOnly`."""
        await asyncio.shield(self._ready)

    async def end(self, why: str) -> None:
        """End the program, which ends the rest."""
        if not self.over:
            log.info("upstream.session_ended", subject=self.owner[0], why=why)
        self.over = True
        if self.program is not None:
            await self.program.end()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=LAST_ANSWERS)

    async def _run(self, told: Mapping[str, str]) -> None:
        try:
            program = await self._programs.start(self, told)
            reading = asyncio.create_task(self._read(program))
            try:
                await self._discover()
                self._ready.set_result(None)
                await reading
            finally:
                reading.cancel()
                await asyncio.wait([reading])
        except (Refusal, SessionsOnly) as trouble:
            self._ready.set_exception(trouble)
        except Exception as trouble:
            log.error("upstream.session_broken", error=type(trouble).__name__)
        finally:
            self._settle_all()
            self._gone()
            await self._programs.leave(self)
            if not self._ready.done():
                self._ready.set_exception(Refusal(Reason.STOPPING, retry_after=1))

    async def _discover(self) -> None:
        """Does it know requests without a session? A server of before may answer some of them all
        the same, without what a client of now needs in an answer; so it is asked, not tried out."""
        envelope = {
            PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION,
            CLIENT_INFO_META_KEY: {"name": "authgate", "version": __version__},
            CLIENT_CAPABILITIES_META_KEY: {},
        }
        asked = self.call(0, "server/discover", {"_meta": envelope}, _nobody)
        try:
            found = await asyncio.wait_for(asked, DISCOVER)
        except TimeoutError:
            raise SessionsOnly(sure=False) from None
        except MCPError as error:
            if self.over:
                raise self._programs.refusal(self) from None
            log.info("upstream.sessions_only", code=error.error.code)
            raise SessionsOnly(sure=error.error.code != INTERNAL_ERROR) from None
        known = found.get("supportedVersions")
        if not isinstance(known, list) or not {*map(str, known)} & {*MODERN_PROTOCOL_VERSIONS}:
            raise SessionsOnly(sure=True)

    # --- client to program ----------------------------------------------------------------------

    async def call(
        self, original: RequestId, method: str, params: Mapping[str, Any] | None, tell: Tell
    ) -> dict[str, Any]:
        """Have the program answer a request; what it tells meanwhile goes to `tell`.

        Raises `MCPError`. When nobody waits any more, the program is told so.
        """
        if self.program is None or self.over:
            raise error_of(Refusal(Reason.UPSTREAM_DIED))
        self._last += 1
        sent = dict(params or {})
        call = Call(original, self._last, take_token(sent, self._last))
        self._calls[call.number] = call
        message = {"jsonrpc": "2.0", "id": call.number, "method": method, "params": sent}
        try:
            async with asyncio.timeout(self._timeout):
                await self.program.write(to_json(message))
            return await call.followed(tell, self._timeout)
        except TimeoutError:
            seconds = f"{self._timeout:g}"
            raise error_of(Refusal(Reason.UPSTREAM_TIMEOUT, seconds=seconds)) from None
        except ProgramGone:
            raise error_of(Refusal(Reason.UPSTREAM_DIED)) from None
        finally:
            del self._calls[call.number]
            if not call.outcome.done():
                call.outcome.cancel()
                self._cancel(call.number)

    def _cancel(self, number: int) -> None:
        told = {"requestId": number, "reason": "the client waits no more"}
        self._post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": told})

    def _post(self, message: Mapping[str, Any]) -> None:
        """Write without waiting; a program that does not read is in trouble with its calls."""

        async def write() -> None:
            with contextlib.suppress(ProgramGone, TimeoutError):
                assert self.program is not None
                await asyncio.wait_for(self.program.write(to_json(message)), self._timeout)

        task = asyncio.create_task(write())
        _background.add(task)
        task.add_done_callback(_background.discard)

    # --- program to client ----------------------------------------------------------------------

    async def _read(self, program: Program) -> None:
        noise = Logged("upstream.no_message", subject=self.owner[0], pid=program.pid)
        async for line in program.messages():
            if isinstance(line, TooLong):
                self._too_long(line, program)
                continue
            try:
                message = from_json(line, allow_inf_nan=False)
            except ValueError:
                message = None
            if isinstance(message, dict) and message.get("jsonrpc") == "2.0":
                self._dispatch(message, len(line))
            else:
                noise.say(line)
        self._programs.silent(self, program)
        self._settle_all()

    def _settle_all(self) -> None:
        self.over = True
        for call in self._calls.values():
            call.settle(error_of(Refusal(Reason.UPSTREAM_DIED)))

    def _dispatch(self, message: dict[str, Any], size: int) -> None:
        method = message.get("method")
        if isinstance(method, str):
            if "id" in message:  # 2026-07-28 knows no requests of a server's
                error = {"code": METHOD_NOT_FOUND, "message": "Method not found"}
                self._post({"jsonrpc": "2.0", "id": message["id"], "error": error})
                return
            params = message.get("params")
            self._tell(method, params if isinstance(params, dict) else {}, size)
            return
        call = self._calls.get(number_of(message.get("id")))
        if call is None:
            return  # nobody waits any more
        result = message.get("result")
        if isinstance(result, dict):
            call.settle(as_client_knows(result, call))
        else:
            call.settle(program_error(message.get("error")))

    def _tell(self, method: str, params: dict[str, Any], size: int) -> None:
        """To the call that names itself in it; else to the only one there is, or nobody."""
        meta = params.get("_meta")
        named = params.get("progressToken") if method == "notifications/progress" else None
        if isinstance(meta, dict) and SUBSCRIPTION_ID_META_KEY in meta:
            named = meta[SUBSCRIPTION_ID_META_KEY]
        if named is not None:
            call = self._calls.get(number_of(named))
        else:
            call = next(iter(self._calls.values())) if len(self._calls) == 1 else None
        if call is None:
            return
        if "progressToken" in params:
            params = {**params, "progressToken": call.token}
        call.notify(method, as_client_knows(params, call), size)

    def _too_long(self, line: TooLong, program: Program) -> None:
        log.warning(
            "upstream.message_too_long", subject=self.owner[0], pid=program.pid, size=line.size
        )
        found = answered(line)
        call = self._calls.get(number_of(found.decode("latin-1").strip('"'))) if found else None
        if call is not None:
            call.settle(error_of(Refusal(Reason.UPSTREAM_TOO_LONG)))


_background: set[asyncio.Task[None]] = set()


async def _nobody(method: str, params: dict[str, Any]) -> None:
    return None


def sessions_only(version: str, answered_id: RequestId | None) -> Answer:
    """What a client is told whose program wants a session; it falls back to `initialize`."""
    refusal = Refusal(Reason.MCP_VERSION_UNKNOWN)
    error = jsonrpc.error_of(refusal)
    error["code"] = UNSUPPORTED_PROTOCOL_VERSION
    error["data"] |= {"supported": list(HANDSHAKE_PROTOCOL_VERSIONS), "requested": version}
    return json_answer(refusal.face.status, {"jsonrpc": "2.0", "id": answered_id, "error": error})
