"""A worker process that takes every code (or refresh token) it is told of, all at once.

`python -m tests.store.contract.racer ADDRESS RACE NAME…` says `ready`, waits for a line, and
prints the outcomes as JSON in the order of the names.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

from authgate.store.contract import Store
from tests.store.contract.engines import store_at
from tests.store.contract.samples import NOW, audit, redeem, token


async def _redeem(store: Store, name: str) -> str:
    return (await redeem(store, name)).value


async def _rotate(store: Store, name: str) -> str:
    # Both processes derive the same successor, as two workers with one vault do.
    outcome = await store.rotate_refresh_token(
        token(name).token_digest, token(name, 1), NOW + 9, NOW, 60, audit()
    )
    assert outcome.successor_digest == token(name, 1).token_digest
    return outcome.rotation.value


RACERS: dict[str, Callable[[Store, str], Awaitable[str]]] = {"redeem": _redeem, "rotate": _rotate}


async def main(address: str, race: str, names: list[str]) -> None:
    store = store_at(address)
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(await asyncio.gather(*(RACERS[race](store, name) for name in names))))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
