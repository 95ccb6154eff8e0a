"""What SQLite gets from having one writer and PostgreSQL has to be told.

Each test stops a step in its middle, by a lock that the step comes to late, starts another that
must not slip past it, and lets go. Rows are locked by a connection of the test's own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql as text

from authgate.protocol.records import Approval, Redemption, Rotation
from authgate.store import postgres_sql
from authgate.store.contract import Store
from authgate.store.postgres import PostgresStore
from tests.store.contract.engines import PostgresEngine
from tests.store.contract.samples import (
    DAY,
    GRACE,
    NOW,
    account,
    audit,
    begin,
    client,
    issue,
    login,
    person,
    redeem,
    session,
    token,
)

Step = Callable[[Store], Awaitable[object]]
WITHIN = 10.0


class Held:
    """A transaction of the test's own, and who waits for it."""

    def __init__(self, engine: PostgresEngine, db: psycopg.AsyncConnection[Any]) -> None:
        self._engine = engine
        self._db = db

    async def run(self, statement: str) -> None:
        await self._db.execute(
            text.SQL(statement).format(schema=text.Identifier(self._engine.schema))
        )

    async def lock(self, table: str, where: str) -> None:
        await self.run(f"SELECT 1 FROM {{schema}}.{table} WHERE {where} FOR UPDATE")

    async def waited_for(self, by: int) -> None:
        """Return when so many backends of this database wait for a lock."""
        asked = (
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND datname = current_database()"
        )
        async with asyncio.timeout(WITHIN):
            while self._engine.run(asked) != [(by,)]:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.01)

    async def let_go(self) -> None:
        await self._db.commit()

    async def undo(self) -> None:
        await self._db.rollback()


@pytest.fixture
def engine(tmp_path: Path) -> PostgresEngine:
    return PostgresEngine(tmp_path)


@pytest.fixture
async def store(engine: PostgresEngine) -> AsyncIterator[PostgresStore]:
    store = engine.store()
    assert isinstance(store, PostgresStore)
    await store.open()
    await store.register_client(client(), audit())
    await store.add_account(account(), audit())
    yield store
    await store.close()


@pytest.fixture
async def held(engine: PostgresEngine) -> AsyncIterator[Held]:
    db = await psycopg.AsyncConnection.connect(engine.url)
    try:
        yield Held(engine, db)
    finally:
        await db.close()


async def ended(store: Store, name: str = "1") -> str | None:
    found = await store.grant(f"grant-{name}")
    assert found is not None
    return found.revoked_reason


async def both(*tasks: asyncio.Future[Any]) -> list[Any]:
    async with asyncio.timeout(WITHIN):
        return list(await asyncio.gather(*tasks))


SHUT_OUT: dict[str, Step] = {
    "end_grants_of": lambda s: s.end_grants_of("ag_alice", "x", NOW, audit()),
    "set_account_disabled": lambda s: s.set_account_disabled("ag_alice", NOW, NOW, audit()),
    "remove_account": lambda s: s.remove_account("ag_alice", NOW, audit()),
    "remove_client": lambda s: s.remove_client("client-1", NOW, audit()),
}


@pytest.mark.parametrize("how", sorted(SHUT_OUT))
async def test_a_redemption_under_way_leaves_no_live_grant(
    store: PostgresStore, held: Held, how: str
) -> None:
    await issue(store)
    await held.lock("clients", "client_id = 'client-1'")
    redeeming = asyncio.ensure_future(redeem(store))  # has its grant, comes to the client last
    await held.waited_for(by=1)
    shutting = asyncio.ensure_future(SHUT_OUT[how](store))
    await held.waited_for(by=2)
    await held.let_go()
    redeemed, _ = await both(redeeming, shutting)
    assert redeemed is Redemption.REDEEMED
    assert await ended(store) is not None


@pytest.mark.parametrize("how", sorted(SHUT_OUT))
async def test_a_redemption_that_comes_meanwhile_is_too_late(
    store: PostgresStore, held: Held, how: str
) -> None:
    await begin(store, "old")
    await issue(store)
    await held.lock("grants", "grant_id = 'grant-old'")
    shutting = asyncio.ensure_future(SHUT_OUT[how](store))  # the codes have expired by now
    await held.waited_for(by=1)
    redeeming = asyncio.ensure_future(redeem(store))
    await held.waited_for(by=2)
    await held.let_go()
    _, redeemed = await both(shutting, redeeming)
    assert redeemed is Redemption.EXPIRED
    assert await store.grant("grant-1") is None


BARS: dict[str, Step] = {
    "bar": lambda s: s.bar("ag_alice", "x", NOW, audit()),
    **{name: step for name, step in SHUT_OUT.items() if name != "remove_client"},
}


@pytest.mark.parametrize("how", sorted(BARS))
async def test_a_session_that_is_being_opened_does_not_outlive_a_bar(
    store: PostgresStore, held: Held, how: str
) -> None:
    # The same key, not committed yet: whoever inserts it waits to see what becomes of it.
    digest = session().session_digest
    await held.run(
        f"INSERT INTO {{schema}}.sessions VALUES ('{digest}', 'ag_other', 'x', 'x', '', 1, 1, 1)"
    )
    opening = asyncio.ensure_future(store.open_session(session(), audit()))
    await held.waited_for(by=1)
    barring = asyncio.ensure_future(BARS[how](store))
    await held.waited_for(by=2)
    await held.undo()
    opened, _ = await both(opening, barring)
    assert opened is True
    assert await store.session(digest, NOW) is None
    assert await store.bar_of("ag_alice") is not None


@pytest.mark.parametrize("how", sorted(BARS))
async def test_a_session_is_not_opened_beside_a_bar(
    store: PostgresStore, held: Held, how: str
) -> None:
    await store.open_session(session("old"), audit())
    await held.lock("sessions", "sub = 'ag_alice'")
    barring = asyncio.ensure_future(BARS[how](store))
    await held.waited_for(by=1)
    opening = asyncio.ensure_future(store.open_session(session(), audit("signed in")))
    await held.waited_for(by=2)
    await held.let_go()
    _, opened = await both(barring, opening)
    assert opened is False
    assert await store.session(session().session_digest, NOW) is None
    assert "signed in" not in [e.event for e in await store.audit_events()]


def rotate(store: Store, generation: int = 0, now: int = NOW + 2 * DAY) -> Any:
    return asyncio.ensure_future(
        store.rotate_refresh_token(
            *(token("1", generation).token_digest, token("1", generation + 1)),
            *(now + DAY, now, GRACE, audit("rotated")),
        )
    )


async def test_a_grant_that_ends_while_its_token_rotates(store: PostgresStore, held: Held) -> None:
    await begin(store)
    await held.run(
        "UPDATE {schema}.grants SET revoked_at = 1, revoked_reason = 'x' WHERE grant_id = 'grant-1'"
    )
    rotating = rotate(store)
    await held.waited_for(by=1)
    await held.let_go()
    (outcome,) = await both(rotating)
    assert outcome.rotation is Rotation.ENDED
    assert await store.refresh_token(token("1", 1).token_digest) is None
    assert "rotated" not in [e.event for e in await store.audit_events()]


@pytest.mark.parametrize("how", ["end_grant", "end_grants_of", "remove_client"])
async def test_a_token_that_rotates_while_its_grant_ends(
    store: PostgresStore, held: Held, how: str
) -> None:
    """Locks are taken in one order: token, grant, client. Nobody waits for ever, or is undone."""
    steps = {**SHUT_OUT, "end_grant": lambda s: s.end_grant("grant-1", "x", NOW, audit())}
    await begin(store)
    await held.lock("clients", "client_id = 'client-1'")
    rotating = rotate(store)
    await held.waited_for(by=1)
    ending = asyncio.ensure_future(steps[how](store))
    await held.waited_for(by=2)
    await held.let_go()
    outcome, _ = await both(rotating, ending)
    assert outcome.rotation is Rotation.ROTATED
    assert await ended(store) is not None
    assert (await both(rotate(store, 1)))[0].rotation is Rotation.ENDED


async def test_a_replay_while_the_successor_rotates(store: PostgresStore, held: Held) -> None:
    await begin(store)
    assert (await both(rotate(store, 0, NOW)))[0].rotation is Rotation.ROTATED
    await held.lock("clients", "client_id = 'client-1'")
    rotating = rotate(store, 1)
    await held.waited_for(by=1)
    replaying = rotate(store, 0)
    await held.waited_for(by=2)
    await held.let_go()
    outcome, replay = await both(rotating, replaying)
    assert (outcome.rotation, replay.rotation) == (Rotation.ROTATED, Rotation.REPLAYED)
    assert await ended(store) == "refresh_token_replayed"


async def test_a_replay_is_told_once(store: PostgresStore) -> None:
    await begin(store)
    await both(rotate(store, 0, NOW))
    answers = await both(*(rotate(store, 0, NOW + DAY) for _ in range(50)))
    assert Counter(a.rotation for a in answers) == {Rotation.REPLAYED: 1, Rotation.ENDED: 49}
    told = [e.outcome for e in await store.audit_events() if e.event == "rotated"]
    assert sorted(told) == ["ok", "replayed"]


async def test_an_answer_that_is_taken_back_meanwhile_is_there_to_be_given(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = login().request_digest
    await store.open_request(login(state=None))
    assert await store.deny(asked, NOW, audit()) is Approval.APPROVED
    look = store._one

    async def taken_back_first(statement: str, given: Any = ()) -> Any:
        if statement == postgres_sql.WHY_NOT_ANSWERED_BY:
            await store.reopen_login(asked, NOW, audit())
        return await look(statement, given)

    monkeypatch.setattr(store, "_one", taken_back_first)
    assert await store.deny(asked, NOW + 1, audit()) is Approval.APPROVED


async def test_a_deadlock_is_made_good_unheard(
    engine: PostgresEngine, store: PostgresStore, held: Held
) -> None:
    """Another program than ours might lock in another order."""
    for name in ("1", "2"):
        await begin(store, name)
    await held.lock("grants", "grant_id = 'grant-2'")
    ending = asyncio.ensure_future(store.end_grants_of("ag_alice", "x", NOW, audit("out")))
    await held.waited_for(by=1)
    await held.lock("grants", "grant_id = 'grant-1'")  # returns when the store's step was undone
    await held.let_go()
    assert await both(ending) == [2]
    assert [e.event for e in await store.audit_events()].count("out") == 1


async def test_a_storm_of_steps_deadlocks_nowhere(
    engine: PostgresEngine, store: PostgresStore
) -> None:
    """The order of locks, tried out: everything that locks much, over the same people at once."""
    people = [f"ag_{k}" for k in range(4)]
    clients = [f"storm-{k}" for k in range(4)]
    for name in clients:
        await store.register_client(client(name), audit())
    for sub in people:
        await store.add_account(account(sub, f"{sub}@example.com"), audit())
    before = engine.troubles()

    async def life(k: int) -> None:
        whom, which = person(people[k % 4]), clients[k // 4 % 4]
        for i in range(6):
            name = f"{k}-{i}"
            await issue(store, name, person=whom, client_id=which)
            await redeem(store, name, person=whom, client_id=which)
            await store.rotate_refresh_token(
                *(token(name).token_digest, token(name, 1), NOW + DAY, NOW, GRACE, audit())
            )
            await store.open_session(session(name, person=whom), audit())

    async def end(k: int) -> None:
        for i in range(6):
            await store.end_grants_of(people[(k + i) % 4], "x", NOW, audit())
            await store.close_sessions_of(people[(k + i + 1) % 4], audit())
            await store.set_account_disabled(people[(k + i + 2) % 4], NOW, NOW, audit())
            await store.set_account_password(people[(k + i + 3) % 4], "$", NOW, audit())
            if i == 3:
                await store.remove_client(clients[k % 4], NOW, audit())
            await store.sweep(NOW + i * 40 * DAY, access_ttl=60)

    steps = [life(k) for k in range(32)] + [end(k) for k in range(8)]
    async with asyncio.timeout(60):
        await asyncio.gather(*steps)
    await store.close()
    assert engine.troubles() == before
