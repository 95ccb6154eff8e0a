"""The place of an issuer's public keys says nothing: whose key is known goes on, at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from authgate.directories.contract import SignedIn, Unavailable
from authgate.directories.supabase.keys import COOLDOWN, KEEP, LOOK
from tests.clients.authkit import AuthKitServer, authkit_server
from tests.clients.test_authkit_python import Application, whoami
from tests.directories.supabase_house import EMAIL, PASSWORD, House, opened_house
from tests.faults.traffic import _CALL, _CALL_HEADERS
from tests.faults.wire import Wire
from tests.live import ALICE
from tests.standins.supabase_state import Options

SILENT = {"delay": 60.0}


async def verified(house: House, token: str) -> tuple[object, float]:
    """The verdict, and how long it took."""
    began = time.monotonic()
    verdict = await house.directory.verify_access_token(token)
    return verdict, time.monotonic() - began


async def test_supabases_keys_are_known_and_nobody_waits() -> None:
    async with opened_house(Options(algorithm="ES256")) as house:
        standin = house.standin
        token = standin.access_token(house.state.add_user(EMAIL, PASSWORD))
        assert isinstance((await verified(house, token))[0], SignedIn)
        standin.fault("jwks.json", **SILENT)
        asked = standin.calls("jwks.json")
        house.clocks.forward(KEEP + 1)  # time for a look, which nobody will answer
        for _ in range(20):
            verdict, took = await verified(house, token)
            assert isinstance(verdict, SignedIn)
            assert took < 0.5
        # Strangers with made-up names wait a moment, cause one look, and harm nobody.
        claims = standin.signer.read(token, time.time())
        assert claims is not None
        stranger = ECKey.generate_key("P-256", private=True)
        made_up = [
            jwt.encode({"alg": "ES256", "kid": f"k{n}"}, claims, stranger) for n in range(50)
        ]
        crowd = asyncio.gather(*(verified(house, forged) for forged in made_up))
        for _ in range(20):
            verdict, took = await verified(house, token)
            assert isinstance(verdict, SignedIn)
            assert took < 0.5
        assert all(isinstance(v, Unavailable) and t < LOOK + 0.5 for v, t in await crowd)
        assert standin.calls("jwks.json") <= asked + 2  # one look tries twice
        # And well again by itself.
        standin.clear()
        standin.signer.rotate()
        fresh = standin.access_token(house.state.add_user("bo@example.com", PASSWORD))
        await house.directory._keys._asking.close()
        house.clocks.forward(COOLDOWN)
        assert isinstance((await verified(house, fresh))[0], SignedIn)


async def call(server: AuthKitServer, token: str) -> Any:
    wire = Wire(server.port)
    reply = await wire.json("/mcp", _CALL, {**_CALL_HEADERS, "authorization": f"Bearer {token}"})
    wire.drop()
    return reply


@pytest.mark.parametrize("how", [{"status": 503}, {"delay": 60.0}], ids=["down", "silent"])
async def test_authkits_keys_are_known_and_nobody_waits(how: dict[str, Any]) -> None:
    with authkit_server() as server:
        workos = server.workos
        application = Application(server)
        async with application.connected() as client:
            assert await whoami(client) == ALICE.email
        assert application.token is not None
        token = application.token.access_token
        assert (await call(server, token)).status == 200
        workos.fail("/oauth2/jwks", times=1_000, **how)
        workos.rotate_keys()
        asked = len(workos.called("/oauth2/jwks"))
        claims = workos.authkit_keys.read(token, time.time())
        assert claims is not None
        fresh = workos.authkit_keys.sign(claims)
        strangers = asyncio.gather(*(call(server, fresh) for _ in range(30)))
        for _ in range(10):
            reply = await call(server, token)
            assert reply.status == 200, reply
            assert reply.took < 1
        # A key that is not known may be a good one: come back, and never "your token is bad".
        for reply in await strangers:
            assert reply.status == 503, reply
            assert int(reply.headers["retry-after"]) >= 1
            assert reply.took < 8
        assert len(workos.called("/oauth2/jwks")) - asked <= 8
        workos.mend()
        ends = time.monotonic() + 10
        while (reply := await call(server, fresh)).status != 200:
            assert time.monotonic() < ends, reply
            await asyncio.sleep(0.2)
        assert (await call(server, token)).status == 200
