"""Farewells: what no person waits for, what is given up, and that it is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from authgate.directories import farewell
from authgate.directories.farewell import Farewells

EVENT = "somewhere.session_left_open"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def warning(event: str, **fields: Any) -> None:
        lines.append(f"{event} {fields['why']} {fields['count']}")

    monkeypatch.setattr(farewell.log, "warning", warning)
    return lines


async def test_what_could_not_be_ended_is_counted(logged: list[str]) -> None:
    leaving = Farewells(EVENT)

    async def ending(done: bool) -> bool:
        return done

    for done in (True, False, True):
        leaving._begin(lambda done=done: ending(done))  # type: ignore[misc]
    await leaving.close()
    assert (leaving.failures, logged) == (1, [f"{EVENT} not answered 1"])


async def test_a_few_at_once_and_no_more_than_can_wait(logged: list[str]) -> None:
    leaving, door, inside = Farewells(EVENT, most=20), asyncio.Event(), 0

    async def ending() -> bool:
        nonlocal inside
        inside += 1
        await door.wait()
        inside -= 1
        return True

    for _ in range(25):
        leaving._begin(ending)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inside == farewell.AT_ONCE
    assert logged == [f"{EVENT} too many waiting {n}" for n in range(1, 6)]
    door.set()
    await leaving.close()
    assert (inside, leaving.failures) == (0, 5)


async def test_the_end_waits_a_moment_and_no_longer(
    logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farewell, "LAST_WAIT", 0.05)
    leaving = Farewells(EVENT)

    async def ending() -> bool:
        await asyncio.sleep(60)
        return True

    leaving._begin(ending)
    async with asyncio.timeout(2):
        await leaving.close()
    assert (leaving.failures, logged) == (1, [f"{EVENT} shutting down 1"])
