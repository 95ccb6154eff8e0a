"""Handing a token back, and asking what one is worth."""

from __future__ import annotations

import pytest

from authgate.protocol.errors import Reason
from authgate.steps.revoke import introspect, revoke
from tests.clauses import clause
from tests.protocol.making import ISSUER, OTHER_RESOURCE, RESOURCE, refused
from tests.steps.making import ADDRESS, Registered, World

INACTIVE = {"active": False}


async def hand_back(
    world: World, client: Registered, token: str | None, **changes: str | None
) -> None:
    await revoke(world.parts, client.header, client.form(token=token, **changes), ADDRESS)


async def ask(world: World, client: Registered, token: str | None) -> dict[str, object]:
    return await introspect(world.parts, client.header, client.form(token=token), ADDRESS)


@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@clause("RFC 7009", "2.1")
async def test_one_token_handed_back_ends_the_whole_connection(
    world: World, method: str, which: str
) -> None:
    client, answer = await world.connected(await world.register(method))
    await hand_back(world, client, answer[which])
    assert await world.revoked_reason(answer["access_token"]) == "revoked_by_client"
    with refused(Reason.GRANT_ENDED):
        await world.refresh(client, answer["refresh_token"])
    await hand_back(world, client, answer[which])  # again: nothing left to do, and no error


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
@clause("RFC 7009", "2.1")
async def test_a_wrong_hint_does_no_harm(world: World, hint: str) -> None:
    client, answer = await world.connected()
    await hand_back(world, client, answer["refresh_token"], token_type_hint=hint)
    assert await world.revoked_reason(answer["access_token"])


@clause("RFC 7009", "2.1")
async def test_a_used_or_expired_token_still_ends_its_grant(world: World) -> None:
    client, first = await world.connected()
    await world.refresh(client, first["refresh_token"])
    await hand_back(world, client, first["refresh_token"])
    assert await world.revoked_reason(first["access_token"])
    client, first = await world.connected()
    world.clock.now += 3600 * 24
    with refused(Reason.TOKEN_EXPIRED):
        world.parts.issuer.verify(first["access_token"], RESOURCE, world.clock.now)
    await hand_back(world, client, first["access_token"])
    assert await world.revoked_reason(first["access_token"])


@pytest.mark.parametrize("token", ["unknown", "a.b.c", "x" * 8000, "ü", "' OR 1=1"])
@clause("RFC 7009", "2.2")
async def test_an_unknown_token_is_no_error(world: World, token: str) -> None:
    await hand_back(world, await world.register(), token)


@clause("RFC 7009", "2.1")
async def test_anothers_token_is_left_alone_and_nothing_is_told(world: World) -> None:
    _, answer = await world.connected()
    for stranger in (await world.register(), await world.register("client_secret_post")):
        await hand_back(world, stranger, answer["access_token"])
        await hand_back(world, stranger, answer["refresh_token"])
    assert await world.revoked_reason(answer["access_token"]) is None


@clause("RFC 7009", "2.1")
async def test_a_forged_token_ends_nothing(world: World) -> None:
    client, answer = await world.connected()
    head, body, signature = answer["access_token"].split(".")
    for forged in (
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body}.",
        f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{body}.",
        f"{head}.{body}",
    ):
        await hand_back(world, client, forged)
    assert await world.revoked_reason(answer["access_token"]) is None


@clause("RFC 7009", "2.2.1")
async def test_the_caller_must_be_a_client_and_name_a_token(world: World) -> None:
    client, answer = await world.connected(await world.register("client_secret_post"))
    with refused(Reason.CLIENT_SECRET_WRONG):
        await hand_back(world, client, answer["access_token"], client_secret="wrong")
    with refused(Reason.CLIENT_AUTH_METHOD):
        await hand_back(world, client, answer["access_token"], client_secret=None)
    with refused(Reason.CLIENT_MISSING):
        await hand_back(world, client, "x", client_id=None, client_secret=None)
    with refused(Reason.PARAMETER_MISSING):
        await hand_back(world, client, None)
    assert await world.revoked_reason(answer["access_token"]) is None


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
@clause("RFC 7662", "2.2")
async def test_a_confidential_client_learns_what_its_tokens_are_worth(
    world: World, method: str
) -> None:
    client, answer = await world.connected(await world.register(method), scope="mcp:use")
    now = world.clock.now
    shared = {
        "active": True,
        "iss": ISSUER,
        "sub": world.person.sub,
        "aud": RESOURCE,
        "client_id": client.client_id,
        "scope": "mcp:use",
    }
    access = await ask(world, client, answer["access_token"])
    assert access.pop("jti")
    assert access == {**shared, "iat": now, "exp": now + 3600, "token_type": "Bearer"}
    refresh = await ask(world, client, answer["refresh_token"])
    assert refresh == {**shared, "iat": now, "exp": now + 2_592_000}


@clause("RFC 7662", "2.2")
async def test_a_narrowed_token_tells_its_own_scope(world: World) -> None:
    client, first = await world.connected(await world.register("client_secret_post"))
    narrow = await world.refresh(client, first["refresh_token"], scope="mcp:admin")
    assert (await ask(world, client, narrow["access_token"]))["scope"] == "mcp:admin"


@clause("RFC 7662", "2.2")
async def test_anything_else_is_inactive_and_nothing_more(world: World) -> None:
    client, first = await world.connected(await world.register("client_secret_post"))
    _, foreign = await world.connected(await world.register("client_secret_basic"))
    second = await world.refresh(client, first["refresh_token"])
    for token in (
        *("unknown", "a.b.c", "ü"),
        first["refresh_token"],  # superseded
        foreign["access_token"],
        foreign["refresh_token"],
    ):
        assert await ask(world, client, token) == INACTIVE
    world.clock.now += 3600
    assert await ask(world, client, second["access_token"]) == INACTIVE
    assert (await ask(world, client, second["refresh_token"]))["active"] is True
    world.clock.now += world.parts.policy.refresh_token_ttl
    assert await ask(world, client, second["refresh_token"]) == INACTIVE


@clause("RFC 7662", "2.2")
async def test_nothing_is_active_after_the_grant_ended(world: World) -> None:
    client, answer = await world.connected(await world.register("client_secret_post"))
    await hand_back(world, client, answer["refresh_token"])
    for token in (answer["access_token"], answer["refresh_token"]):
        assert await ask(world, client, token) == INACTIVE


@clause("RFC 7662", "2.1")
async def test_a_public_client_may_not_ask(world: World) -> None:
    client, answer = await world.connected(resource=OTHER_RESOURCE)
    for token in (answer["access_token"], "unknown", None):
        with refused(Reason.CLIENT_PUBLIC) as caught:
            await ask(world, client, token)
        assert caught.value.face.status == 401
