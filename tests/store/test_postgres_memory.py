"""What is remembered of PostgreSQL is a second old at most, however slow the answers are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from authgate.store import postgres_memory
from authgate.store.postgres_memory import Memory
from authgate.store.postgres_wire import Result


class Slow:
    """Answers when it is told to; every question has its own answer."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[list[Result]]] = []

    def __call__(self, key: str) -> asyncio.Future[list[Result]]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]

    def answer(self, number: int, *values: str) -> None:
        self.asked[number].set_result([Result(len(values), [(value,) for value in values])])


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr(postgres_memory, "_SECOND", 0.05)
    return Slow()


def memory(slow: Slow, **how: Any) -> Memory[str]:
    return Memory(slow, lambda row: str(row[0]), **how)


async def begun(one: Memory[str]) -> asyncio.Task[str | None]:
    asking = asyncio.create_task(one.get("key"))
    await asyncio.sleep(0)
    return asking


async def test_who_comes_at_once_shares_an_answer(slow: Slow) -> None:
    one = memory(slow)
    waiting = [await begun(one) for _ in range(3)]
    slow.answer(0, "there")
    assert await asyncio.gather(*waiting) == ["there"] * 3
    assert await one.get("key") == "there"
    assert len(slow.asked) == 1


async def test_who_comes_later_asks_anew_and_is_not_told_what_was(slow: Slow) -> None:
    one = memory(slow)
    early = await begun(one)
    await asyncio.sleep(0.06)
    late = await begun(one)
    assert len(slow.asked) == 2
    slow.answer(0, "there")
    assert await early == "there"
    await asyncio.sleep(0)
    assert not late.done()
    slow.answer(1)
    assert await late is None
    # And the older answer is nobody's to keep, whichever came last.
    asking = await begun(one)
    assert len(slow.asked) == 3
    slow.answer(2)
    assert await asking is None


async def test_an_old_answer_that_comes_last_changes_nothing(slow: Slow) -> None:
    one = memory(slow, absence=True)
    early = await begun(one)
    await asyncio.sleep(0.06)
    late = await begun(one)
    slow.answer(1)
    assert await late is None
    slow.answer(0, "there")
    await asyncio.sleep(0)
    assert await one.get("key") is None
    assert await early is None
    assert len(slow.asked) == 2
