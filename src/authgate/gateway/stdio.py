"""The guarded MCP server is a program that speaks over its standard input and output.

Each session gets a program of its own, and so does each person whose client needs no session: what
one knows never meets another. Everything that runs is in this one process, so there is one worker.

Never here: who may call (`guard`), how many programs there may be (`stdio_programs`), what passes
between a client and its program (`stdio_session`, `stdio_stateless`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from sse_starlette.sse import AppStatus

from authgate.gateway import headers, jsonrpc
from authgate.gateway.caller import STRICT, Caller
from authgate.gateway.headers import Inbound
from authgate.gateway.identity import Plain
from authgate.gateway.slots import Slots
from authgate.gateway.stdio_exchange import Exchange, whole_body
from authgate.gateway.stdio_process import Launch
from authgate.gateway.stdio_programs import Limits, Owner, Programs
from authgate.gateway.stdio_session import Session
from authgate.gateway.stdio_stateless import PROGRAM, SessionsOnly, Warm, server, sessions_only
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import LISTEN, Call, check_agreement
from authgate.web.answers import Answer, AnswerCut, unforeseen
from authgate.web.mcp_app import LazyMcpApp
from authgate.web.request import Disconnected, Receive, Scope, Send

METHODS = ("GET", "POST", "DELETE")
ASK_AGAIN = 600.0  # seconds for which we believe that the program knows sessions only


@dataclass(frozen=True, slots=True)
class StdioPolicy:
    """`body_limit` in bytes, of a message either way. `timeout` in seconds as in `ProxyPolicy`.

    `tells_caller`: whether the program learns for whom it runs.
    """

    body_limit: int
    timeout: float
    tells_caller: bool


class StdioGateway:
    """An ASGI application behind `guard.Guarded`."""

    def __init__(self, policy: StdioPolicy, launch: Launch, limits: Limits, slots: Slots) -> None:
        self.policy = policy
        self.programs = Programs(launch, limits)
        self.slots = slots
        self._sessions: dict[str, Session] = {}
        self._warm: dict[Owner, Warm] = {}
        self._sessions_only_until = 0.0
        self._stateless = LazyMcpApp(server, body_limit=policy.body_limit)
        # The SDK's streams would end half a second after SIGTERM, calls under way among them. Here
        # those that only wait are ended at once, and the others have until the drain is over.
        AppStatus.enable_automatic_graceful_drain = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _Asked(self, scope, receive, send)
        try:
            await asked.answer()
        except Disconnected:
            return
        except Refusal as refusal:
            log.refused(scope, refusal)
            await asked.refuse(refusal)
        except AnswerCut:
            raise
        except asyncio.CancelledError:  # the drain is over
            if not asked.started:
                await asked.refuse(Refusal(Reason.STOPPING, retry_after=1))
            raise
        except Exception as trouble:  # the last line, as in web.endpoint
            answer = unforeseen("stdio.failed", scope, trouble, asked.refusal)
            if asked.started:
                raise AnswerCut from None
            await answer.send(send)

    async def close(self) -> None:
        """End every program, then what served them."""
        await self.programs.close()
        await self._stateless.close()

    # --- with a session -------------------------------------------------------------------------

    def session(self, owner: Owner, given: bytes) -> Session:
        """The session of that id, if it is its owner's; raises `Refusal`."""
        found = self._sessions.get(given.decode("latin-1"))
        if found is None or found.over or found.owner != owner:
            raise Refusal(Reason.MCP_SESSION_UNKNOWN)
        return found

    async def open(self, owner: Owner, caller: Caller, exchange: Exchange) -> None:
        """Answer an `initialize`, with a session if the program agrees."""
        session = Session(owner, self.programs, self.policy.timeout, self._forget)
        exchange.hold_for(session)
        kept = False
        try:
            await session.begin(self._told(caller))
            self._sessions[session.id] = session
            try:
                await session.handle(exchange)
            except Refusal:
                # It ended, or closed its output, without a word.
                raise self.programs.refusal(session) from None
            kept = session.answered and not session.refused and exchange.status < 400
        finally:
            if not kept:
                await asyncio.shield(session.end("not opened"))

    def _forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)

    # --- without one ----------------------------------------------------------------------------

    async def stateless(self, owner: Owner, caller: Caller, exchange: Exchange) -> None:
        """Answer a request that is complete in itself; raises `SessionsOnly`."""
        loop = asyncio.get_running_loop()
        # Nobody has no program that is kept: it would be the same for whoever proves nothing.
        if not caller.known or loop.time() < self._sessions_only_until:
            raise SessionsOnly(sure=False)
        warm = self._warm.get(owner)
        if warm is None or warm.over:
            warm = self._warm[owner] = Warm(owner, self.programs, self.policy.timeout)
            warm.begin(self._told(caller), partial(self._cool, owner, warm))
        with warm.used():
            try:
                await warm.ready()
            except SessionsOnly as verdict:
                if verdict.sure:
                    self._sessions_only_until = loop.time() + ASK_AGAIN
                raise
            exchange.scope[PROGRAM] = warm
            await self._stateless(exchange.scope, exchange.receive, exchange.send)
        await exchange.finish()

    def _cool(self, owner: Owner, warm: Warm) -> None:
        if self._warm.get(owner) is warm:
            del self._warm[owner]

    # --- for whom -------------------------------------------------------------------------------

    def owner(self, caller: Caller) -> Owner:
        """Who shares a program: the person's clients, unless it is told of the client."""
        return caller.sub, caller.client_id if self.policy.tells_caller else ""

    def _told(self, caller: Caller) -> Mapping[str, str]:
        """What is added to the environment of a caller's program, in the words of the headers."""
        if not self.policy.tells_caller:
            return {}
        said = dict(Plain().headers(caller))
        names = {"X-Authgate-Subject": "AUTHGATE_SUBJECT", "X-Authgate-Client": "AUTHGATE_CLIENT"}
        return {variable: said[name] for name, variable in names.items() if name in said}


class _Asked:
    """One request with its answer."""

    def __init__(self, gateway: StdioGateway, scope: Scope, receive: Receive, send: Send) -> None:
        self._gateway = gateway
        self._scope = scope
        self._receive = receive
        self._send = send
        self._body = b""
        self._exchange: Exchange | None = None

    @property
    def started(self) -> bool:
        return self._exchange is not None and self._exchange.started

    async def refuse(self, refusal: Refusal) -> None:
        await self.refusal(refusal).send(self._send)

    def refusal(self, refusal: Refusal) -> Answer:
        return jsonrpc.refusal_answer(refusal, jsonrpc.request_id(self._body))

    async def answer(self) -> None:
        """Do it; raises `Refusal` before the answer has begun, `AnswerCut` after."""
        scope = self._scope
        if scope["method"] not in METHODS:
            raise Refusal(Reason.METHOD_NOT_ALLOWED, allowed="GET, POST, DELETE, OPTIONS")
        inbound = headers.read(scope["headers"])
        caller: Caller = scope["authgate.caller"]
        stream = scope["method"] == "GET" or inbound.routing.method == LISTEN
        bounded = scope.get("authgate.passage", STRICT).bounded
        with self._gateway.slots.taken(caller.sub, stream=stream, bounded=bounded):
            self._body = await whole_body(scope, self._receive, self._gateway.policy.body_limit)
            call = Call()
            if scope["method"] == "POST":
                call = jsonrpc.parse(self._body)
                check_agreement(inbound.routing, call)
            self._exchange = Exchange(dict(scope), self._send, self._body, stream=stream)
            try:
                await self._pass(inbound, call, caller, self._exchange)
            finally:
                self._exchange.close()

    async def _pass(self, inbound: Inbound, call: Call, caller: Caller, exchange: Exchange) -> None:
        gateway, owner = self._gateway, self._gateway.owner(caller)
        version = inbound.routing.version
        if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            if exchange.scope["method"] != "POST":
                raise Refusal(Reason.METHOD_NOT_ALLOWED, allowed="POST, OPTIONS")
            try:
                await gateway.stateless(owner, caller, exchange)
            except SessionsOnly:
                await sessions_only(version, call.request_id).send(self._send)
        elif inbound.session is not None:
            await self._in_session(gateway.session(owner, inbound.session), call, exchange)
        elif call.method == "initialize" and call.request_id is not None:
            await gateway.open(owner, caller, exchange)
        else:
            raise Refusal(Reason.MCP_SESSION_MISSING)

    async def _in_session(self, session: Session, call: Call, exchange: Exchange) -> None:
        if exchange.scope["method"] == "DELETE":
            await session.end("ended by its client")
            await Answer(200).send(self._send)
            return
        if call.method is not None and session.is_pending(call.request_id):
            raise Refusal(Reason.REQUEST_MALFORMED, why="its id is that of a call under way")
        if call.method == "initialize":
            raise Refusal(Reason.REQUEST_MALFORMED, why="the session has begun already")
        await session.handle(exchange)
