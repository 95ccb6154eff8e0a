"""Scopes per tool, before whatever stands behind the guard: a call passes if its caller has all
that its tools take; else it is answered with all of them, so that the client can ask for them.

Every call is judged by its body, never by `Mcp-Method` or `Mcp-Name`, and the body goes on as it
was read. A batch passes whole or not at all. What is left to the upstream to judge is not refused
here either. Neighbours: `protocol.tool_scopes` has the rule, `one_reading` reads a body in the one
way that it can be read, `tool_lists` opens the answer that lists tools.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from authgate.gateway import one_reading
from authgate.gateway.caller import STRICT, Caller, Passage
from authgate.gateway.jsonrpc import refusal_answer
from authgate.gateway.slots import Slots
from authgate.gateway.tool_lists import ListAnswer
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import Call
from authgate.protocol.rollout import Anonymous, Kind
from authgate.protocol.tokens import Challenger
from authgate.protocol.tool_scopes import CALL, LIST, Scopes, ToolScopes, step_up
from authgate.web.answers import Answer, unforeseen
from authgate.web.request import App, Disconnected, Receive, Scope, Send, again, read_body

META = "authgate/scopes"  # in a tool's `_meta`, where lists are annotated
_ASKED_AS_IT_IS = (b"accept-encoding", b"identity")


class Listing(StrEnum):
    """What `tools/list` shows of tools that the caller has too little scope for."""

    ALL = "all"  # as they are: a call asks for what is missing
    FILTER = "filter"  # nothing
    ANNOTATE = "annotate"  # as they are, and of every tool the scopes it takes


@dataclass(frozen=True, slots=True)
class InForce:
    """What the operator decided. `first`: what a client without a token is told to ask for, None
    for what it would be without a table."""

    table: ToolScopes = field(default_factory=ToolScopes)
    listing: Listing = Listing.ALL
    first: Scopes | None = None


@dataclass(slots=True)
class ToolRules:
    """What is in force; replaced as a whole, and taken once by each request.

    `known` are the scopes that a client can be granted. `anonymous` tells what may be
    called without a credential.
    """

    known: Scopes
    anonymous: Callable[[], Anonymous]
    in_force: InForce = field(default_factory=InForce)

    def first(self) -> Scopes | None:
        """See `InForce`."""
        return self.in_force.first


class ToolGate:
    """An ASGI application between the guard and `app`.

    Bodies have at most `body_limit` bytes; `reading` is how many may be read at once.
    """

    def __init__(
        self,
        app: App,
        rules: ToolRules,
        challenger: Challenger,
        reading: Slots,
        body_limit: int,
    ) -> None:
        self._app = app
        self._rules = rules
        self._challenger = challenger
        self._reading = reading
        self._body_limit = body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rules = self._rules.in_force
        visit = Visit(rules, scope["authgate.caller"], scope.get("authgate.passage", STRICT))
        if rules.table.asks and scope["method"] == "POST" and visit.is_judged:
            try:
                answer, receive, calls = await self._judged(visit, scope, receive)
            except Disconnected:
                return
            if answer is not None:
                await answer.send(send)
                return
            scope, send = self._listing(visit, scope, send, calls)
        elif rules.table.asks and scope["method"] == "GET" and _resumes(scope):
            scope, send = self._listing(visit, scope, send, None)
        await self._app(scope, receive, send)

    async def _judged(
        self, visit: Visit, scope: Scope, receive: Receive
    ) -> tuple[Answer | None, Receive, Sequence[Call]]:
        """The answer to a call that does not pass, else its body again and what it asks."""
        calls: Sequence[Call] = ()
        try:
            with self._reading.taken(visit.caller.sub, stream=False):
                body = await read_body(scope, receive, self._body_limit)
            receive = again(body, receive)
            calls = await one_reading.calls(scope["headers"], body)
            visit.check(calls, self._rules.known)
        except Disconnected:
            raise
        except Refusal as refusal:
            if not visit.enforces and refusal.reason in _OF_THE_TABLE:
                # Only what is ours to tell: the scopes are the operator's words, the tool is not.
                log.info("tools.would_refuse", client=visit.caller.client_id, **_told(refusal))
                return None, receive, calls
            log.refused(scope, refusal)
            return self._answer(refusal, calls, visit), receive, calls
        except Exception as trouble:  # the last line, as in web.endpoint
            written = partial(refusal_answer, answered=None)
            return unforeseen("tools.failed", scope, trouble, written), receive, calls
        return None, receive, calls

    def _answer(self, refusal: Refusal, calls: Sequence[Call], visit: Visit) -> Answer:
        answer = refusal_answer(refusal, _only_id(calls))
        if refusal.reason in (Reason.SCOPE_OF_TOOL, Reason.TOKEN_MISSING):
            challenge = self._challenger.challenge(refusal, visit.asked_for)
            answer.headers.append((b"www-authenticate", challenge.encode("ascii")))
        return answer

    def _listing(
        self, visit: Visit, scope: Scope, send: Send, calls: Sequence[Call] | None
    ) -> tuple[Scope, Send]:
        """The request and the way back, which opens the answer if it may hold a list.

        `calls` is what the request asks, None for the rest of a stream whose request was before.
        """
        listing = visit.rules.listing
        lists = calls is None or any(call.method == LIST for call in calls)
        if listing is Listing.ALL or not lists or not visit.enforces:
            return scope, send
        filters = listing is Listing.FILTER
        answer = ListAnswer(
            send,
            visit.filtering(self._rules.anonymous()) if filters else visit.annotated,
            private=filters,
            resumed=calls is None,
            request_id=_only_id(calls or ()),
        )
        kept = [item for item in scope["headers"] if item[0] != b"accept-encoding"]
        return {**scope, "headers": [*kept, _ASKED_AS_IT_IS]}, answer


_OF_THE_TABLE = (Reason.SCOPE_OF_TOOL, Reason.MCP_AMBIGUOUS, Reason.MCP_BODY_MALFORMED)


class Visit:
    """One request under the rules in force when it came."""

    def __init__(self, rules: InForce, caller: Caller, passage: Passage) -> None:
        self.rules = rules
        self.caller = caller
        self.enforces = passage.scoped
        self.asked_for: Scopes = ()

    @property
    def is_judged(self) -> bool:
        """Also where nothing is refused, if the token is ours: that is what `observe` is for."""
        return self.enforces or (self.caller.known and self.caller.kind is Kind.OURS)

    def taken_by(self, tool: str) -> Scopes:
        """What the caller needs for a tool.

        For nobody only what is written for the tool counts: what the operator put on the list of
        anonymous calls is more particular than the default for all other tools. What has both,
        scopes of its own and a place on that list, is a contradiction, and not open to nobody.
        """
        if self.caller.known:
            return self.rules.table.taken_by(tool)
        return self.rules.table.written_for(tool) or ()

    def check(self, calls: Sequence[Call], known: Scopes) -> None:
        """Refuse calls that the caller has too little scope for; raises `Refusal`.

        `asked_for` is then what would do for all of them.
        """
        tools = [str(call.name) for call in calls if call.method == CALL]
        needed = tuple(dict.fromkeys(name for tool in tools for name in self.taken_by(tool)))
        if not self.rules.table.lacking(needed, self.caller.scopes):
            return
        if not self.caller.known:
            self.asked_for = step_up(self.rules.first or (), needed, known)
            raise Refusal(Reason.TOKEN_MISSING)
        self.asked_for = step_up(self.caller.scopes, needed, known)
        raise Refusal(Reason.SCOPE_OF_TOOL, scope=" ".join(self.asked_for))

    def filtering(self, anonymous: Anonymous) -> Callable[[Any], Any]:
        """Leaves out what the caller could not call; what has no name nobody could."""

        def shown(tool: Any) -> Any:
            name = _name_of(tool)
            if name is None or self.rules.table.lacking(self.taken_by(name), self.caller.scopes):
                return None
            return tool if self.caller.known or anonymous.allows(CALL, name) else None

        return shown

    def annotated(self, tool: Any) -> Any:
        """A tool that says which scopes a call of it takes, in the table's words."""
        name = _name_of(tool)
        if name is None:
            return tool
        meta = tool.get("_meta")
        known = meta if isinstance(meta, dict) else {}
        return {**tool, "_meta": {**known, META: list(self.rules.table.taken_by(name))}}


def _name_of(tool: Any) -> str | None:
    name = tool.get("name") if isinstance(tool, dict) else None
    return name if isinstance(name, str) else None


def _only_id(calls: Sequence[Call]) -> str | int | None:
    """The id to answer with; a batch has no one."""
    return calls[0].request_id if len(calls) == 1 else None


def _resumes(scope: Scope) -> bool:
    # The twin too, which some servers take for the same.
    return any(name.replace(b"_", b"-") == b"last-event-id" for name, _ in scope["headers"])


def _told(refusal: Refusal) -> dict[str, str]:
    return {"reason": refusal.reason.value, **refusal.fields}
