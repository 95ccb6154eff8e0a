"""The guarded MCP server is the operator's own, over HTTP: each exchange is passed as it comes.

Order of one exchange: room for it, its headers, its body as far as a check needs it, the upstream's
head, then bytes in both directions as each side takes them. Whatever ends one side ends the other
at once. An answer that breaks off is never made to look complete: the connection is closed on it.

Never here: who may call (`guard`), what is hidden or added (`headers`, `identity`), how the
upstream is reached (`upstream`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import aiohttp
from yarl import URL

from authgate.gateway import headers, jsonrpc
from authgate.gateway.caller import STRICT, Caller, Passage
from authgate.gateway.headers import Inbound
from authgate.gateway.identity import Identity
from authgate.gateway.inbound import Body
from authgate.gateway.sessions import Sessions
from authgate.gateway.slots import Slots
from authgate.gateway.upstream import BUFFER, Upstream
from authgate.observe import about, log, tracing
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import LISTEN, Call, check_agreement
from authgate.web.answers import Answer, AnswerCut, unforeseen
from authgate.web.request import Disconnected, Message, Receive, Request, Scope, Send

METHODS = ("GET", "POST", "DELETE")  # MCP has no other; TRACE would show what is added on the way
NO_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class ProxyPolicy:
    """`body_limit` in bytes. `scheme` and `host` are those of our public URL.

    `timeout` in seconds is what the head of an answer may take; a body that has begun has no limit.
    """

    body_limit: int
    timeout: float
    scheme: str
    host: str


class Proxy:
    """An ASGI application behind `guard.Guarded`."""

    def __init__(
        self,
        policy: ProxyPolicy,
        upstream: Upstream,
        sessions: Sessions,
        identity: Identity,
        slots: Slots,
    ) -> None:
        self.policy = policy
        self.upstream = upstream
        self.sessions = sessions
        self.identity = identity
        self.slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self, scope, receive, send)
        try:
            await exchange.run()
        except Disconnected:
            return  # there is nobody left to answer
        except Refusal as refusal:
            log.refused(scope, refusal)
            await exchange.refuse(refusal)
        except AnswerCut:
            raise
        except Exception as trouble:  # the last line, as in web.endpoint
            answer = unforeseen("proxy.failed", scope, trouble, exchange.refusal)
            if exchange.started:
                raise AnswerCut from None
            await answer.send(send)

    async def close(self) -> None:
        """End the connections to the upstream."""
        await self.upstream.close()


class Exchange:
    """One request with its answer. Whoever ends it early says so by `_end`."""

    def __init__(self, proxy: Proxy, scope: Scope, receive: Receive, send: Send) -> None:
        self._proxy = proxy
        self._scope = scope
        self._receive = receive
        self._send = send
        self._caller: Caller = scope["authgate.caller"]
        self._passage: Passage = scope.get("authgate.passage", STRICT)
        self._body: Body | None = None
        self._call: Call | None = None
        self.started = False
        self._endless = False  # has the answer begun without a length?
        self._ended_by: Exception | None = None
        self._task: asyncio.Task[object] | None = asyncio.current_task()

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal."""
        await self.refusal(refusal).send(self._send)

    def refusal(self, refusal: Refusal) -> Answer:
        """The answer to the JSON-RPC id, if the body was read and has one."""
        if self._call is not None:
            asked = self._call.request_id
        else:
            asked = jsonrpc.request_id(self._body.held if self._body else None)
        return jsonrpc.refusal_answer(refusal, asked)

    async def run(self) -> None:
        """Do it; raises `Refusal` before the answer has begun, `AnswerCut` after."""
        scope = self._scope
        preflight = scope["method"] == "OPTIONS" and not self._passage.judged_here
        if scope["method"] not in METHODS and not preflight:
            raise Refusal(Reason.METHOD_NOT_ALLOWED, allowed="GET, POST, DELETE, OPTIONS")
        inbound = headers.read(scope["headers"])
        stream = scope["method"] == "GET" or inbound.routing.method == LISTEN
        who, bounded = self._caller.sub, self._passage.bounded
        with self._proxy.slots.taken(who, stream=stream, bounded=bounded):
            session = self._session(inbound)
            self._body = await self._checked_body(inbound)
            connection = scope.get("authgate.connection")  # our listener's; no other can tell
            if connection is not None:
                connection.watch(self._client_gone, self._stopping if stream else None)
            try:
                await self._pass(inbound, session)
            except asyncio.CancelledError:
                await self._interrupted()
            finally:
                self._task = None
                if connection is not None:
                    connection.unwatch()

    # --- the request --------------------------------------------------------------------------

    def _session(self, inbound: Inbound) -> bytes | None:
        """The upstream's id of the session that a request names, which must be the caller's.

        Where sessions are no more a header that names one is to be ignored (2026-07-28, earlier
        revisions); one that is not the caller's still goes no further.
        """
        if inbound.session is None:
            return None
        for sub in self._sessions:
            opened = self._proxy.sessions.open(sub, inbound.session)
            if opened is not None:
                return opened
        if self._passage.any_session:
            return inbound.session
        if not inbound.routing.stateless:
            raise Refusal(Reason.MCP_SESSION_UNKNOWN)
        return None

    @property
    def _sessions(self) -> tuple[str, ...]:
        """Whose sessions this request may name; what it opens is the first one's."""
        return self._passage.sessions or (self._caller.sub,)

    async def _checked_body(self, inbound: Inbound) -> Body:
        """The body, read if a check needs it; every decision about a call belongs here."""
        needed = self._scope["method"] == "POST" and inbound.routing.needs_body
        body = await Body.opened(
            self._scope,
            self._receive,
            self._proxy.policy.body_limit,
            length=inbound.length,
            whole=needed,
        )
        if needed:
            self._call = jsonrpc.parse(body.held or b"")
            check_agreement(inbound.routing, self._call)
        return body

    def _request_headers(self, inbound: Inbound, session: bytes | None) -> list[tuple[str, str]]:
        policy = self._proxy.policy
        sent = inbound.passing
        if session is not None:
            sent.append(("mcp-session-id", session.decode("utf-8", "replace")))
        if self._body is not None and self._body.held is None and inbound.length is not None:
            sent.append(("content-length", str(inbound.length)))
        sent += (
            ("via", "1.1 authgate"),  # RFC 9110 section 7.6.3
            # One address, and the one that we believe: what came in could be anybody's claim.
            ("x-forwarded-for", Request(self._scope).address),
            ("x-forwarded-proto", policy.scheme),
            ("x-forwarded-host", policy.host),
        )
        known = about.request_id()
        if known is not None:
            sent.append(("x-request-id", known))
        traced = tracing.traceparent()
        if traced is not None:  # our span is the parent there, and not what a client claimed
            sent = [item for item in sent if item[0] not in ("traceparent", "tracestate")]
            sent.append(("traceparent", traced))
        if self._caller.known:
            sent += self._proxy.identity.headers(self._caller)
        sent += ((name.decode("ascii"), headers.text(value)) for name, value in self._passage.own)
        return sent

    def _url(self) -> URL:
        """The upstream's URL with the client's query, unless the operator wrote a query into it.

        That one is the operator's word, and a client must not be able to add another to it. A token
        in the query is one of ours in the wrong place (RFC 6750 section 2.3) and stays here, unless
        the upstream judges what came: ours are out of it already.
        """
        url, query = self._proxy.upstream.url, self._scope["query_string"]
        if not query or url.raw_query_string:
            return url
        if not self._passage.judged_here:
            return URL(f"{url}?{query.decode('latin-1')}", encoded=True)
        kept = b"&".join(
            pair
            for pair in query.split(b"&")
            if unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" ")) != b"access_token"
        )
        return URL(f"{url}?{kept.decode('latin-1')}", encoded=True) if kept else url

    # --- the answer ---------------------------------------------------------------------------

    async def _pass(self, inbound: Inbound, session: bytes | None) -> None:
        response = await self._asked(inbound, session)
        try:
            await self._answer(response, inbound.session, session)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("upstream.cut", error=type(error).__name__, path=self._scope["path"])
            raise AnswerCut from None
        finally:
            if not response.closed:  # one that came to its end gave its connection back
                response.close()

    async def _asked(self, inbound: Inbound, session: bytes | None) -> aiohttp.ClientResponse:
        body = self._body
        assert body is not None
        data: bytes | AsyncIterator[bytes] | None = body.held or None
        if body.held is None:
            data = body.arriving(self._end)
        sent = self._request_headers(inbound, session)
        late = asyncio.get_running_loop().call_later(self._proxy.policy.timeout, self._late)
        try:
            return await self._proxy.upstream.ask(self._scope["method"], self._url(), sent, data)
        finally:
            late.cancel()

    async def _answer(
        self, response: aiohttp.ClientResponse, given: bytes | None, session: bytes | None
    ) -> None:
        status = response.status
        if 300 <= status < 400 and status != 304:
            log.warning("upstream.redirect", status=status, host=self._proxy.upstream.url.host)
            raise Refusal(Reason.UPSTREAM_REDIRECT)
        if not 200 <= status < 600:
            log.warning("upstream.broken", status=status, host=self._proxy.upstream.url.host)
            raise Refusal(Reason.UPSTREAM_BROKEN)
        has_body = status not in NO_BODY
        answered = headers.to_client(response.raw_headers, has_body=has_body)
        for name, value in response.raw_headers:
            if name.lower() == headers.SESSION:
                # The same session under the name the client knows it by, also after a new key.
                sealed = given if value == session else None
                sealed = sealed or self._proxy.sessions.seal(self._sessions[0], value)
                answered.insert(0, (headers.SESSION, sealed))
        self.started = True
        self._endless = has_body and answered[-1][0] != b"content-length"
        await self._send({"type": "http.response.start", "status": status, "headers": answered})
        content = response.content
        more = has_body
        while more:
            part = await content.read(BUFFER)  # what there is, up to so much
            more = bool(part) and not content.at_eof()
            await self._send(_body(part, more=more))
        if not has_body:
            await self._send(_body(b"", more=False))

    # --- its early end ------------------------------------------------------------------------

    def _client_gone(self) -> None:
        self._end(Disconnected())

    def _stopping(self) -> None:
        self._end(Refusal(Reason.STOPPING, retry_after=1))

    def _late(self) -> None:
        log.warning("upstream.timeout", path=self._scope["path"])
        self._end(Refusal(Reason.UPSTREAM_TIMEOUT, seconds=f"{self._proxy.policy.timeout:g}"))

    def _end(self, why: Exception) -> None:
        if self._task is not None and self._ended_by is None:
            self._ended_by = why
            self._task.cancel()

    async def _interrupted(self) -> None:
        """Answer for an exchange that was cancelled: by `_end`, or by the listener at its end."""
        task = asyncio.current_task()
        by_us = self._ended_by is not None and task is not None and task.uncancel() == 0
        if by_us and self._ended_by is not None:
            await self._ended(self._ended_by)
            return
        if not self.started:
            await self.refuse(Refusal(Reason.STOPPING, retry_after=1))
        raise asyncio.CancelledError

    async def _ended(self, why: Exception) -> None:
        if not self.started or isinstance(why, Disconnected):
            raise why
        if not self._endless or not isinstance(why, Refusal) or why.reason is not Reason.STOPPING:
            raise AnswerCut
        # A stream that only waits for news is over, not broken: its client opens another one.
        await self._send(_body(b"", more=False))


def _body(part: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": more}
