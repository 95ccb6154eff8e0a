"""Somebody else holds the database's lock: a backup, a shell, another program."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.faults.places import busy, database, one_server


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the write lock, as any program can that may open the file."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=5)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


@pytest.mark.parametrize("workers", [1, 2], ids=["one-worker", "two-workers"])
async def test_a_lock_of_three_seconds_is_waited_for(workers: int) -> None:
    with one_server(workers=workers) as server:
        async with busy(server, clients=8, codes=20) as traffic:
            async with traffic.running():
                await asyncio.sleep(0.5)
                with traffic.cause(), locked(database(server)):
                    await asyncio.sleep(3)
                await asyncio.sleep(0.5)
            verdict = await traffic.verify()
        verdict.assert_kept(heals_within=1)
        assert all(act.well for act in verdict.acts), verdict.counts
        assert max(verdict.slowest(kind) for kind in ("refresh", "exchange", "register")) > 2
        assert verdict.slowest("call") < 1
        server.assert_quiet()


async def test_a_lock_that_stays_is_told_in_time_and_spends_nothing() -> None:
    with one_server() as server:
        async with busy(server, clients=12, codes=20) as traffic:
            async with traffic.running():
                await asyncio.sleep(0.5)
                with traffic.cause(), locked(database(server)):
                    await asyncio.sleep(13)
                await asyncio.sleep(0.5)
            verdict = await traffic.verify()
        verdict.assert_kept(heals_within=1)
        assert any(act.reply.status == 503 for act in verdict.acts)
        # Nobody waits twice: those who came while others waited in vain have waited too.
        assert max(verdict.slowest(kind) for kind in ("refresh", "exchange", "register")) < 7
        assert verdict.slowest("call") < 1
        assert "Traceback" not in server.logs()
