"""The refresh: one successor ever, a window for lost answers, and an end for thieves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from authgate.directories.contract import Gone, Unavailable
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason
from authgate.protocol.records import RefreshToken, Rotation
from authgate.protocol.refresh_token import judge_repeat
from authgate.security.vault import Vault
from tests.clauses import clause
from tests.protocol.making import OTHER_RESOURCE, RESOURCE, refused
from tests.security.making import OTHER_SECRET, SECRET
from tests.steps.making import World, opened_world, with_directory


@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
@clause("OAuth 2.1", "4.3.1")
async def test_a_refresh_token_is_replaced_by_its_successor(world: World, method: str) -> None:
    client, first = await world.connected(await world.register(method))
    world.clock.now += 1000
    second = await world.refresh(client, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert second["scope"] == first["scope"]
    third = await world.refresh(client, second["refresh_token"])
    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    claims = world.parts.issuer.verify(third["access_token"], RESOURCE, world.clock.now)
    grant = await world.store.grant(claims.grant_id)
    assert grant is not None
    assert grant.expires_at == world.clock.now + world.parts.policy.refresh_token_ttl
    assert grant.revoked_at is None


@pytest.mark.parametrize("later", [0, 1, 59, 60])
@clause("OAuth 2.1", "4.3.1")
async def test_a_repeat_inside_the_window_gets_the_same_successor(world: World, later: int) -> None:
    client, first = await world.connected()
    second = await world.refresh(client, first["refresh_token"])
    world.clock.now += later
    for _ in range(3):
        again = await world.refresh(client, first["refresh_token"])
        assert again["refresh_token"] == second["refresh_token"]
    assert await world.refresh(client, second["refresh_token"])
    assert await world.revoked_reason(first["access_token"]) is None


@clause("OAuth 2.1", "4.3.1")
async def test_repeats_do_not_stretch_the_window(world: World) -> None:
    client, first = await world.connected()
    await world.refresh(client, first["refresh_token"])
    for _ in range(2):
        world.clock.now += 30
        await world.refresh(client, first["refresh_token"])
    world.clock.now += 1
    with refused(Reason.REFRESH_REPLAYED):
        await world.refresh(client, first["refresh_token"])


@clause("RFC 9700", "4.14.2")
async def test_a_repeat_after_the_window_ends_the_grant(world: World) -> None:
    client, first = await world.connected()
    second = await world.refresh(client, first["refresh_token"])
    world.clock.now += 61
    with refused(Reason.REFRESH_REPLAYED) as caught:
        await world.refresh(client, first["refresh_token"])
    assert caught.value.code == "invalid_grant"
    assert await world.revoked_reason(second["access_token"]) == "refresh_token_replayed"
    for token in (first, second):
        with refused(Reason.GRANT_ENDED):
            await world.refresh(client, token["refresh_token"])


@clause("RFC 9700", "4.14.2")
async def test_a_repeat_after_the_successor_was_used_ends_the_grant_at_once(world: World) -> None:
    client, first = await world.connected()
    second = await world.refresh(client, first["refresh_token"])
    third = await world.refresh(client, second["refresh_token"])
    with refused(Reason.REFRESH_REPLAYED):
        await world.refresh(client, first["refresh_token"])
    assert await world.revoked_reason(third["access_token"]) == "refresh_token_replayed"


@clause("RFC 9700", "4.14.2")
async def test_one_grant_ends_and_the_persons_other_grants_go_on(world: World) -> None:
    client, first = await world.connected()
    _, other = await world.connected(client)
    second = await world.refresh(client, first["refresh_token"])
    await world.refresh(client, second["refresh_token"])
    with refused(Reason.REFRESH_REPLAYED):
        await world.refresh(client, first["refresh_token"])
    assert await world.refresh(client, other["refresh_token"])


@clause("RFC 6749", "10.4")
async def test_a_stranger_with_a_refresh_token_gets_nothing_and_ends_nothing(world: World) -> None:
    client, first = await world.connected()
    await world.refresh(client, first["refresh_token"])
    world.clock.now += 61
    for stranger in (await world.register(), await world.register("client_secret_post")):
        with refused(Reason.REFRESH_FOREIGN):
            await world.refresh(stranger, first["refresh_token"])
    assert await world.revoked_reason(first["access_token"]) is None


@clause("RFC 6749", "6")
async def test_a_narrower_access_token_leaves_the_refresh_token_as_wide(world: World) -> None:
    client, first = await world.connected()
    assert first["scope"] == "mcp:use mcp:admin"
    narrow = await world.refresh(client, first["refresh_token"], scope="mcp:admin")
    assert narrow["scope"] == "mcp:admin"
    claims = world.parts.issuer.verify(narrow["access_token"], RESOURCE, world.clock.now)
    assert claims.scopes == ("mcp:admin",)
    wide = await world.refresh(client, narrow["refresh_token"])
    assert wide["scope"] == "mcp:use mcp:admin"


@pytest.mark.parametrize(
    ("changes", "reason", "code"),
    [
        ({"scope": "mcp:use mcp:root"}, Reason.SCOPE_BEYOND_GRANT, "invalid_scope"),
        ({"scope": 'a"'}, Reason.SCOPE_MALFORMED, "invalid_scope"),
        ({"resource": OTHER_RESOURCE}, Reason.RESOURCE_BEYOND_GRANT, "invalid_target"),
        ({"resource": "https://evil.example"}, Reason.RESOURCE_BEYOND_GRANT, "invalid_target"),
        ({"refresh_token": None}, Reason.PARAMETER_MISSING, "invalid_request"),
        ({"refresh_token": "unknown"}, Reason.REFRESH_UNKNOWN, "invalid_grant"),
        ({"client_id": None}, Reason.CLIENT_MISSING, "invalid_client"),
    ],
)
@clause("RFC 8707", "2.2")
async def test_a_refused_refresh_spends_nothing(
    world: World, changes: dict[str, str | None], reason: Reason, code: str
) -> None:
    client, first = await world.connected()
    with refused(reason) as caught:
        await world.refresh(client, first["refresh_token"], **changes)
    assert caught.value.code == code
    kept = await world.store.refresh_token(digest(first["refresh_token"]))
    assert kept is not None
    assert kept[0].superseded_at is None


@clause("RFC 8707", "2.2")
async def test_a_refresh_stays_at_the_granted_resource(world: World) -> None:
    client, first = await world.connected(resource=OTHER_RESOURCE)
    for resource in (None, OTHER_RESOURCE, OTHER_RESOURCE + "/"):
        first = await world.refresh(client, first["refresh_token"], resource=resource)
        claims = world.parts.issuer.verify(first["access_token"], OTHER_RESOURCE, world.clock.now)
        assert claims.audience == OTHER_RESOURCE
    with refused(Reason.RESOURCE_BEYOND_GRANT):
        await world.refresh(client, first["refresh_token"], resource=RESOURCE)


@clause("OAuth 2.1", "4.3.1")
async def test_an_idle_refresh_token_runs_out_and_a_used_one_goes_on(world: World) -> None:
    client, token = await world.connected()
    ttl = world.parts.policy.refresh_token_ttl
    for _ in range(3):
        world.clock.now += ttl - 1
        token = await world.refresh(client, token["refresh_token"])
    world.clock.now += ttl
    with refused(Reason.REFRESH_EXPIRED):
        await world.refresh(client, token["refresh_token"])


@pytest.mark.parametrize("how", ["disabled", "removed"])
@clause("ASVS", "7.4.2")
async def test_a_person_who_left_takes_the_grant_along(world: World, how: str) -> None:
    client, first = await world.connected()
    audit, now = (await world.store.audit_events(limit=1))[0], world.clock.now
    if how == "disabled":
        await world.store.set_account_disabled(world.person.sub, now, now, audit)
    else:
        await world.store.remove_account(world.person.sub, now, audit)
    assert await world.revoked_reason(first["access_token"])
    with refused(Reason.GRANT_ENDED):
        await world.refresh(client, first["refresh_token"])


@clause("ASVS", "7.4.2")
async def test_a_person_who_left_a_directory_elsewhere_is_noticed_at_the_refresh(
    world: World,
) -> None:
    client, first = await world.connected()
    with_directory(world, Gone())
    for _ in range(2):
        with refused(Reason.GRANT_ENDED) as caught:
            await world.refresh(client, first["refresh_token"])
        assert caught.value.code == "invalid_grant"
    assert await world.revoked_reason(first["access_token"]) == "person_gone"
    ended = [event for event in await world.store.audit_events() if event.event == "grant.ended"]
    assert len(ended) == 1


@clause("ASVS", "16.5.2")
async def test_a_directory_that_does_not_answer_signs_nobody_out(world: World) -> None:
    client, first = await world.connected()
    with_directory(world, Unavailable())
    assert await world.refresh(client, first["refresh_token"])


@clause("OAuth 2.1", "4.3.1")
async def test_a_new_vault_key_inside_the_window_changes_no_successor(tmp_path: Path) -> None:
    async with opened_world(tmp_path / "a.db") as before:
        client, first = await before.connected()
        second = await before.refresh(client, first["refresh_token"])
    async with opened_world(tmp_path / "a.db", OTHER_SECRET, SECRET) as after:
        again = await after.refresh(client, first["refresh_token"])
        assert again["refresh_token"] == second["refresh_token"]
        third = await after.refresh(client, second["refresh_token"])
        assert (
            third["refresh_token"]
            == Vault((OTHER_SECRET,)).derive_successor(second["refresh_token"])[0]
        )
    async with opened_world(tmp_path / "a.db", SECRET, OTHER_SECRET) as other_worker:
        repeat = await other_worker.refresh(client, second["refresh_token"])
        assert repeat["refresh_token"] == third["refresh_token"]


@clause("OAuth 2.1", "4.3.1")
async def test_fifty_at_once_get_one_and_the_same_successor(world: World) -> None:
    client, first = await world.connected()
    answers = await asyncio.gather(
        *(world.refresh(client, first["refresh_token"]) for _ in range(50))
    )
    assert len({answer["refresh_token"] for answer in answers}) == 1
    issued = [e for e in await world.store.audit_events() if e.event == "token.refreshed"]
    assert len(issued) == 1
    assert await world.refresh(client, answers[0]["refresh_token"])
    assert await world.revoked_reason(first["access_token"]) is None


@clause("OAuth 2.1", "4.3.1")
async def test_two_workers_on_one_database_agree(tmp_path: Path) -> None:
    async with (
        opened_world(tmp_path / "a.db") as one,
        opened_world(tmp_path / "a.db") as two,
    ):
        client, first = await one.connected()
        answers = await asyncio.gather(
            *(
                world.refresh(client, first["refresh_token"])
                for world in (one, two)
                for _ in range(10)
            )
        )
        assert len({answer["refresh_token"] for answer in answers}) == 1


@pytest.mark.parametrize("grace", [0, 1, 60])
@clause("OAuth 2.1", "4.3.1")
async def test_the_store_judges_a_repeat_as_the_rule_does(world: World, grace: int) -> None:
    world.with_policy(refresh_grace=grace)
    for later in (0, 1, 2, 60, 61):
        for used in (False, True):
            client, first = await world.connected()
            second = await world.refresh(client, first["refresh_token"])
            if used:
                await world.refresh(client, second["refresh_token"])
            world.clock.now += later
            superseded_at = (await _row(world, first)).superseded_at
            assert superseded_at is not None
            wanted = judge_repeat(
                superseded_at=superseded_at,
                successor_unused=(await _row(world, second)).superseded_at is None,
                now=world.clock.now,
                grace=grace,
            )
            if wanted is Rotation.REPEATED:
                assert await world.refresh(client, first["refresh_token"])
            else:
                with refused(Reason.REFRESH_REPLAYED):
                    await world.refresh(client, first["refresh_token"])


async def _row(world: World, answer: Mapping[str, Any]) -> RefreshToken:
    found = await world.store.refresh_token(digest(answer["refresh_token"]))
    assert found is not None
    return found[0]
