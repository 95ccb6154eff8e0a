"""Somebody who reads and does not stop keeps SQLite from folding its log in: the log grows, nothing
else suffers, and the space comes back when they go."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from authgate.store.sqlite import SqliteStore
from tests.store.contract.samples import audit, client

MEBIBYTE = 1 << 20


async def test_the_log_shrinks_when_the_last_reader_goes(tmp_path: Path) -> None:
    path = tmp_path / "authgate.db"
    log = path.with_name("authgate.db-wal")
    store = SqliteStore(path)
    await store.open()
    await store.register_client(client("c"), audit())
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM clients").fetchone() == (1,)
        for n in range(60):
            began = time.monotonic()
            await store.register_client(client(f"c{n}", name="n" * 500_000), audit())
            assert time.monotonic() - began < 2
        assert log.stat().st_size > 25 * MEBIBYTE
        assert reader.execute("SELECT count(*) FROM clients").fetchone() == (1,)
        reader.execute("COMMIT")
    for n in range(3):
        await store.register_client(client(f"after-{n}", name="n"), audit())
    assert log.stat().st_size <= 16 * MEBIBYTE
    assert len(await store.clients()) == 64
    await store.close()
