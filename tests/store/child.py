"""Other processes on the same SQLite file: `python -m tests.store.child PATH COMMAND`.

`hold`: take the write lock, say `held`, keep it until a line comes in.
`open`: say `ready`, wait for a line, open the store, write once, close it.
`hammer`: begin grants and refresh them as fast as it goes, naming on stdout each step that was
answered; it ends by being killed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from authgate.store.sqlite import SqliteStore
from tests.store.contract.samples import NOW, audit, issue, redeem, token


def hold(path: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    db.close()


async def open_and_write(path: str) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    store = SqliteStore(path)
    await store.open()
    await store.record(audit())
    await store.close()


async def hammer(path: str) -> None:
    store = SqliteStore(path)
    await store.open()

    def answered(step: str, name: str) -> None:
        sys.stdout.write(f"{step} {name}\n")
        sys.stdout.flush()

    async def one(worker: int) -> None:
        for i in range(1_000_000):
            name = f"{worker}-{i}"
            await issue(store, name)
            answered("issued", name)
            await redeem(store, name)
            answered("redeemed", name)
            await store.rotate_refresh_token(
                token(name).token_digest, token(name, 1), NOW + 9_999, NOW, 60, audit()
            )
            answered("rotated", name)

    await asyncio.gather(*(one(worker) for worker in range(40)))


if __name__ == "__main__":
    _, where, command = sys.argv
    if command == "hold":
        hold(where)
    else:
        asyncio.run(hammer(where) if command == "hammer" else open_and_write(where))
