"""Addresses that do not exist: JSON for programs, a page for somebody who mistyped one."""

from __future__ import annotations

from authgate.protocol.errors import Reason, Refusal
from authgate.web.answers import Answer
from authgate.web.endpoint import Endpoint, RefusalWriter
from authgate.web.request import Receive, Request, Scope, Send


class Nowhere:
    """The ASGI application for paths that no table knows. `page` writes refusals for people."""

    def __init__(self, page: RefusalWriter) -> None:
        self._for_programs = Endpoint(get=_nowhere, post=_nowhere, cors=True)
        self._for_people = Endpoint(get=_nowhere, refuse=page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever asks for HTML is taken for a person; only GET, since people type addresses."""
        wants_page = scope["method"] == "GET" and any(
            name == b"accept" and b"text/html" in value for name, value in scope["headers"]
        )
        answer = self._for_people if wants_page else self._for_programs
        await answer(scope, receive, send)


async def _nowhere(_: Request) -> Answer:
    raise Refusal(Reason.NOT_FOUND)
