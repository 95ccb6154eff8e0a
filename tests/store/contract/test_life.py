"""Opening, closing and asking whether the store is well."""

from __future__ import annotations

import asyncio
import time

import pytest

from authgate.protocol.records import Redemption
from authgate.store.contract import Store, StoreUnavailable
from tests.store.contract.engines import Engine
from tests.store.contract.samples import audit, client, issue, redeem


async def test_a_store_that_is_well_says_so_by_raising_nothing(store: Store) -> None:
    await store.ping()


async def test_the_time_that_all_nodes_share(store: Store) -> None:
    shared = await store.clock()
    assert shared is None or abs(shared - time.time()) < 5


async def test_what_was_accepted_is_finished_before_closing(engine: Engine, store: Store) -> None:
    accepted = [
        asyncio.ensure_future(store.register_client(client(f"c{i}"), audit())) for i in range(200)
    ]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*accepted)
    again = engine.store()
    await again.open()
    assert len(await again.clients()) == 200
    await again.close()


async def test_closed_twice_and_asked_after(engine: Engine) -> None:
    store = engine.store()
    await store.close()
    await store.open()
    await store.close()
    await store.close()
    for asked in (store.ping(), store.client("x"), store.record(audit()), store.grant("x")):
        with pytest.raises(StoreUnavailable):
            await asked


async def test_what_was_spent_stays_spent_when_it_is_opened_again(
    engine: Engine, store: Store
) -> None:
    await issue(store)
    assert await redeem(store) is Redemption.REDEEMED
    await store.close()
    await store.open()
    assert await store.grant("grant-1") is not None
    assert await redeem(store) is Redemption.REPLAYED


async def test_another_store_on_the_same_data(engine: Engine, store: Store) -> None:
    other = engine.store()
    await other.open()
    await issue(store)
    assert await store.grant("grant-1") is None
    assert await redeem(other) is Redemption.REDEEMED
    assert await store.grant("grant-1") is not None
    await other.end_grant("grant-1", "revoked", 1_800_000_001, audit())
    # At once on the node that was asked to end it, and within a second everywhere.
    mine = await other.grant("grant-1")
    assert mine is not None
    assert mine.revoked_at is not None
    await asyncio.sleep(1)
    found = await store.grant("grant-1")
    assert found is not None
    assert found.revoked_at is not None
    await other.close()


async def test_a_caller_who_left_does_not_stop_the_step(store: Store) -> None:
    task = asyncio.ensure_future(store.register_client(client(), audit()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # When it has ended nobody hears: on PostgreSQL another call may well overtake it.
    async with asyncio.timeout(10):
        while (found := await store.client("client-1")) is None:  # noqa: ASYNC110 - nobody says
            await asyncio.sleep(0.01)
    assert found == client()


async def test_text_that_cannot_be_stored_is_found_nowhere(store: Store) -> None:
    """A lone surrogate has no UTF-8: to look for it is to find nothing."""
    assert await store.client("\ud800") is None
    assert await store.account_by_email("\ud800@example.com") is None
    assert await store.consent("\ud800", "", "", "") is None
