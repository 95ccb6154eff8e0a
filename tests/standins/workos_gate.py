"""What stands before both of the stand-in's origins: memory of calls, faults, the API key."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standins.workos_answers import Problem
from tests.standins.workos_state import new_id

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_CALLS = 2_000
OPEN = (
    "/user_management/authorize",
    "/user_management/authenticate",
    "/user_management/sessions/logout",
    "/sso/jwks/",
    "/standin/",
)


@dataclass
class Fault:
    """Something that goes wrong for requests to `where`: a path or `METHOD path`, `*` allowed."""

    where: str
    status: int | None = None
    delay: float | None = None
    cut: bool = False
    """Without an answer. aiohttp tries an idempotent request once more: `times` wants 2 there."""
    garbage: bool = False
    times: int = 1
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False
    """The call is carried out first, and its answer lost."""

    def meets(self, request: web.Request) -> bool:
        target = f"{request.method} {request.path}" if " " in self.where else request.path
        return self.times > 0 and fnmatch.fnmatchcase(target, self.where)


@dataclass(frozen=True)
class Call:
    """A request as it came in. `origin` is "api" or "authkit"."""

    origin: str
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str


class Gate:
    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.calls: list[Call] = []

    def middleware(self, origin: str) -> Any:
        @web.middleware
        async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
            body = (await request.read()).decode(errors="replace")
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.calls.append(
                Call(origin, request.method, request.path, request.query_string, headers, body)
            )
            del self.calls[:-MOST_CALLS]
            fault = next((one for one in self.faults if one.meets(request)), None)
            try:
                if fault is None:
                    answer = await handler(request)
                else:
                    fault.times -= 1
                    answer = await _wrong(fault, request, handler)
            except web.HTTPException as redirect:  # how handlers redirect, and aiohttp says 404
                redirect.headers["x-request-id"] = new_id("req")
                raise
            answer.headers["x-request-id"] = new_id("req")
            return answer

        return gate


def key_check(api_key: Callable[[], str]) -> Any:
    """Everything at the API but what browsers open wants the key as a bearer."""

    @web.middleware
    async def keys(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(OPEN):
            kind, _, value = request.headers.get("Authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(
                value.encode(), api_key().encode()
            ):
                raise Problem(401, None, "Unauthorized")
        return await handler(request)

    return keys


async def _wrong(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.after:
        with contextlib.suppress(web.HTTPException):
            await handler(request)
    if fault.cut:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if fault.garbage:
        return web.Response(
            status=fault.status or 200, text='{"half": "a docu', content_type="application/json"
        )
    if fault.status is not None or fault.body is not None:
        status = fault.status or 200
        if isinstance(fault.body, (str, bytes)):
            return web.Response(status=status, body=fault.body, headers=fault.headers)
        body = {"message": "Something went wrong."} if fault.body is None else fault.body
        return web.json_response(body, status=status, headers=fault.headers)
    return await handler(request)
