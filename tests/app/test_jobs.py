"""The background jobs go on, whatever one turn of them meets."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from authgate.app import jobs
from authgate.store.contract import StoreUnavailable, Swept

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

    async def sweep(now: int, *, access_ttl: int) -> Swept:
        if not met:
            met.append(trouble)
            raise trouble
        again.set()
        return Swept()

    async def forget(now: int) -> int:
        return 0

    store = SimpleNamespace(sweep=sweep, forget_signing_keys=forget)
    core: Any = SimpleNamespace(store=store, policy=SimpleNamespace(access_token_ttl=1))
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

    core: Any = SimpleNamespace(keys=SimpleNamespace(refresh=refresh))
    await turns(jobs.reading_keys(core), again)
