"""Static API keys, and the counts of who still uses what."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authgate.protocol.records import UsageRow
from authgate.store.contract import Store, Swept
from tests.store.contract.samples import DAY, NOW, account, api_key, audit, begin

CROWD = 50
TODAY = NOW // DAY
KEY = api_key().key_digest


async def _events(store: Store) -> list[str]:
    return [e.event for e in await store.audit_events()]


# --- static API keys ----------------------------------------------------------------------------


async def test_a_key_is_kept_as_it_was_made(store: Store) -> None:
    plain = api_key()
    full = api_key(
        "full", sub=None, scopes=(), expires_at=NOW + 9, revoked_at=NOW, last_used_at=NOW - 1
    )
    for key in (plain, full):
        await store.add_api_key(key, audit("key.added"))
        assert await store.api_key(key.key_digest) == key
    assert await store.api_key("nothing") is None
    assert await _events(store) == ["key.added", "key.added"]


async def test_keys_are_listed_oldest_first(store: Store) -> None:
    late, early = api_key("a", created_at=NOW + 5), api_key("c", created_at=NOW)
    same = replace(api_key("b", created_at=NOW + 5), name=late.name)  # a name may be given twice
    for key in (same, late, early):
        await store.add_api_key(key, audit())
    assert await store.api_keys() == [early, late, same]


@pytest.mark.parametrize("same", ["key_digest", "key_id"])
async def test_a_clash_is_a_fault_and_changes_nothing(store: Store, same: str) -> None:
    await store.add_api_key(api_key(), audit())
    clash = replace(api_key("other"), **{same: getattr(api_key(), same)})
    constraint = {"key_digest": "api_keys_pkey", "key_id": "api_keys_by_id"}[same]
    with pytest.raises(Exception, match=f"{same}|{constraint}"):
        await store.add_api_key(clash, audit())
    assert await store.api_keys() == [api_key()]
    assert len(await store.audit_events()) == 1


async def test_a_key_is_revoked_once_and_stays_known(store: Store) -> None:
    await store.add_api_key(api_key(), audit())
    await store.add_api_key(api_key("other"), audit())
    key_id = api_key().key_id
    assert await store.revoke_api_key(key_id, NOW + 1, audit("revoked"))
    assert not await store.revoke_api_key(key_id, NOW + 2, audit("again"))
    assert not await store.revoke_api_key("nothing", NOW, audit("again"))
    assert await store.api_key(KEY) == api_key(revoked_at=NOW + 1)
    assert await store.api_key(api_key("other").key_digest) == api_key("other")
    assert await _events(store) == ["revoked", "test.event", "test.event"]
    assert await store.sweep(NOW + 900 * DAY, access_ttl=60) == Swept()
    assert await store.api_key(KEY) is not None


async def test_of_many_revocations_one_counts(store: Store) -> None:
    await store.add_api_key(api_key(), audit())
    key_id = api_key().key_id
    won = await asyncio.gather(
        *(store.revoke_api_key(key_id, NOW + k, audit("revoked")) for k in range(CROWD))
    )
    assert won.count(True) == 1
    assert await store.api_key(KEY) == api_key(revoked_at=NOW + won.index(True))
    assert (await _events(store)).count("revoked") == 1


async def test_the_last_use_is_kept_to_the_day_and_never_goes_back(store: Store) -> None:
    await store.add_api_key(api_key(), audit())
    for day, known in ((TODAY, TODAY), (TODAY, TODAY), (TODAY - 1, TODAY), (TODAY + 1, TODAY + 1)):
        await store.touch_api_key(KEY, day)
        assert await store.api_key(KEY) == api_key(last_used_at=known * DAY)
    await store.touch_api_key("nothing", TODAY)
    assert len(await store.api_keys()) == 1


async def test_a_key_is_the_operators_and_no_person_takes_it_along(store: Store) -> None:
    await store.add_account(account(), audit())
    await store.add_api_key(api_key(sub="ag_alice"), audit())
    await begin(store)
    await store.end_grants_of("ag_alice", "x", NOW, audit())
    await store.remove_account("ag_alice", NOW, audit())
    assert await store.api_key(KEY) == api_key(sub="ag_alice")


# --- who still uses what ------------------------------------------------------------------------


async def test_counts_are_added_to_those_of_the_same_day_kind_and_client(store: Store) -> None:
    first = [
        UsageRow(TODAY, "none", "", 3, 3),
        UsageRow(TODAY, "ours", "client-1", 5, 0),
        UsageRow(TODAY, "api_key", "reports", 1, 1),
    ]
    await store.add_usage(first)
    await store.add_usage(
        [
            UsageRow(TODAY, "none", "", 4, 1),
            UsageRow(TODAY, "ours", "client-2", 1, 0),
            UsageRow(TODAY + 1, "none", "", 1, 0),
        ]
    )
    assert await store.usage(TODAY) == [
        UsageRow(TODAY, "api_key", "reports", 1, 1),
        UsageRow(TODAY, "none", "", 7, 4),
        UsageRow(TODAY, "ours", "client-1", 5, 0),
        UsageRow(TODAY, "ours", "client-2", 1, 0),
        UsageRow(TODAY + 1, "none", "", 1, 0),
    ]
    assert await store.usage(TODAY + 1) == [UsageRow(TODAY + 1, "none", "", 1, 0)]
    assert list(await store.usage(TODAY + 2)) == []


async def test_the_same_twice_in_one_batch_is_added_too(store: Store) -> None:
    row = UsageRow(TODAY, "unknown", "", 1, 1)
    await store.add_usage([row, row])
    await store.add_usage([])
    assert await store.usage(0) == [UsageRow(TODAY, "unknown", "", 2, 2)]


async def test_of_many_counts_none_is_lost(store: Store) -> None:
    rows = [UsageRow(TODAY, "none", "", 1, 1), UsageRow(TODAY, "ours", "client-1", 2, 0)]
    await asyncio.gather(*(store.add_usage(rows) for _ in range(CROWD)))
    assert await store.usage(TODAY) == [
        UsageRow(TODAY, "none", "", CROWD, CROWD),
        UsageRow(TODAY, "ours", "client-1", 2 * CROWD, 0),
    ]


async def test_a_days_counts_go_after_ninety_days(store: Store) -> None:
    await store.add_usage([UsageRow(TODAY, "none", "", 1, 0), UsageRow(TODAY + 1, "a", "b", 1, 0)])
    end = (TODAY + 90) * DAY
    assert await store.sweep(end - 1, access_ttl=60) == Swept()
    swept = await store.sweep(end, access_ttl=60)
    assert (swept, swept.total) == (Swept(usage=1), 1)
    assert await store.usage(0) == [UsageRow(TODAY + 1, "a", "b", 1, 0)]


async def test_counts_go_in_batches(store: Store) -> None:
    await store.add_usage([UsageRow(TODAY, "ours", f"client-{k}", 1, 0) for k in range(5)])
    swept = [await store.sweep(NOW + 91 * DAY, access_ttl=60, batch=2) for _ in range(4)]
    assert [s.usage for s in swept] == [2, 2, 1, 0]
