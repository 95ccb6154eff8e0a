"""The background jobs go on, whatever one turn of them meets."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from authgate.app import jobs
from authgate.store.contract import StoreUnavailable, Swept
from tests.security.making import NOW, loaded_ring, opened_store

TROUBLES = [StoreUnavailable("locked"), RuntimeError("a bug")]


async def turns(job: Any, wanted: asyncio.Event) -> None:
    """Run `job` until it came back to its work after the trouble."""
    running = asyncio.create_task(job)
    try:
        await asyncio.wait_for(wanted.wait(), 5)
        assert not running.done()
    finally:
        running.cancel()


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_sweep_outlives_a_trouble(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SWEEP_EVERY", 0.001)
    again, met = asyncio.Event(), []

    async def sweep(now: int, *, access_ttl: int, audit_days: int) -> Swept:
        if not met:
            met.append(trouble)
            raise trouble
        again.set()
        return Swept()

    async def forget(now: int) -> int:
        return 0

    store = SimpleNamespace(sweep=sweep, forget_signing_keys=forget)
    core: Any = SimpleNamespace(
        store=store,
        policy=SimpleNamespace(access_token_ttl=1),
        settings=SimpleNamespace(audit_days=1),
    )
    await turns(jobs.sweeping(core), again)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_the_watch_for_keys_outlives_a_trouble(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEYS_EVERY", 0.001)
    again, met = asyncio.Event(), []

    async def refresh(now: int) -> bool:
        if not met:
            met.append(trouble)
            raise trouble
        again.set()
        return False

    async def rotate(now: int, days: int) -> None:
        assert met, "nothing is made where the keys could not be read"
        assert days == 30

    keys = SimpleNamespace(refresh=refresh, rotate_when_due=rotate)
    core: Any = SimpleNamespace(keys=keys, settings=SimpleNamespace(key_rotation_days=30))
    await turns(jobs.reading_keys(core), again)


async def test_the_watch_makes_a_key_that_is_due_and_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEYS_EVERY", 0.001)
    monkeypatch.setattr(jobs, "now", lambda: NOW + 30 * 86_400)
    async with opened_store(tmp_path) as store:
        rings = [await loaded_ring(store), await loaded_ring(store)]
        assert [ring.version for ring in rings] == [1, 1]
        settings = SimpleNamespace(key_rotation_days=30)
        cores: list[Any] = [SimpleNamespace(keys=ring, settings=settings) for ring in rings]
        running = [asyncio.create_task(jobs.reading_keys(core)) for core in cores]
        try:
            for _ in range(2000):
                if [ring.version for ring in rings] == [2, 2]:
                    break
                await asyncio.sleep(0.005)
        finally:
            for job in running:
                job.cancel()
        assert len(await store.signing_keys()) == 2
        assert rings[0].jwks() == rings[1].jwks()


# --- the clock ------------------------------------------------------------------------------------


async def looked(shared: Any) -> tuple[str, list[str]]:
    """What `/readyz` and the log say after one look."""

    async def clock() -> float | None:
        return shared() if callable(shared) else shared

    core: Any = SimpleNamespace(store=SimpleNamespace(clock=clock))
    watched = jobs.Clock(core)
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(watched.watch())
        await asyncio.sleep(0.05)
        running.cancel()
    return watched.said, [f"{line['log_level']} {line['event']}" for line in lines]


@pytest.mark.parametrize(
    ("ahead", "said", "told"),
    [
        (0, "ok", []),
        (10, "off by 10 s", ["warning clock.off"]),
        (-300, "off by 300 s", ["error clock.off"]),
        (300, "off by 300 s", ["error clock.off"]),
    ],
)
async def test_a_clock_that_is_off_is_told(ahead: int, said: str, told: list[str]) -> None:
    assert await looked(lambda: time.time() - ahead) == (said, told)


async def test_where_there_is_one_clock_there_is_nothing_to_tell() -> None:
    assert await looked(None) == ("ok", [])


async def test_a_store_that_is_away_says_nothing_of_the_clock() -> None:
    def away() -> float:
        raise StoreUnavailable("restarting")

    assert await looked(away) == ("unknown", [])


async def test_a_clock_that_was_set_is_looked_at_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "STEP_EVERY", 0.01)
    looked_at, ahead, real = [], [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])

    async def shared() -> float:
        looked_at.append(ahead[0])
        return real()

    core: Any = SimpleNamespace(store=SimpleNamespace(clock=shared))
    watched = jobs.Clock(core)
    running = asyncio.create_task(watched.watch())
    try:
        for leap, said in ((0.0, "ok"), (300.0, "off by 300 s"), (-300.0, "off by 300 s")):
            ahead[0] = leap
            await asyncio.sleep(0.1)
            assert watched.said == said
    finally:
        running.cancel()
    assert looked_at == [0.0, 300.0, -300.0]  # and not again while nothing happened
