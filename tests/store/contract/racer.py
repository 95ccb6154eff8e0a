"""A worker process that takes every code (or refresh token) it is told of, all at once.

`python -m tests.store.contract.racer ADDRESS RACE NAME…` says `ready`, waits for a line, and
prints the outcomes as JSON in the order of the names.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable

from authgate.protocol.records import Approval
from authgate.store.contract import Store
from tests.store.contract.engines import store_at
from tests.store.contract.samples import (
    NOW,
    audit,
    code,
    consent,
    digest,
    link,
    redeem,
    request,
    token,
    transaction,
)


async def _redeem(store: Store, name: str) -> str:
    return (await redeem(store, name)).value


async def _rotate(store: Store, name: str) -> str:
    # Both processes derive the same successor, as two workers with one vault do.
    outcome = await store.rotate_refresh_token(
        token(name).token_digest, token(name, 1), NOW + 9, NOW, 60, audit()
    )
    assert outcome.successor_digest == token(name, 1).token_digest
    return outcome.rotation.value


async def _approve(store: Store, name: str) -> str:
    mine = code(f"{name}-{os.getpid()}")
    asked = request(f"asked-{name}").request_digest
    answer = await store.approve(asked, mine, consent(), NOW, audit())
    assert (await store.code(mine.code_digest) == mine) == (answer is Approval.APPROVED)
    return "won" if answer is Approval.APPROVED else "lost"


async def _disconnect(store: Store, name: str) -> str:
    won = await store.end_grant(f"grant-{name}", str(os.getpid()), NOW, audit())
    return "won" if won else "lost"


async def _return(store: Store, name: str) -> str:
    away = transaction(name)
    won = await store.take_transaction(away.transaction_digest, away.browser_digest, NOW)
    return "won" if won else "lost"


async def _hand_over(store: Store, name: str) -> str:
    found = await store.take_hand_over(
        digest(f"oauth-code-{name}"), request().request_digest, "github", NOW + 2
    )
    return "lost" if found is None else "won"


async def _link(store: Store, name: str) -> str:
    # Each process would rather have another person.
    wanted = link(name, sub=f"ag_{os.getpid()}")
    return "won" if await store.link(wanted, audit()) == wanted else "lost"


async def _bar(store: Store, name: str) -> str:
    return "won" if await store.bar(name, str(os.getpid()), NOW, audit()) else "lost"


async def _first_sight(store: Store, name: str) -> str:
    return "won" if await store.first_sight(name, NOW) else "lost"


async def _hold(store: Store, name: str) -> str:
    kept = await store.kept_session(name)
    assert kept is not None
    won = await store.hold_kept_session(name, kept.version, NOW, NOW + 30)
    return "won" if won else "lost"


RACERS: dict[str, Callable[[Store, str], Awaitable[str]]] = {
    "redeem": _redeem,
    "rotate": _rotate,
    "approve": _approve,
    "disconnect": _disconnect,
    "return": _return,
    "hand_over": _hand_over,
    "link": _link,
    "bar": _bar,
    "first_sight": _first_sight,
    "hold": _hold,
}


async def main(address: str, race: str, names: list[str]) -> None:
    store = store_at(address)
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(await asyncio.gather(*(RACERS[race](store, name) for name in names))))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
