"""The guard in front of an ASGI application: what passes goes on without what it proved itself
with, what does not is answered here, and browsers are told what they may read. A preflight has no
credential to judge, so it comes before the guard.

Never here: who may call (`guard`).
"""

from __future__ import annotations

from authgate.gateway.guard import Admitted, Guard
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.store.contract import StoreUnavailable
from authgate.web.answers import Answer, Header, unforeseen
from authgate.web.request import App, Disconnected, Message, Receive, Request, Scope, Send

# Any web origin may read a challenge; whether it may call is decided after the token.
CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"WWW-Authenticate, Mcp-Session-Id, Retry-After, Deprecation, Sunset",
    ),
)
PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
    # Any header name (Mcp-Param-* has no end of them): without credentials the star means it.
    # Authorization must be named, the star leaves it out (Fetch, CORS-preflight fetch).
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, "
        b"MCP-Protocol-Version, Mcp-Method, Mcp-Name, *",
    ),
    (b"access-control-max-age", b"7200"),
    (b"allow", b"GET, POST, DELETE, OPTIONS"),
)


class Guarded:
    """An ASGI application behind a `Guard`. What we issued goes no further than this."""

    def __init__(self, app: App, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            ours = self._guard.answers_browsers(request)
            if scope["method"] != "OPTIONS":
                admitted = await self._guard.admit(request, receive)
            elif ours:
                await Answer(204, b"", [*CORS, *PREFLIGHT]).send(send)
                return
            else:
                admitted = await self._guard.asked_first(Request(scope), receive)
        except Disconnected:
            return
        except Refusal as refusal:
            log.refused(scope, refusal)
            await self._answer(refusal).send(send)
            return
        except StoreUnavailable as trouble:
            log.trouble("store.unavailable", scope, trouble)
            outage = Refusal(Reason.STORE_UNAVAILABLE, retry_after=5)
            await self._answer(outage).send(send)
            return
        except Exception as trouble:  # the last line, as in web.endpoint
            await unforeseen("request.failed", scope, trouble, self._answer).send(send)
            return
        sending = _telling(send, admitted, ours=ours)
        await self._app(self._inner(scope, admitted), admitted.receive, sending)

    def _inner(self, scope: Scope, admitted: Admitted) -> Scope:
        """The request without what it proved itself with; what may go on is in the passage."""
        inner = dict(scope)
        inner["authgate.caller"] = admitted.caller
        inner["authgate.passage"] = admitted.passage
        credentials = self._guard.rollout.credentials
        inner["headers"] = credentials.headers_without_ours(scope["headers"])
        inner["query_string"] = credentials.query_without_ours(scope["query_string"])
        return inner

    def _answer(self, refusal: Refusal) -> Answer:
        """The guard's answer to a refused call, for a page as well."""
        answer = self._guard.answer(refusal)
        answer.headers.extend(CORS)
        return answer


def _telling(send: Send, admitted: Admitted, *, ours: bool) -> Send:
    """Let a browser client read what the guarded application answers, and add what we have to say.

    What the upstream itself says to browsers stays, where the upstream judges who they are; `ours`:
    where it says nothing we do.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            said = [item for item in headers if item[0].startswith(b"access-control-")]
            theirs = any(name == b"access-control-allow-origin" for name, _ in said)
            if admitted.passage.judged_here or (ours and not theirs):
                if said:
                    headers = [item for item in headers if item not in said]
                headers += CORS
            message = {**message, "headers": [*headers, *admitted.headers]}
        await send(message)

    return sending
