"""Whatever is decided once is decided once, also when fifty ask at the same time."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
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
    client,
    code,
    consent,
    digest,
    issue,
    person,
    redeem,
    request,
    signing_key,
    token,
    transaction,
)

CROWD = 50
ROUNDS = 200
FEW = 5
# So many rounds run at once: they meet each other as well, and 10,000 steps stay quick.
AT_ONCE = 10
ROOT = Path(__file__).parents[3]


async def rounds(run: Callable[[int], Awaitable[None]], number: int = ROUNDS) -> None:
    for start in range(0, number, AT_ONCE):
        await asyncio.gather(*(run(i) for i in range(start, min(start + AT_ONCE, number))))


@pytest.fixture
async def raced(engine: Engine, store: Store) -> AsyncIterator[Store]:
    """A store whose database has to undo nothing and to break no deadlock meanwhile."""
    before = engine.troubles()
    yield store
    await store.close()  # the counts are told by who leaves
    assert engine.troubles() == before


async def test_one_answer_to_a_request(engine: Engine, raced: Store) -> None:
    approved: set[str] = set()

    async def run(i: int) -> None:
        asked = request(f"r{i}")
        await raced.open_request(asked)
        codes = [code(f"{i}-{k}") for k in range(CROWD)]
        answers = await asyncio.gather(
            *(
                raced.approve(asked.request_digest, codes[k], consent(), NOW, audit())
                if k % 2
                else raced.deny(asked.request_digest, NOW, audit())
                for k in range(CROWD)
            )
        )
        assert Counter(answers) == {Approval.APPROVED: 1, Approval.ALREADY_ANSWERED: CROWD - 1}
        winner = answers.index(Approval.APPROVED)
        if winner % 2:
            approved.add(codes[winner].code_digest)

    await rounds(run)
    kept = engine.rows()
    assert {row[0] for row in kept["codes"]} == approved
    assert len(kept["audit_events"]) == ROUNDS


async def test_one_redemption_of_a_code(engine: Engine, raced: Store) -> None:
    async def run(i: int) -> None:
        await issue(raced, str(i))
        answers = await asyncio.gather(
            *(redeem(raced, str(i), refresh=token(str(i), k)) for k in range(CROWD))
        )
        assert Counter(answers) == {Redemption.REDEEMED: 1, Redemption.REPLAYED: CROWD - 1}
        won = token(str(i), answers.index(Redemption.REDEEMED))
        assert await raced.refresh_token(won.token_digest) is not None

    await rounds(run)
    kept = engine.rows()
    assert len(kept["grants"]) == len(kept["refresh_tokens"]) == ROUNDS


async def test_one_successor_of_a_refresh_token(engine: Engine, raced: Store) -> None:
    async def run(i: int) -> None:
        await begin(raced, str(i))
        answers = await asyncio.gather(
            *(
                raced.rotate_refresh_token(
                    token(str(i)).token_digest, token(str(i), 1 + k), NOW + 9, NOW, 60, audit()
                )
                for k in range(CROWD)
            )
        )
        count = Counter(a.rotation for a in answers)
        assert count == {Rotation.ROTATED: 1, Rotation.REPEATED: CROWD - 1}
        (successor,) = {a.successor_digest for a in answers}
        assert successor is not None
        assert await raced.refresh_token(successor) is not None

    await rounds(run)
    assert len(engine.rows()["refresh_tokens"]) == 2 * ROUNDS


async def test_every_registration_is_kept(engine: Engine, raced: Store) -> None:
    """Nothing is decided here: identifiers are random, and nobody is in another's way."""

    async def run(i: int) -> None:
        made = [client(f"c{i}-{k}") for k in range(CROWD)]
        await asyncio.gather(*(raced.register_client(one, audit()) for one in made))

    await rounds(run)
    kept = engine.rows()
    assert len(kept["clients"]) == len(kept["audit_events"]) == ROUNDS * CROWD


async def test_one_first_signing_key(engine: Engine, raced: Store) -> None:
    for i in range(ROUNDS):
        made = [signing_key(f"{i}-{k}", retires_at=NOW + 1) for k in range(CROWD)]
        await asyncio.gather(*(raced.add_first_signing_key(key) for key in made))
        assert await raced.forget_signing_keys(NOW + 1) == 1


async def test_one_ending_of_a_grant(engine: Engine, raced: Store) -> None:
    async def run(i: int) -> None:
        await begin(raced, str(i))
        ended = await asyncio.gather(
            *(raced.end_grant(f"grant-{i}", str(k), NOW, audit("ended")) for k in range(CROWD))
        )
        assert ended.count(True) == 1
        found = await raced.grant(f"grant-{i}")
        assert found is not None
        assert found.revoked_reason == str(ended.index(True))

    await rounds(run)
    told = [row for row in engine.rows()["audit_events"] if "ended" in row]
    assert len(told) == ROUNDS


async def test_every_grant_of_a_person_is_ended_by_one(engine: Engine, raced: Store) -> None:
    async def run(i: int) -> None:
        whom = person(f"ag_{i}")
        for k in range(2):
            await begin(raced, f"{i}-{k}", person=whom)
        ended = await asyncio.gather(
            *(raced.end_grants_of(whom.sub, str(k), NOW, audit()) for k in range(CROWD))
        )
        assert sum(ended) == 2

    await rounds(run)
    assert all("grant" in row[0] and row[13] == NOW for row in engine.rows()["grants"])


async def test_wrong_verifiers_and_a_right_one(store: Store) -> None:
    """However they mix, never more failures than the limit, and no grant but of a code with tries
    left."""
    for i in range(FEW):
        await issue(store, str(i))
        steps = [store.count_code_failure(code(str(i)).code_digest, LIMIT) for _ in range(20)]
        answers = await asyncio.gather(*steps[:10], redeem(store, str(i)), *steps[10:])
        redemption = answers.pop(10)
        assert sorted(answers) == [*range(1, LIMIT), *[LIMIT] * (20 - LIMIT + 1)]
        assert redemption in {Redemption.SPENT, Redemption.REDEEMED}
        begun = await store.grant(f"grant-{i}")
        assert (begun is not None) == (redemption is Redemption.REDEEMED)


async def test_one_successor_of_a_signing_key(store: Store) -> None:
    for i in range(FEW):
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


async def _asked(store: Store, name: str) -> None:
    await store.open_request(request(f"asked-{name}"))


PREPARE: dict[str, Callable[[Store, str], Awaitable[object]]] = {
    "approve": _asked,
    "disconnect": begin,
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
async def test_two_processes_win_each_race_once(engine: Engine, store: Store, race: str) -> None:
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
