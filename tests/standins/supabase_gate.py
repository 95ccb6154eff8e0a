"""What stands before the stand-in's Auth: faults on demand, and the gateway that knows the keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standins.supabase_state import Options
from tests.standins.supabase_tokens import Signer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN = ("/verify", "/callback", "/authorize", "/.well-known/jwks.json", "/standin/")
BROWSERS = ("Mozilla/", "Chrome/", "Safari/", "Firefox/")


@dataclass
class Fault:
    """Something that goes wrong for requests whose path and query contain `where`."""

    where: str
    times: int = 1_000_000
    status: int = 0
    body: bytes = b""
    delay: float = 0.0
    cut: bool = False
    half: bool = False
    huge: bool = False
    after: bool = False
    """The call is carried out first, and its answer lost."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


class Gate:
    """The keys of the project. The old ones are JWTs, the new ones opaque."""

    def __init__(self, options: Options, signer: Signer) -> None:
        self.options = options
        self.signer = signer
        self.publishable = "sb_publishable_" + "A1b2C3d4E5f6G7h8"
        self.secret = "sb_secret_" + "Z9y8X7w6V5u4T3s2"
        self.anon = signer.api_key("anon")
        self.service_role = signer.api_key("service_role")
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []

    def role(self, apikey: str) -> str | None:
        known = {
            self.publishable: "anon",
            self.anon: "anon",
            self.secret: "service_role",
            self.service_role: "service_role",
        }
        return known.get(apikey)

    def address(self, request: web.Request) -> str:
        """Whose request it is: as forwarded, where the key allows that."""
        forwarded = request.headers.get("Sb-Forwarded-For")
        if forwarded and self.options.forwarding and request.headers.get("apikey") == self.secret:
            return forwarded
        return request.remote or ""

    def middlewares(self) -> list[Any]:
        @web.middleware
        async def remember(request: web.Request, handler: Handler) -> web.StreamResponse:
            body = (await request.read()).decode(errors="replace")
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.seen.append(Seen(request.method, request.path_qs, headers, body))
            return await handler(request)

        @web.middleware
        async def go_wrong(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = self._fault(request.path_qs)
            if fault is None:
                return await handler(request)
            if fault.after:
                await handler(request)
            return await _wrong(fault, request, handler)

        @web.middleware
        async def keys(request: web.Request, handler: Handler) -> web.StreamResponse:
            path = request.path.removeprefix(self.options.prefix)
            if path.startswith(OPEN):
                return await handler(request)
            return self._refusal(request) or await handler(request)

        return [remember, go_wrong, keys]

    def bearer(self, request: web.Request) -> dict[str, Any] | str | None:
        """What Auth sees as the bearer: claims of a key or a person; None without one.

        A text for one that is no good. The gateway puts the role in where only a new key came.
        """
        apikey = request.headers.get("apikey", "")
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if apikey.startswith("sb_") and value in ("", apikey):
            return {"role": self.role(apikey)}
        if kind.lower() != "bearer" or not value:
            return None
        return value if value.count(".") != 2 else self.claims(value)

    def claims(self, token: str) -> dict[str, Any] | str:
        return self.signer.read(token, time.time()) or token

    def _refusal(self, request: web.Request) -> web.Response | None:
        """The gateway is another program and has another error shape."""
        apikey = request.headers.get("apikey", "")
        if not apikey:
            return _gateway("No API key found in request")
        role = self.role(apikey)
        if role is None:
            return _gateway("Invalid API key")
        agent = request.headers.get("User-Agent", "")
        if role == "service_role" and any(name in agent for name in BROWSERS):
            return _gateway("Forbidden use of secret API key in browser")
        value = request.headers.get("Authorization", "").partition(" ")[2]
        if value.startswith("sb_") and value != apikey:
            return _gateway("Invalid JWT")
        return None

    def _fault(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.where in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None


def _gateway(message: str) -> web.Response:
    return web.json_response({"message": message, "hint": "Double check the key."}, status=401)


async def _wrong(fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
    await asyncio.sleep(fault.delay)
    if fault.cut:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if fault.half:
        answer = web.StreamResponse(headers={"Content-Length": "1000"})
        await answer.prepare(request)
        await answer.write(b'{"access_token":')
        assert request.transport is not None
        request.transport.abort()
        return answer
    if fault.huge:
        return web.Response(body=b'{"x":"' + b"x" * 3_000_000 + b'"}')
    if fault.status:
        return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
    return await handler(request)
