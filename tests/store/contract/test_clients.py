"""Clients: kept exactly, listed in order, removed with everything that was theirs."""

from __future__ import annotations

import pytest

from authgate.protocol.records import Approval, Redemption
from authgate.store.contract import Store
from tests.store.contract.samples import (
    ALICE,
    DAY,
    NOW,
    RESOURCE,
    audit,
    begin,
    client,
    code,
    consent,
    issue,
    redeem,
    request,
)


@pytest.mark.parametrize(
    "kept",
    [
        client(),
        client(name=None, metadata={}, scopes=(), grant_types=(), response_types=()),
        client(auth_method="client_secret_basic", secret_digest="d" * 64, self_registered=False),
        client(redirect_uris=(), last_used_at=NOW, application_type="web"),
    ],
)
async def test_comes_back_as_it_was(store: Store, kept: object) -> None:
    await store.register_client(kept, audit("client.registered"))
    assert await store.client("client-1") == kept
    assert [e.event for e in await store.audit_events()] == ["client.registered"]


async def test_only_the_exact_identifier_finds_it(store: Store) -> None:
    await store.register_client(client("Client-1"), audit())
    assert await store.client("client-1") is None
    assert await store.client("Client-1 ") is None
    assert await store.client("") is None


async def test_a_clash_is_a_fault_and_changes_nothing(store: Store) -> None:
    await store.register_client(client(), audit())
    with pytest.raises(Exception, match="clients"):
        await store.register_client(client(name="other"), audit())
    assert await store.client("client-1") == client()
    assert len(await store.audit_events()) == 1


async def test_listed_by_identifier_page_by_page(store: Store) -> None:
    for name in ("c", "a", "d", "b"):
        await store.register_client(client(name), audit())
    assert [c.client_id for c in await store.clients()] == ["a", "b", "c", "d"]
    assert [c.client_id for c in await store.clients(limit=2)] == ["a", "b"]
    assert [c.client_id for c in await store.clients(limit=2, after="b")] == ["c", "d"]
    assert list(await store.clients(after="d")) == []


async def test_removal_ends_its_grants_and_codes_and_no_others(store: Store) -> None:
    for name in ("client-1", "client-2"):
        await store.register_client(client(name), audit())
    await begin(store, "mine")
    await begin(store, "other", client_id="client-2")
    await issue(store, "unspent")
    await store.open_request(request())
    asked = await store.approve(
        request().request_digest, code("consented"), consent(), NOW, audit()
    )
    assert asked is Approval.APPROVED

    assert await store.remove_client("client-1", NOW + 1, audit("client.removed"))

    assert await store.client("client-1") is None
    mine = await store.grant("grant-mine")
    assert mine is not None
    assert (mine.revoked_at, mine.revoked_reason) == (NOW + 1, "client_removed")
    other = await store.grant("grant-other")
    assert other is not None
    assert other.revoked_at is None
    assert await redeem(store, "unspent", now=NOW + 1) is Redemption.EXPIRED
    assert await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE) is None
    assert (await store.audit_events(limit=1))[0].event == "client.removed"


async def test_removing_nobody_says_so_and_writes_nothing(store: Store) -> None:
    assert not await store.remove_client("nobody", NOW, audit())
    assert list(await store.audit_events()) == []


async def test_use_is_stamped_at_most_once_a_day(store: Store) -> None:
    await store.register_client(client(), audit())

    async def used_at() -> int | None:
        (found,) = await store.clients()
        return found.last_used_at

    for name, now, stamp in (
        ("1", NOW, NOW),
        ("2", NOW + DAY - 1, NOW),
        ("3", NOW + DAY, NOW + DAY),
    ):
        await issue(store, name, expires_at=now + 60)
        assert await redeem(store, name, now=now) is Redemption.REDEEMED
        assert await used_at() == stamp
