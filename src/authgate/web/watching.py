"""Every request from its first byte to its last: its id, its line in the log, its count.

The id is made here unless a proxy that the operator trusts brought a well-formed one; anybody
else's would let a stranger write into the log, and pass one request off as another. It is in the
answer, in every line of the log meanwhile, and goes on to the upstream.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Sequence
from itertools import count
from time import perf_counter

from authgate.observe import log, metrics, tracing
from authgate.observe.about import About, current
from authgate.web.address import Network, is_from
from authgate.web.request import App, Message, Receive, Scope, Send

HEADER = b"x-request-id"
_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:-]{8,128}")

# Unique and not secret: what is random of it is drawn once a process, since the system's generator
# costs more than all the rest here.
_process = secrets.token_hex(6)
_number = count(1)


def new_id() -> str:
    """An id that no other request has."""
    return f"{_process}{next(_number):08x}"


class Watching:
    """Watches what `trusted` proxies and everybody else ask."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted

    async def serve(
        self, app: App, endpoint: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have `app` answer; `endpoint` is the name of its route."""
        about = About(self._request_id(scope), endpoint)
        header = (HEADER, about.request_id.encode())
        began = perf_counter()

        def sending(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                # An answer has taken as long as its head: what follows is the caller's pace, and
                # a stream has no end worth timing.
                about.status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
                metrics.record.request(endpoint, about.status, perf_counter() - began)
            return send(message)

        before = current.set(about)
        tracer = tracing.tracer
        if tracer is not None:
            tracer.begin(about, scope["method"], self._brought(scope))
        try:
            await app(scope, receive, sending)
        finally:
            if tracer is not None:
                tracer.end(about)
            log.done(scope, about, perf_counter() - began)
            current.reset(before)

    def _brought(self, scope: Scope) -> dict[str, str]:
        """The trace that a trusted proxy has begun. A stranger's word would choose what is sampled
        and paid for, and join strangers' requests into one trace."""
        if not self._trusted or not is_from(scope, self._trusted):
            return {}
        return {
            name.decode(): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }

    def _request_id(self, scope: Scope) -> str:
        if self._trusted and is_from(scope, self._trusted):
            given = [value for name, value in scope["headers"] if name == HEADER]
            if len(given) == 1 and _WELL_FORMED.fullmatch(given[0]):
                brought: str = given[0].decode("ascii")
                return brought
        return new_id()
