"""A sign-in at a provider: back once, in its browser, and handed over once for its challenge."""

from __future__ import annotations

import asyncio

import pytest

from authgate.protocol.records import HandOver, PendingFactor, Person
from authgate.store.contract import Store, Swept
from tests.clauses import clause
from tests.store.contract.engines import Engine
from tests.store.contract.samples import ALICE, NOW, audit, digest, factor, request, transaction

TX = transaction().transaction_digest
BROWSER = transaction().browser_digest
HANDLE = request().request_digest
END = transaction().expires_at
CODE = digest("oauth-code")
CROWD = 50


@pytest.fixture
async def opened(store: Store) -> Store:
    await store.open_request(request(kind="tool", browser_digest=None))
    await store.open_transaction(transaction())
    return store


async def back(store: Store, vouched: Person | PendingFactor = ALICE) -> None:
    assert await store.take_transaction(TX, BROWSER, NOW + 1)
    assert await store.vouch_transaction(TX, vouched)


async def hand_over(store: Store, code: str = CODE, now: int = NOW + 2) -> bool:
    return await store.issue_hand_over(TX, BROWSER, code, now + 300, now, audit("handed_over"))


async def test_it_is_kept_as_it_was_opened(opened: Store) -> None:
    assert await opened.transaction(TX) == transaction()
    assert await opened.transaction("nothing") is None


@clause("MCP best practices", "confused deputy")
async def test_only_its_own_browser_takes_it_in_time_and_once(opened: Store) -> None:
    assert not await opened.take_transaction(TX, digest("another browser"), NOW)
    assert not await opened.take_transaction("nothing", BROWSER, NOW)
    assert not await opened.take_transaction(TX, BROWSER, END)
    assert await opened.transaction(TX) == transaction()
    assert await opened.take_transaction(TX, BROWSER, END - 1)
    assert not await opened.take_transaction(TX, BROWSER, END - 1)
    found = await opened.transaction(TX)
    assert found is not None
    assert found.used_at == END - 1


async def test_of_many_returns_one_counts(opened: Store) -> None:
    taken = await asyncio.gather(*(opened.take_transaction(TX, BROWSER, NOW) for _ in range(CROWD)))
    assert taken.count(True) == 1


async def test_who_was_vouched_for_is_said_once_and_after_the_return(opened: Store) -> None:
    assert not await opened.vouch_transaction(TX, ALICE)
    await back(opened)
    assert not await opened.vouch_transaction(TX, factor())
    found = await opened.transaction(TX)
    assert found is not None
    assert found.vouched == ALICE


@pytest.mark.parametrize("vouched", [ALICE, factor()])
async def test_a_code_is_good_once_for_its_challenge_and_provider(
    opened: Store, engine: Engine, vouched: Person | PendingFactor
) -> None:
    await back(opened, vouched)
    assert await hand_over(opened)
    late = NOW + 302
    assert await opened.take_hand_over(CODE, HANDLE, "google", NOW + 3) is None
    assert await opened.take_hand_over(CODE, digest("request-2"), "github", NOW + 3) is None
    assert await opened.take_hand_over(digest("guess"), HANDLE, "github", NOW + 3) is None
    assert await opened.take_hand_over(CODE, HANDLE, "github", late) is None
    taken = await opened.take_hand_over(CODE, HANDLE, "github", late - 1)
    assert taken == HandOver(vouched, NOW + 1)
    assert await opened.take_hand_over(CODE, HANDLE, "github", NOW + 3) is None
    assert engine.rows()["social_transactions"] == []


async def test_of_many_takers_one_gets_it(opened: Store) -> None:
    await back(opened)
    await hand_over(opened)
    taken = await asyncio.gather(
        *(opened.take_hand_over(CODE, HANDLE, "github", NOW + 3) for _ in range(CROWD))
    )
    assert len([one for one in taken if one is not None]) == 1


@clause("RFC 9700", "4.7")
async def test_of_many_consents_one_gives_a_code(opened: Store) -> None:
    await back(opened)
    codes = [digest(f"code {k}") for k in range(CROWD)]
    given = await asyncio.gather(*(hand_over(opened, code) for code in codes))
    assert given.count(True) == 1
    assert [e.event for e in await opened.audit_events()].count("handed_over") == 1
    taken = [await opened.take_hand_over(code, HANDLE, "github", NOW + 3) for code in codes]
    assert [one is not None for one in taken] == given


async def test_nothing_is_handed_over_before_everything_is_right(opened: Store) -> None:
    assert not await hand_over(opened)
    assert await opened.take_transaction(TX, BROWSER, NOW)
    assert not await hand_over(opened)
    assert await opened.vouch_transaction(TX, ALICE)
    other = digest("another browser")
    assert not await opened.issue_hand_over(TX, other, CODE, NOW + 300, NOW, audit())
    assert not await hand_over(opened, now=END)
    assert await opened.deny(HANDLE, NOW, audit())
    assert not await hand_over(opened)


async def test_without_its_request_nothing_is_handed_over(store: Store) -> None:
    await store.open_transaction(transaction())
    await back(store)
    assert not await hand_over(store)


async def test_it_ends_with_the_person(opened: Store) -> None:
    await back(opened)
    await hand_over(opened)
    await opened.end_grants_of(ALICE.sub, "signed_out", NOW + 2, audit())
    assert await opened.take_hand_over(CODE, HANDLE, "github", NOW + 3) is None
    assert await opened.transaction(TX) is None


async def test_it_goes_ten_minutes_after_its_end(store: Store) -> None:
    await store.open_transaction(transaction())
    assert await store.sweep(END + 599, access_ttl=60) == Swept()
    assert await store.sweep(END + 600, access_ttl=60) == Swept(transactions=1)
    assert await store.transaction(TX) is None
