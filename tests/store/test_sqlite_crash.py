"""kill -9 in the middle of the work: whatever was answered is there, and nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from authgate.protocol.records import Redemption, Rotation
from authgate.store.sqlite import SqliteStore
from tests.store.conftest import StartChild, heard
from tests.store.contract.samples import NOW, audit, redeem, token


@pytest.mark.parametrize("answers", [1, 700, 2_500])
def test_killed(path: Path, child: StartChild, answers: int) -> None:
    hammer = child("hammer")
    lines = [heard(hammer) for _ in range(answers)]
    hammer.kill()
    assert hammer.stdout is not None
    lines += hammer.stdout.read().split("\n")[:-1]  # all that was said before it died
    assert len(lines) >= answers

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        # Every redeemed code began exactly its grant, with exactly its first refresh token.
        begun = db.execute(
            "SELECT c.redeemed_at IS NOT NULL, count(DISTINCT g.grant_id),"
            " count(t.token_digest) - count(t.superseded_at)"
            " FROM codes c LEFT JOIN grants g USING (grant_id)"
            " LEFT JOIN refresh_tokens t USING (grant_id) GROUP BY c.code_digest"
        ).fetchall()
        assert set(begun) <= {(0, 0, 0), (1, 1, 1)}
    asyncio.run(_all_there(path, {(s, n) for s, n in (line.split() for line in lines)}))


async def _all_there(path: Path, answered: set[tuple[str, str]]) -> None:
    store = SqliteStore(path)
    await store.open()
    for step, name in sorted(answered):
        if step == "rotated":
            found = await store.refresh_token(token(name, 1).token_digest)
            assert found is not None, name
            got = await store.rotate_refresh_token(
                token(name, 1).token_digest, token(name, 2), NOW + 9_999, NOW, 60, audit()
            )
            assert got.rotation is Rotation.ROTATED
    for step, name in sorted(answered):
        if step == "redeemed":
            assert await redeem(store, name) is Redemption.REPLAYED
        elif ("redeemed", name) not in answered:
            assert await redeem(store, name) in {Redemption.REDEEMED, Redemption.REPLAYED}
    await store.close()
