"""Grants: found by person and client, ended once, for good, and for that person alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authgate.protocol.records import Redemption
from authgate.store.contract import Store
from tests.store.contract.samples import (
    NOW,
    audit,
    begin,
    grant,
    issue,
    person,
    redeem,
    session,
)


def names(grants: object) -> list[str]:
    return [g.grant_id.removeprefix("grant-") for g in grants]


async def test_listed_newest_first(store: Store) -> None:
    await begin(store, "old", created_at=NOW - 2)
    await begin(store, "new", created_at=NOW)
    await begin(store, "mid", created_at=NOW - 1, client_id="client-2")
    await begin(store, "other", person=person("ag_bob"))
    assert names(await store.grants(sub="ag_alice")) == ["new", "mid", "old"]
    assert names(await store.grants(client_id="client-1", sub="ag_alice")) == ["new", "old"]
    assert sorted(names(await store.grants(client_id="client-1"))) == ["new", "old", "other"]
    assert names(await store.grants(sub="nobody")) == []


async def test_live_ones_only_if_asked(store: Store) -> None:
    await begin(store, "live")
    await begin(store, "revoked")
    await begin(store, "expired", expires_at=NOW + 10)
    await store.end_grant("grant-revoked", "revoked", NOW, audit())
    for by in ({"sub": "ag_alice"}, {"client_id": "client-1"}):
        assert len(await store.grants(**by)) == 3
        at_the_end = await store.grants(**by, live_at=NOW + 10)
        assert names(at_the_end) == ["live"]
        before = await store.grants(**by, live_at=NOW + 9)
        assert sorted(names(before)) == ["expired", "live"]


async def test_everybodys_grants_are_nobodys_question(store: Store) -> None:
    with pytest.raises(ValueError, match="whose"):
        await store.grants()


async def test_ended_once(store: Store) -> None:
    await begin(store)
    assert await store.end_grant("grant-1", "revoked_by_client", NOW + 1, audit("grant.ended"))
    ended = replace(grant(), revoked_at=NOW + 1, revoked_reason="revoked_by_client")
    assert await store.grant("grant-1") == ended
    events = await store.audit_events()
    assert events[0].event == "grant.ended"
    assert not await store.end_grant("grant-1", "again", NOW + 2, audit())
    assert not await store.end_grant("grant-unknown", "x", NOW, audit())
    assert await store.grant("grant-1") == ended
    assert await store.audit_events() == events


async def test_what_ran_out_has_ended_before(store: Store) -> None:
    await begin(store)
    assert not await store.end_grant("grant-1", "late", grant().expires_at, audit())
    assert await store.grant("grant-1") == grant()


async def test_each_read_sees_the_latest(store: Store) -> None:
    """A store may remember what cannot change of a grant, and nothing else."""
    await begin(store)
    for _ in range(3):
        assert await store.grant("grant-1") == grant()
    await store.end_grant("grant-1", "revoked", NOW, audit())
    found = await store.grant("grant-1")
    assert found is not None
    assert found.revoked_at == NOW


async def test_a_person_is_sent_away_everywhere(store: Store) -> None:
    await begin(store, "a")
    await begin(store, "b", client_id="client-2")
    await begin(store, "expired", expires_at=NOW + 1)
    await begin(store, "bobs", person=person("ag_bob"))
    await issue(store, "unspent")
    await issue(store, "bobs-unspent", person=person("ag_bob"))
    await store.open_session(session(), audit())
    await store.open_session(session("bobs", person=person("ag_bob")), audit())

    ended = await store.end_grants_of("ag_alice", "signed_out", NOW + 1, audit("person.out"))

    assert ended == 2
    for name in ("a", "b"):
        found = await store.grant(f"grant-{name}")
        assert found is not None
        assert (found.revoked_at, found.revoked_reason) == (NOW + 1, "signed_out")
    assert names(await store.grants(sub="ag_bob", live_at=NOW + 1)) == ["bobs"]
    assert await store.session(session().session_digest, NOW + 1) is None
    assert await store.session(session("bobs").session_digest, NOW + 1) is not None
    # A code from a moment before would have begun a grant a moment after.
    assert await redeem(store, "unspent", now=NOW + 2) is Redemption.EXPIRED
    assert (
        await redeem(store, "bobs-unspent", now=NOW + 2, person=person("ag_bob"))
        is Redemption.REDEEMED
    )
    assert (await store.audit_events(limit=2))[1].event == "person.out"


async def test_nothing_to_end_is_still_told(store: Store) -> None:
    assert await store.end_grants_of("ag_alice", "signed_out", NOW, audit("person.out")) == 0
    assert [e.event for e in await store.audit_events()] == ["person.out"]


async def test_at_most_a_thousand(store: Store) -> None:
    await asyncio.gather(*(begin(store, str(i), created_at=NOW + i) for i in range(1_001)))
    assert names(await store.grants(sub="ag_alice")) == [str(i) for i in range(1_000, 0, -1)]
