"""Registering a client: judged, kept as a digest, throttled, and written to the trail."""

from __future__ import annotations

import pytest

from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason
from authgate.steps.register import register
from tests.clauses import clause
from tests.protocol.making import refused
from tests.steps.making import ADDRESS, REDIRECT, World


@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
@clause("RFC 7591", "3.2.1")
async def test_a_client_is_kept_and_its_secret_only_as_a_digest(world: World, method: str) -> None:
    client = await world.register(method, client_name="App")
    kept = await world.store.client(client.client_id)
    assert kept is not None
    assert kept.self_registered
    assert (kept.name, kept.auth_method, kept.issued_at) == ("App", method, world.clock.now)
    if method == "none":
        assert client.secret is None
        assert kept.secret_digest is None
    else:
        assert client.secret
        assert len(client.secret) == 43
        assert kept.secret_digest == digest(client.secret)


@clause("CIMD", "3")
async def test_identifiers_are_random_and_no_urls(world: World) -> None:
    ids = {(await world.register()).client_id for _ in range(20)}
    assert len(ids) == 20
    assert all(name.startswith("client_") and len(name) == 29 for name in ids)


@clause("RFC 7591", "3.2.2")
async def test_a_refused_registration_keeps_nothing(world: World) -> None:
    with refused(Reason.REGISTRATION_REDIRECT_URI):
        await register(world.parts, {"redirect_uris": ["javascript:alert(1)"]}, ADDRESS)
    with refused(Reason.REGISTRATION_MALFORMED):
        await register(world.parts, [], ADDRESS)
    assert not await world.store.clients()


@clause("RFC 7591", "5")
async def test_registrations_from_one_address_are_braked(world: World) -> None:
    document = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    for _ in range(100):
        await register(world.parts, document, ADDRESS)
    with refused(Reason.THROTTLED) as caught:
        await register(world.parts, document, ADDRESS)
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 5
    await register(world.parts, document, "198.51.100.1")
    world.clock.now += 6
    await register(world.parts, document, ADDRESS)
    assert len(await world.store.clients()) == 102
