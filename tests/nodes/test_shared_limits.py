"""Three nodes that count in one Redis allow together what is written once; and do without it.

When the store is lost each counts by itself, so that nobody guesses more often than one node's
limit at each node, and nothing but the limits is any different.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.people import Visitor
from tests.faults.wire import Reply
from tests.live import ALICE, BOB, Person
from tests.nodes.fleet import Fleet
from tests.nodes.places import UNBRAKED, busy, lines, ports, until
from tests.valkey import Valkey

REGISTRATIONS, ACCOUNT = 40, 3


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    with Valkey() as running:
        yield running


@pytest.fixture(scope="module")
def fleet(valkey: Valkey) -> Iterator[Fleet]:
    env = UNBRAKED | {
        "AUTHGATE_LIMITS_URL": valkey.url,
        "AUTHGATE_LIMIT_ACCOUNT": f"{ACCOUNT}/minute",
    }
    with Fleet(3, env=env) as running:
        yield running
        running.assert_quiet()
        assert valkey.password not in running.logs()


async def wrong(fleet: Fleet, person: Person, times: int) -> Counter[int]:
    """So many sign-ins with a wrong password, one after the other, each at the next node."""
    visitor = Visitor(fleet, Person(person.email, "never the password"))
    client_id = (await visitor.register()).json()["client_id"]
    found: Counter[int] = Counter()
    for _ in range(times):
        page = await visitor.sign_in_page(client_id)
        await visitor.http.get("/healthz")  # four requests a time, so that three nodes take turns
        found[(await visitor.sign_in(page)).status_code] += 1
    await visitor.close()
    return found


async def right(fleet: Fleet, person: Person) -> int:
    """The status of a sign-in with the right password."""
    visitor = Visitor(fleet, person)
    client_id = (await visitor.register()).json()["client_id"]
    answer = await visitor.sign_in(await visitor.sign_in_page(client_id))
    await visitor.close()
    return answer.status_code


async def test_one_limit_for_all(fleet: Fleet) -> None:
    found = await wrong(fleet, BOB, 3 * ACCOUNT)
    assert found[429] == 2 * ACCOUNT, found
    assert await right(fleet, BOB) == 429
    assert await right(fleet, ALICE) == 303


async def test_lost_in_mid_load(fleet: Fleet, valkey: Valkey) -> None:
    """Nobody's work is hurt, sign-ins go on, and guesses are still counted."""
    async with busy(fleet, ports(fleet.nodes), clients=3, codes=3) as traffic:
        async with traffic.running():
            await asyncio.sleep(0.3)
            await asyncio.to_thread(valkey.stop)
            assert await right(fleet, ALICE) == 303
            found = await wrong(fleet, ALICE, 4 * ACCOUNT)
            await asyncio.to_thread(valkey.start)
        verdict = await traffic.verify()
    verdict.assert_kept(heals_within=0)
    assert {act.reply.status for act in verdict.acts} == {200, 201}
    # Each by itself now: three limits at most, and then no.
    assert 0 < found[429] < 4 * ACCOUNT, found
    assert found[429] >= ACCOUNT
    for node in fleet.nodes:
        await until(lambda n=node: "limits.store_back" in n.logs(), 15, "it is not back")
        assert node.logs().count('"limits.store_lost"') == 1
    # What was counted alone still has its say for as long as a limit lasts.
    assert await right(fleet, ALICE) == 429


def _statuses(replies: list[Reply]) -> Counter[int]:
    return Counter(reply.status for reply in replies)


async def test_one_limit_of_registrations(valkey: Valkey, fleet: Fleet) -> None:
    """Ten at once at each of two nodes: what is let through is what one node would let.

    To a machine that stalls for a quarter of a second the limit store looks lost, and each node
    counts for itself, as it should: then they are asked again, from nothing.
    """
    for _ in range(3):
        with valkey.client() as client:
            client.flushall()  # the tests before this one registered too
        found, is_lost = await _registrations(fleet)
        if not is_lost:
            break
    assert found == {201: REGISTRATIONS, 429: 80 - REGISTRATIONS}


async def _registrations(fleet: Fleet) -> tuple[Counter[int], bool]:
    """How eighty registrations at two new nodes ended, and whether a node lost the limit store."""
    env = {"AUTHGATE_LIMIT_REGISTRATION": f"{REGISTRATIONS}/minute"}
    added = await asyncio.to_thread(fleet.add_nodes, 2, env)
    document = {"redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "none"}
    try:
        with lines(fleet, added * 10) as at:
            rounds = [
                await asyncio.gather(*(one.wire.json("/oauth/register", document) for one in at))
                for _ in range(4)
            ]
        is_lost = any("limits.store_lost" in node.logs() for node in added)
        return _statuses([reply for replies in rounds for reply in replies]), is_lost
    finally:
        for node in added:
            await asyncio.to_thread(fleet.drop, node)
