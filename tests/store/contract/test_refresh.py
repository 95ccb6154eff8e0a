"""Refresh tokens: one successor ever; repeated in the grace window; a replay ends the grant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authgate.protocol.records import Grant, Rotation, RotationOutcome
from authgate.store.contract import Store
from tests.store.contract.samples import (
    DAY,
    GRACE,
    NOW,
    audit,
    begin,
    client,
    grant,
    token,
)

LATER = NOW + 100
NEXT = token("1", 1)
ROTATED = RotationOutcome(Rotation.ROTATED, NEXT.token_digest, NEXT.expires_at)
REPEATED = RotationOutcome(Rotation.REPEATED, NEXT.token_digest, NEXT.expires_at)
REPLAYED = RotationOutcome(Rotation.REPLAYED)
ENDED = RotationOutcome(Rotation.ENDED)


async def rotate(
    store: Store,
    generation: int = 0,
    *,
    now: int = LATER,
    grace: int = GRACE,
    vouched_at: int | None = None,
) -> RotationOutcome:
    return await store.rotate_refresh_token(
        token("1", generation).token_digest,
        token("1", generation + 1),
        now + 30 * DAY,
        now,
        grace,
        audit("token.refreshed"),
        vouched_at,
    )


async def test_rotation(store: Store) -> None:
    await begin(store)
    assert await rotate(store) == ROTATED
    moved = replace(grant(), last_used_at=LATER, expires_at=LATER + 30 * DAY)
    spent = replace(token(), superseded_at=LATER, successor_digest=NEXT.token_digest)
    assert await store.refresh_token(token().token_digest) == (spent, moved)
    assert await store.refresh_token(NEXT.token_digest) == (NEXT, moved)
    assert await store.grant("grant-1") == moved
    assert (await store.audit_events(limit=1))[0] == audit("token.refreshed")


async def test_when_the_directory_stood_by_the_person_moves_with_it(store: Store) -> None:
    await begin(store, vouched_at=NOW - 3)
    assert (await _of(store)).vouched_at == NOW - 3
    await rotate(store, vouched_at=LATER)
    assert (await _of(store)).vouched_at == LATER


async def test_a_refresh_during_an_outage_leaves_it(store: Store) -> None:
    await begin(store, vouched_at=NOW - 3)
    for generation in range(3):
        await rotate(store, generation, now=LATER + generation)
        assert (await _of(store)).vouched_at == NOW - 3
    # whoever did not win changes nothing
    assert await rotate(store, 2, now=LATER + 3, vouched_at=LATER + 3) != ROTATED
    assert (await _of(store)).vouched_at == NOW - 3


async def _of(store: Store) -> Grant:
    found, read = await store.grant("grant-1"), await store.refresh_token(token().token_digest)
    assert found is not None
    assert read is not None
    assert read[1] == found
    return found


@pytest.mark.parametrize("after", [0, 1, GRACE])
async def test_repeated_in_the_window_the_last_second_included(store: Store, after: int) -> None:
    await begin(store)
    await rotate(store)
    events = len(await store.audit_events())
    assert await rotate(store, now=LATER + after) == REPEATED
    assert await rotate(store, now=LATER + after) == REPEATED
    found = await store.grant("grant-1")
    assert found is not None
    assert found.last_used_at == LATER
    assert len(await store.audit_events()) == events


async def test_repeats_do_not_stretch_the_window(store: Store) -> None:
    await begin(store)
    await rotate(store)
    for after in range(10, GRACE + 1, 10):
        assert await rotate(store, now=LATER + after) == REPEATED
    assert await rotate(store, now=LATER + GRACE + 1) == REPLAYED


@pytest.mark.parametrize(("grace", "after"), [(GRACE, GRACE + 1), (0, 1)])
async def test_after_the_window_it_is_a_replay(store: Store, grace: int, after: int) -> None:
    await begin(store)
    await rotate(store)
    assert await rotate(store, now=LATER + after, grace=grace) == REPLAYED
    found = await store.grant("grant-1")
    assert found is not None
    assert (found.revoked_at, found.revoked_reason) == (LATER + after, "refresh_token_replayed")
    assert (await store.audit_events(limit=1))[0] == audit("token.refreshed", "replayed")
    # The thief's successor died with the grant, and a second replay tells nothing new.
    assert await rotate(store, 1, now=LATER + after) == ENDED
    assert await rotate(store, now=LATER + after) == ENDED


async def test_a_used_successor_closes_the_window(store: Store) -> None:
    await begin(store)
    await rotate(store)
    assert (await rotate(store, 1, now=LATER + 1)).rotation is Rotation.ROTATED
    assert await rotate(store, now=LATER + 2) == REPLAYED
    assert await rotate(store, 2, now=LATER + 3) == ENDED


async def test_the_first_successor_stays_the_one(store: Store) -> None:
    await begin(store)
    await rotate(store)
    other = await store.rotate_refresh_token(
        token().token_digest, token("1", 77), LATER + DAY, LATER + 1, GRACE, audit()
    )
    assert other == REPEATED
    assert await store.refresh_token(token("1", 77).token_digest) is None


async def test_the_end_is_the_first_moment_too_late(store: Store) -> None:
    await begin(store)
    expired = RotationOutcome(Rotation.EXPIRED)
    assert await rotate(store, now=token().expires_at) == expired
    assert await store.refresh_token(NEXT.token_digest) is None
    assert (await rotate(store, now=token().expires_at - 1)).rotation is Rotation.ROTATED


@pytest.mark.parametrize("used", [False, True])
async def test_a_revoked_grant_is_ended_whatever_else(store: Store, used: bool) -> None:
    await begin(store)
    if used:
        await rotate(store)
    await store.end_grant("grant-1", "revoked", LATER, audit("grant.ended"))
    for now in (LATER, LATER + GRACE + 1, token().expires_at + 1):
        assert await rotate(store, now=now) == ENDED
    assert (await store.audit_events(limit=1))[0].event == "grant.ended"


async def test_unknown(store: Store) -> None:
    assert await rotate(store) == ENDED
    assert await store.refresh_token(NEXT.token_digest) is None


async def test_refreshing_counts_as_use_of_the_client(store: Store) -> None:
    await store.register_client(client(), audit())
    await begin(store)
    await rotate(store, now=NOW + 2 * DAY)
    found = await store.client("client-1")
    assert found is not None
    assert found.last_used_at == NOW + 2 * DAY
