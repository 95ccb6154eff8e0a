"""A node that is killed loses no accepted work, and nginx's clients go on at the others.

The clients record every answer they got; afterwards each is asked for again (`faults.traffic`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from authgate.security.digests import digest
from authgate.store import postgres_sql as sql
from tests.faults.traffic import Verdict
from tests.faults.wire import Reply
from tests.nodes.between import Between
from tests.nodes.fleet import Fleet, Node
from tests.nodes.places import UNBRAKED, Line, Tokens, busy, lines, minting, ports, until


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """Two nodes of one process, and one of two workers that a kill takes with their parent."""
    with Fleet(2, env=UNBRAKED) as running:
        running.add_node(workers=2)
        running.serve_only_by(running.nodes)
        yield running


def by_nginx(verdict: Verdict) -> Verdict:
    """nginx says 502 for a lost connection, as the wire says "cut": the answer is lost."""
    verdict.unclear = [what for what in verdict.unclear if "502 Bad Gateway" not in what]
    return verdict


async def test_killed_in_mid_load(fleet: Fleet) -> None:
    """Behind nginx: whatever was answered is true, and the clients go on, at last at one node."""
    async with busy(fleet, clients=5, codes=8) as traffic:
        async with traffic.running():
            await asyncio.sleep(0.7)
            for node in fleet.nodes[1:]:
                with traffic.cause():
                    node.kill9()
                    began, answered = time.monotonic(), traffic.answered
                    while traffic.answered < answered + 30:
                        assert time.monotonic() - began < 10, "clients do not go on"
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.3)
        await asyncio.gather(*(asyncio.to_thread(node.restart) for node in fleet.nodes[1:]))
        verdict = by_nginx(await traffic.verify())
    verdict.assert_kept(heals_within=2)
    assert traffic.answered > 200
    fleet.assert_quiet()


async def test_killed_again_and_again_past_nginx(fleet: Fleet) -> None:
    """The bare connections of clients to each node: what nginx would hide is seen."""
    victim = fleet.nodes[0]
    async with busy(fleet, ports(fleet.nodes), clients=6, codes=10) as traffic:
        async with traffic.running():
            for pause in (0.3, 0.2):
                await asyncio.sleep(pause)
                with traffic.cause():
                    victim.kill9()
                    await asyncio.to_thread(victim.restart)
            await asyncio.sleep(0.5)
        verdict = await traffic.verify()
    verdict.assert_kept(heals_within=2)
    lost = {act.reply.lost for act in verdict.acts} - {""}
    assert lost <= {"cut", "refused"}
    assert lost
    assert {act.port for act in verdict.acts if act.reply.lost} == {victim.port}
    fleet.assert_quiet()


async def test_killed_between_commit_and_answer(fleet: Fleet) -> None:
    """The worst moment: it is done, and nobody was told.

    What decides is sent, PostgreSQL does it, and its word does not come back: then the node dies.
    A refresh token gives at another node what it would have given. A code is spent: it buys nothing
    again, and what it bought dies with it, since nobody holds it.
    """
    async with minting(fleet) as mint, Between(fleet.database) as between:
        env = {"AUTHGATE_DATABASE_URL": between.url}
        victim = await asyncio.to_thread(fleet.add_node, env=env)
        with lines(fleet, fleet.nodes[:3]) as others, lines(fleet, [victim]) as (line,):
            tokens = [await line.tokens(mint) for _ in range(2)]
            client_id = await line.register()
            codes = await mint.codes(client_id, 2)
            # Connections enough for all of them: a new one could not be made any more.
            for _ in range(3):
                crowd = [Line(fleet, victim.port) for _ in range(16)]
                await asyncio.gather(*(one.register() for one in crowd))
                for one in crowd:
                    one.drop()
            forms = [
                {
                    "grant_type": "authorization_code",
                    "client_id": client_id,
                    "code": code,
                    "code_verifier": verifier,
                }
                for code, verifier in codes
            ]
            asked = [*(refreshing(one) for one in tokens), *forms]
            deciding = (sql.ROTATE_TOLD, sql.REDEEM_CODE_FOR_REFRESH_TOLD)
            store: Any = mint.store
            names = [store._statements[text].name for text in deciding]
            with between.deaf(*names):
                replies = asyncio.create_task(at_side(fleet, victim, asked))
                await until(lambda: done(fleet, tokens, client_id), 5, "PostgreSQL did nothing")
                victim.kill9()
                assert {reply.lost for reply in await replies} == {"cut"}

            for held in tokens:
                again = [await other.refresh(held) for other in others]
                assert [reply.status for reply in again] == [200] * 3
                assert len({reply.json()["refresh_token"] for reply in again}) == 1
                assert (await others[0].call(again[0].json()["access_token"])).status == 200
            for form in forms:
                again = [await other.token(**form) for other in others]
                assert {reply.json()["error"] for reply in again} == {"invalid_grant"}
        fleet.nodes.remove(victim)
    fleet.assert_quiet()


def refreshing(tokens: Tokens) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "client_id": tokens.client_id,
        "refresh_token": tokens.refresh,
    }


async def at_side(fleet: Fleet, node: Node, forms: list[dict[str, str]]) -> list[Reply]:
    """All at once, each on a connection of its own."""
    made = [Line(fleet, node.port) for _ in forms]
    try:
        asked = (line.token(**form) for line, form in zip(made, forms, strict=True))
        return list(await asyncio.gather(*asked))
    finally:
        for line in made:
            line.drop()


def done(fleet: Fleet, tokens: list[Tokens], client_id: str) -> bool:
    """Has PostgreSQL committed all of it?"""
    assert fleet.cluster is not None
    used = ",".join(f"'{digest(one.refresh)}'" for one in tokens)
    rotated = "SELECT 1 FROM authgate.refresh_tokens WHERE superseded_at > 0 AND token_digest IN "
    bought = "SELECT 1 FROM authgate.grants WHERE client_id = "
    found = fleet.cluster.run(f"{rotated} ({used})"), fleet.cluster.run(f"{bought} '{client_id}'")
    return [len(rows) for rows in found] == [2, 2]
