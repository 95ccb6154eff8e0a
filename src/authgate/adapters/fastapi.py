"""FastAPI: a dependency that gives a typed `Caller`, for an API whose authgate is elsewhere.

    authgate = Authgate(issuer="https://auth.example.com", resource="https://api.example.com")
    authgate.install(app)

    @app.get("/me")
    async def me(caller: Annotated[Caller, Depends(authgate)]) -> str: ...

Only what depends on it is protected; for a whole application see `adapters.starlette.protect`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Route

from authgate.adapters import missing
from authgate.adapters.remote import SCOPES, RemoteGuard
from authgate.gateway.caller import Caller
from authgate.issuers.remote import Introspection
from authgate.observe import log
from authgate.protocol.errors import Refusal
from authgate.web.request import Request as Presented

try:
    from fastapi import FastAPI, Request, Response
except ModuleNotFoundError as error:
    raise missing("fastapi", error) from error

__all__ = ["Authgate", "Caller", "Introspection"]


class Authgate:
    """The guard as a dependency. `install` it in the application that depends on it.

    A token must have all of `required_scopes`; for the rest see `adapters.remote.RemoteGuard`.
    """

    def __init__(
        self,
        *,
        issuer: str,
        resource: str,
        required_scopes: Sequence[str] = SCOPES,
        introspection: Introspection | None = None,
        allowed_origins: Sequence[str] = (),
    ) -> None:
        self._guard = RemoteGuard(
            issuer,
            resource,
            required_scopes,
            introspection=introspection,
            allowed_origins=allowed_origins,
        )

    def install(self, app: FastAPI) -> None:
        """Serve the metadata that leads clients to the issuer, answer what the guard refuses, and
        end the connections to the authgate with the application.

        Without it what is refused is an error 500: closed, but no client finds its way.
        """
        for path, endpoint in self._guard.documents().items():
            app.router.routes.append(Route(path, endpoint, include_in_schema=False))
        app.add_exception_handler(Refusal, self._refused)
        app.router.lifespan_context = self._around(app.router.lifespan_context)

    async def __call__(self, request: Request) -> Caller:
        """Who calls, with the usual scopes."""
        return await self._guard.admit(Presented(request.scope))

    def requiring(self, *scopes: str) -> Callable[[Request], Awaitable[Caller]]:
        """The same for an operation that takes these scopes, all of them. Name every scope it
        takes: a client asks for what the 403 says, all at once."""

        async def caller(request: Request) -> Caller:
            return await self._guard.admit(Presented(request.scope), scopes)

        return caller

    async def _refused(self, request: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, Refusal)
        log.refused(request.scope, refusal)
        answer = self._guard.answer(refusal)
        response = Response(answer.body, answer.status)
        response.raw_headers[:0] = answer.headers
        return response

    def _around(self, before: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[Any]:
            async with before(app) as state:
                await self._guard.start()
                try:
                    yield state
                finally:
                    await self._guard.close()

        return lifespan
