"""A WorkOS environment over HTTP, as tests and the demo need it: the API and the AuthKit domain.

Shapes and codes are those of WorkOS's documentation and OpenAPI file, traps those that people met
live; the real SDK keeps it honest (test_workos_sdk.py). What only a live tenant could tell is a
knob (see `Environment`).

    async with WorkOSStandIn(login_uri="http://127.0.0.1:8080/oauth/login") as workos:
        workos.people.append(Person("1001", "octo@example.com"))
        workos.fail("POST /authkit/oauth2/complete", status=503)
        client = AsyncWorkOSClient(
            api_key=workos.api_key, client_id=workos.client_id, base_url=workos.api_url
        )

Beside a program with a loop of its own: `running_workos()` in running.py. As a program:
python -m tests.standins.workos --port 54400 --authkit-port 54401 --login-uri http://…/oauth/login
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.standins.workos_answers import problems
from tests.standins.workos_authenticate import Authenticate
from tests.standins.workos_authkit import AuthKit
from tests.standins.workos_authkit_tokens import AuthKitTokens
from tests.standins.workos_clients import Clients
from tests.standins.workos_connect import Connect
from tests.standins.workos_environment import Environment
from tests.standins.workos_factors import Factors
from tests.standins.workos_gate import Call, Fault, Gate, key_check
from tests.standins.workos_login import Login
from tests.standins.workos_resources import Resources
from tests.standins.workos_state import Person
from tests.standins.workos_users import Users
from tests.standins.workos_webhooks import Webhooks

__all__ = ["Person", "WorkOSStandIn"]


class WorkOSStandIn(Environment):
    """One environment on two loopback ports; 0 takes free ones. Knobs by name, now or later."""

    def __init__(self, *, port: int = 0, authkit_port: int = 0, **knobs: Any) -> None:
        super().__init__()
        for name, value in knobs.items():
            if not hasattr(self, name):
                raise TypeError(f"the WorkOS stand-in has no knob {name}")
            setattr(self, name, value)
        self.ports = {"api": port, "authkit": authkit_port}
        self.gate = Gate()
        self.webhooks = Webhooks(self)
        self.factors = Factors(self)
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        connect, clients = Connect(self), Clients(self)
        api = [
            *Login(self).routes(),
            *Authenticate(self, self.factors).routes(),
            *self.factors.routes(),
            *Users(self).routes(),
            *connect.routes(),
            *Resources(self).routes(),
        ]
        authkit = [
            *AuthKit(self, clients, connect).routes(),
            *AuthKitTokens(self, clients).routes(),
            *clients.routes(),
        ]
        keys = key_check(lambda: self.api_key)
        self.api_url = await self._serve("api", api, [self.gate.middleware("api"), problems, keys])
        self.authkit_url = await self._serve(
            "authkit", authkit, [self.gate.middleware("authkit"), problems]
        )
        return self

    async def _serve(self, name: str, routes: list[web.RouteDef], middlewares: list[Any]) -> str:
        app = web.Application(middlewares=middlewares, client_max_size=1_000_000)
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", self.ports[name]).start()
        self.ports[name] = runner.addresses[0][1]
        return f"http://127.0.0.1:{self.ports[name]}"

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._runners:
            await self._runners.pop().cleanup()

    @property
    def calls(self) -> list[Call]:
        """Every request that came in, oldest first, secrets and all."""
        return self.gate.calls

    def called(self, where: str) -> list[Call]:
        """The requests to a path, or to `METHOD path`."""
        return [call for call in self.calls if where in (call.path, f"{call.method} {call.path}")]

    def fail(self, where: str, **how: Any) -> Fault:
        """Make the next requests to a path or `METHOD path` go wrong (`Fault` says how).

        `*` stands for anything, as in "/user_management/users/*"; `times` is 1 unless given.
        """
        fault = Fault(where, **how)
        self.gate.faults.append(fault)
        return fault

    def mend(self) -> None:
        """No fault any more."""
        self.gate.faults.clear()

    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """New keys sign on both sides; without `keep_old` tokens of before verify no more."""
        self.session_keys.rotate(keep_old=keep_old)
        self.authkit_keys.rotate(keep_old=keep_old)

    async def send_webhook(
        self,
        url: str,
        event: str,
        data: dict[str, Any],
        *,
        event_id: str | None = None,
        at: float | None = None,
        secret: str | None = None,
        bad_signature: bool = False,
    ) -> tuple[int, str]:
        """Deliver an event once; what came back. `at` is the signature's time, in seconds."""
        return await self.webhooks.send(
            url,
            event,
            data,
            event_id=event_id,
            at=at,
            secret=secret,
            bad_signature=bad_signature,
        )


async def _serve(arguments: argparse.Namespace) -> None:
    async with WorkOSStandIn(
        port=arguments.port,
        authkit_port=arguments.authkit_port,
        login_uri=arguments.login_uri,
        resources=arguments.resource,
        redirect_uris=arguments.redirect_uri,
    ) as workos:
        workos.people += [
            Person("1001", "octo@example.com", first_name="Octo"),
            Person("2002", "gigi@example.com", "GoogleOAuth", first_name="Gigi"),
        ]
        print(f"WORKOS_API_URL={workos.api_url}")
        print(f"WORKOS_AUTHKIT_DOMAIN={workos.authkit_url}")
        print(f"WORKOS_API_KEY={workos.api_key}")
        print(f"WORKOS_CLIENT_ID={workos.client_id}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standins.workos")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--authkit-port", type=int, default=0)
    parser.add_argument("--login-uri")
    parser.add_argument("--resource", action="append", default=[])
    parser.add_argument("--redirect-uri", action="append", default=[])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
