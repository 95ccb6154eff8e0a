"""A disk that takes its time: whoever writes waits, whoever reads does not; and a server that is
killed after the bytes were down and before anybody heard of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.volley import Shot, volley
from tests.faults.places import minting, one_server
from tests.faults.traffic import CALLBACK, Mint, Traffic
from tests.faults.wire import Wire
from tests.live import LiveServer

WITHIN = Path(__file__).with_name("within")
AT_ONCE = 40
ROUNDS = 5


@pytest.fixture
def pace(tmp_path: Path) -> Path:
    """What the commits take: seconds before and after."""
    file = tmp_path / "pace"
    file.write_text("0 0")
    return file


@pytest.fixture
def server(pace: Path) -> Iterator[LiveServer]:
    env = {"PYTHONPATH": str(WITHIN), "TEST_SLOW_COMMIT": str(pace)}
    with one_server(env=env) as running:
        yield running


async def test_readers_do_not_wait_for_writers(server: LiveServer, pace: Path) -> None:
    async with minting(server) as mint:
        traffic = await Traffic.prepared(mint, [server.port], clients=12, codes=12)
        async with traffic.running(refreshes=2):
            await asyncio.sleep(0.5)
            with traffic.cause():
                pace.write_text("0.7 0")
                documents = await _documents(server, seconds=3)
                pace.write_text("0 0")
            await asyncio.sleep(0.7)
        verdict = await traffic.verify()
    verdict.assert_kept(heals_within=1)
    # Slow is not broken: all of it succeeded, many in one commit.
    assert all(act.well for act in verdict.acts), verdict.counts
    writes = sum((verdict.during(kind) for kind in ("register", "exchange", "refresh")), Counter())
    assert sum(writes.values()) > 8, writes
    assert 0.7 < verdict.slowest("refresh") < 5
    assert verdict.slowest("call") < 0.5
    assert max(documents) < 0.5
    assert len(documents) > 100


async def _documents(server: LiveServer, seconds: float) -> list[float]:
    """How long each of many readings took."""
    wire, took = Wire(server.port), []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        reply = await wire.get("/.well-known/oauth-authorization-server")
        assert reply.status == 200
        took.append(reply.took)
        await asyncio.sleep(0.01)
    wire.drop()
    return took


@pytest.mark.timeout(180)
async def test_killed_between_the_commit_and_the_answer(server: LiveServer, pace: Path) -> None:
    """The worst moment: it is done, and nobody was told. Two hundred answers are lost there."""
    committed = 0
    async with minting(server) as mint:
        client_id = await _registered(server)
        for _ in range(ROUNDS):
            exchanges = await _exchanges(mint, client_id, AT_ONCE)
            began = await volley(server.port, await _exchanges(mint, client_id, AT_ONCE))
            refreshes = [_refresh(shot) for shot in began]
            pace.write_text("0 5")
            asked = asyncio.create_task(volley(server.port, [*exchanges, *refreshes]))
            await asyncio.sleep(0.4)
            server.kill9()
            lost = await asked
            assert not any(shot.answered for shot in lost)
            pace.write_text("0 0")
            await asyncio.to_thread(server.restart)

            again = await volley(server.port, refreshes)
            assert {shot.status for shot in again} == {200}
            twice = await volley(server.port, refreshes)
            assert [_token(shot) for shot in again] == [_token(shot) for shot in twice]
            # A code that was spent says so; one that was not buys. Never anything else.
            bought = await volley(server.port, exchanges)
            assert {shot.status for shot in bought} <= {200, 400}
            spent = [shot for shot in bought if shot.status == 400]
            assert all(shot.body and shot.body["error"] == "invalid_grant" for shot in spent)
            committed += len(spent)
            replayed = await volley(server.port, exchanges)
            assert {shot.status for shot in replayed} == {400}
    assert committed > 0, "the kill was never between the commit and the answer"
    server.assert_quiet()


async def _registered(server: LiveServer) -> str:
    wire = Wire(server.port)
    document = {
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    }
    reply = await wire.json("/oauth/register", document)
    wire.drop()
    return str(reply.json()["client_id"])


async def _exchanges(mint: Mint, client_id: str, count: int) -> list[dict[str, str]]:
    return [
        {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "code_verifier": verifier,
        }
        for code, verifier in await mint.codes(client_id, count)
    ]


def _refresh(shot: Shot) -> dict[str, str]:
    return {
        "grant_type": "refresh_token",
        "client_id": shot.form["client_id"],
        "refresh_token": _token(shot),
    }


def _token(shot: Shot) -> str:
    assert shot.body is not None, shot
    return str(shot.body["refresh_token"])
