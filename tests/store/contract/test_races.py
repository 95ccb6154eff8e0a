"""Whatever is decided once is decided once, also when fifty ask at the same time."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from authgate.protocol.records import Approval, Redemption, Rotation
from authgate.store.contract import Store
from tests.store.contract.engines import Engine
from tests.store.contract.racer import RACERS
from tests.store.contract.samples import (
    ALICE,
    LIMIT,
    NOW,
    account,
    audit,
    begin,
    code,
    digest,
    issue,
    redeem,
    request,
    signing_key,
    token,
    transaction,
)

CROWD = 50
ROUNDS = 5
ROOT = Path(__file__).parents[3]


async def test_one_answer_to_a_request(store: Store) -> None:
    for i in range(ROUNDS):
        asked = request(f"r{i}")
        await store.open_request(asked)
        answers = await asyncio.gather(
            *(
                store.approve(asked.request_digest, code(f"{i}-{k}"), None, NOW, audit())
                if k % 2
                else store.deny(asked.request_digest, NOW, audit())
                for k in range(CROWD)
            )
        )
        assert Counter(answers) == {Approval.APPROVED: 1, Approval.ALREADY_ANSWERED: CROWD - 1}
        kept = [await store.code(code(f"{i}-{k}").code_digest) for k in range(CROWD)]
        assert len([c for c in kept if c]) == (answers.index(Approval.APPROVED) % 2)


async def test_one_redemption_of_a_code(store: Store) -> None:
    for i in range(ROUNDS):
        await issue(store, str(i))
        answers = await asyncio.gather(
            *(redeem(store, str(i), refresh=token(str(i), k)) for k in range(CROWD))
        )
        assert Counter(answers) == {Redemption.REDEEMED: 1, Redemption.REPLAYED: CROWD - 1}
        found = [await store.refresh_token(token(str(i), k).token_digest) for k in range(CROWD)]
        assert len([t for t in found if t]) == 1


async def test_one_successor_of_a_refresh_token(store: Store) -> None:
    for i in range(ROUNDS):
        await begin(store, str(i))
        answers = await asyncio.gather(
            *(
                store.rotate_refresh_token(
                    token(str(i)).token_digest, token(str(i), 1 + k), NOW + 9, NOW, 60, audit()
                )
                for k in range(CROWD)
            )
        )
        count = Counter(a.rotation for a in answers)
        assert count == {Rotation.ROTATED: 1, Rotation.REPEATED: CROWD - 1}
        assert len({a.successor_digest for a in answers}) == 1
        tokens = [
            await store.refresh_token(token(str(i), 1 + k).token_digest) for k in range(CROWD)
        ]
        assert len([t for t in tokens if t]) == 1


async def test_wrong_verifiers_and_a_right_one(store: Store) -> None:
    """However they mix, never more failures than the limit, and never a grant after it."""
    for i in range(ROUNDS):
        await issue(store, str(i))
        steps = [store.count_code_failure(code(str(i)).code_digest, LIMIT) for _ in range(20)]
        answers = await asyncio.gather(*steps[:10], redeem(store, str(i)), *steps[10:])
        assert answers[10] is Redemption.SPENT
        assert max(a for a in answers if isinstance(a, int)) == LIMIT
        assert await store.grant(f"grant-{i}") is None


async def test_one_ending_of_a_grant(store: Store) -> None:
    await begin(store)
    ended = await asyncio.gather(
        *(store.end_grant("grant-1", str(k), NOW, audit("ended")) for k in range(CROWD))
    )
    assert ended.count(True) == 1
    assert [e.event for e in await store.audit_events()].count("ended") == 1


async def test_one_successor_of_a_signing_key(store: Store) -> None:
    for i in range(ROUNDS):
        await store.add_signing_key(signing_key(f"old-{i}", created_at=NOW + 2 * i), NOW, audit())
        made = [signing_key(f"{i}-{k}", created_at=NOW + 2 * i + 1) for k in range(CROWD)]
        won = await asyncio.gather(
            *(store.supersede_signing_key(f"old-{i}", key, NOW + 9, audit()) for key in made)
        )
        assert won.count(True) == 1
        kept = [key for key in await store.signing_keys() if key in made]
        assert kept == [made[won.index(True)]]


async def test_a_signing_key_is_revoked_once(store: Store) -> None:
    await store.add_first_signing_key(signing_key())
    made = [signing_key(f"new-{k}", created_at=NOW + 1) for k in range(CROWD)]
    ended = await asyncio.gather(
        *(store.revoke_signing_key("key-1", NOW, key, NOW + 9, audit("revoked")) for key in made)
    )
    assert ended.count(True) == 1
    assert [key.kid for key in await store.signing_keys()] == ["key-1", f"new-{ended.index(True)}"]
    assert [e.event for e in await store.audit_events()].count("revoked") == 1


async def test_one_account_an_address(store: Store) -> None:
    added = await asyncio.gather(
        *(store.add_account(account(f"ag_{k}"), audit()) for k in range(CROWD))
    )
    assert added.count(True) == 1
    assert len(await store.accounts()) == 1


async def _away(store: Store, name: str) -> None:
    await store.open_transaction(transaction(name))


async def _handed_over(store: Store, name: str) -> None:
    await _away(store, name)
    away = transaction(name)
    this, browser = away.transaction_digest, away.browser_digest
    assert await store.take_transaction(this, browser, NOW)
    assert await store.vouch_transaction(this, ALICE)
    code_digest = digest(f"oauth-code-{name}")
    assert await store.issue_hand_over(this, browser, code_digest, NOW + 300, NOW, audit())


async def _nothing(store: Store, name: str) -> None:
    """Nothing of that name is known."""


async def _kept(store: Store, name: str) -> None:
    assert await store.keep_session(name, "sealed", NOW) is None


PREPARE: dict[str, Callable[[Store, str], Awaitable[object]]] = {
    "redeem": issue,
    "rotate": begin,
    "return": _away,
    "hand_over": _handed_over,
    "link": _nothing,
    "bar": _nothing,
    "first_sight": _nothing,
    "hold": _kept,
}


@pytest.mark.parametrize("race", sorted(RACERS))
async def test_two_processes(engine: Engine, store: Store, race: str) -> None:
    """Two workers take the same fifty at once: each is won exactly once, by either of them."""
    names = [str(i) for i in range(CROWD)]
    await store.open_request(request(kind="tool"))
    for name in names:
        await PREPARE[race](store, name)
    workers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.store.contract.racer", engine.address, race, *names),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
    outs = await asyncio.gather(*(w.communicate(b"go\n") for w in workers))
    answers = [json.loads(out) for out, _ in outs]
    won, lost = {"redeem": ("redeemed", "replayed"), "rotate": ("rotated", "repeated")}.get(
        race, ("won", "lost")
    )
    for name, both in zip(names, zip(*answers, strict=True), strict=True):
        assert sorted(both) == sorted((won, lost)), name
    assert {won, lost} == set(answers[0]) | set(answers[1])
