"""A second factor that is due: one at a time, in its request's row, and gone when it can be."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authgate.protocol.records import Approval, PendingFactor
from authgate.store.contract import Store, Swept
from tests.clauses import clause
from tests.store.contract.engines import Engine
from tests.store.contract.samples import LIMIT, NOW, audit, code, factor, request

HANDLE = request().request_digest
END = request().expires_at
CROWD = 50


async def waiting(store: Store) -> PendingFactor | None:
    found = await store.request(HANDLE)
    assert found is not None
    return found.factor


@pytest.fixture
async def opened(store: Store) -> Store:
    await store.open_request(request())
    return store


async def test_it_waits_in_its_request_and_a_newer_one_replaces_it(opened: Store) -> None:
    assert await waiting(opened) is None
    assert await opened.await_factor(HANDLE, factor(), NOW)
    assert await opened.request(HANDLE) == replace(request(), factor=factor())
    await opened.count_factor_failure(HANDLE, LIMIT)
    newer = factor("2", kind="totp", hint="", expires_at=NOW + 9, failures=0)
    assert await opened.await_factor(HANDLE, newer, NOW + 1)
    assert await waiting(opened) == newer


@clause("ASVS", "6.6")
async def test_only_while_the_request_can_be_answered(opened: Store) -> None:
    assert not await opened.await_factor("nothing", factor(), NOW)
    assert not await opened.await_factor(HANDLE, factor(), END)
    assert await opened.await_factor(HANDLE, factor(), END - 1)
    assert await opened.deny(HANDLE, NOW, audit()) is Approval.APPROVED
    assert not await opened.await_factor(HANDLE, factor("2"), NOW)
    assert await waiting(opened) is None


@clause("ASVS", "6.6.3")
async def test_failures_are_counted_and_the_last_one_clears_it(opened: Store) -> None:
    await opened.await_factor(HANDLE, factor(), NOW)
    counted = [await opened.count_factor_failure(HANDLE, LIMIT) for _ in range(LIMIT - 1)]
    assert counted == [1, 2, 3, 4]
    assert await waiting(opened) == factor(failures=LIMIT - 1)
    assert await opened.count_factor_failure(HANDLE, LIMIT) == LIMIT
    assert await waiting(opened) is None
    assert not await opened.settle_factor(HANDLE, factor().sealed)


async def test_without_one_there_is_nothing_left_to_try(opened: Store) -> None:
    assert await opened.count_factor_failure("nothing", LIMIT) == LIMIT
    assert await opened.count_factor_failure(HANDLE, LIMIT) == LIMIT
    assert await opened.request(HANDLE) == request()
    # what a limit left behind is not in the way of the next
    await opened.await_factor(HANDLE, factor(), NOW)
    assert await opened.count_factor_failure(HANDLE, 1) == 1
    assert await opened.count_factor_failure(HANDLE, LIMIT) == LIMIT
    assert await opened.await_factor(HANDLE, factor("2"), NOW)
    assert await opened.count_factor_failure(HANDLE, LIMIT) == 1


async def test_exactly_the_factor_that_was_answered_is_settled(opened: Store) -> None:
    await opened.await_factor(HANDLE, factor("1"), NOW)
    await opened.await_factor(HANDLE, factor("2"), NOW)
    assert not await opened.settle_factor(HANDLE, factor("1").sealed)
    assert not await opened.settle_factor("nothing", factor("2").sealed)
    assert await waiting(opened) == factor("2")
    assert await opened.settle_factor(HANDLE, factor("2").sealed)
    assert not await opened.settle_factor(HANDLE, factor("2").sealed)
    assert await opened.request(HANDLE) == request()


@pytest.mark.parametrize("answer", ["approve", "deny"])
async def test_the_answer_takes_it_away(opened: Store, engine: Engine, answer: str) -> None:
    await opened.await_factor(HANDLE, factor(), NOW)
    if answer == "approve":
        await opened.approve(HANDLE, code(), None, NOW, audit())
    else:
        await opened.deny(HANDLE, NOW, audit())
    assert await waiting(opened) is None
    assert factor().sealed not in str(engine.rows())


async def test_an_answer_that_came_too_late_takes_nothing(opened: Store) -> None:
    await opened.await_factor(HANDLE, factor(), NOW)
    assert await opened.deny(HANDLE, END, audit()) is Approval.EXPIRED
    assert await waiting(opened) == factor()


@clause("ASVS", "14.2")
async def test_the_sweep_takes_it_when_its_time_is_over(opened: Store, engine: Engine) -> None:
    await opened.await_factor(HANDLE, factor(), NOW)
    assert await opened.sweep(factor().expires_at - 1, access_ttl=60) == Swept()
    assert await waiting(opened) == factor()
    assert await opened.sweep(factor().expires_at, access_ttl=60) == Swept()
    assert await opened.request(HANDLE) == request()
    assert factor().sealed not in str(engine.rows())
    for kept in engine.rows()["authorization_requests"]:
        assert kept[-5:] == (None,) * 5


@clause("ASVS", "6.6.2")
async def test_one_of_many_right_answers_wins(store: Store) -> None:
    for i in range(5):
        asked = request(f"r{i}")
        await store.open_request(asked)
        await store.await_factor(asked.request_digest, factor(), NOW)
        settled = await asyncio.gather(
            *(store.settle_factor(asked.request_digest, factor().sealed) for _ in range(CROWD))
        )
        assert settled.count(True) == 1


@clause("ASVS", "6.6.3")
async def test_wrong_answers_and_a_right_one(opened: Store) -> None:
    """Whoever is late by one failure too many is late, however the answers mix."""
    await opened.await_factor(HANDLE, factor(), NOW)
    wrong = [opened.count_factor_failure(HANDLE, LIMIT) for _ in range(CROWD)]
    right = opened.settle_factor(HANDLE, factor().sealed)
    settled, *counts = await asyncio.gather(right, *wrong)
    counted = sorted(count for count in counts if count < LIMIT)
    assert counted == list(range(1, len(counted) + 1))
    assert settled or len(counted) == LIMIT - 1
    assert await waiting(opened) is None


async def test_nobody_is_right_after_the_last_failure(opened: Store) -> None:
    await opened.await_factor(HANDLE, factor(failures=LIMIT - 1), NOW)
    assert await opened.count_factor_failure(HANDLE, LIMIT) == LIMIT
    assert not await opened.settle_factor(HANDLE, factor().sealed)
