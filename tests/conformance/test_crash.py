"""What was answered survives `kill -9`; what was not answered can be asked again.

The server is taken away while 200 exchanges and refreshes are on their way, at a moment that
depends on how many were answered, and started again on the same data. Then every promise is
checked from outside: every answered code is spent, every answered refresh token works, no code
ever bought two tokens, and a refresh whose answer was lost gives a working one when repeated.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.clients.by_hand import Hands
from tests.conformance.volley import Gun, Shot, volley
from tests.live import ALICE, LiveServer

CALLBACK = "https://app.example/callback"
HALF = 100
ROUNDS = 3
# One address opens in seconds what many people's browsers would.
UNBRAKED = {"AUTHGATE_LIMIT_AUTHORIZATION": "100000/second"}


@pytest.fixture(params=[1, 2], ids=["one-worker", "two-workers"])
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    with LiveServer(workers=request.param, people=(ALICE,), env=UNBRAKED) as running:
        yield running
        running.assert_quiet()


class Application:
    """One registered application and the requests it makes."""

    def __init__(self, hands: Hands) -> None:
        self.server = hands.server
        self.hands = hands
        self.client_id = self.hands.registered(redirect_uris=[CALLBACK])["client_id"]

    def exchanges(self, count: int) -> list[dict[str, str]]:
        """Forms that redeem as many fresh codes."""
        pairs = [self.hands.code(self.client_id, CALLBACK) for _ in range(count)]
        return [
            {
                "grant_type": "authorization_code",
                "client_id": self.client_id,
                "code": code,
                "code_verifier": verifier,
            }
            for code, verifier in pairs
        ]

    def refresh(self, shot: Shot) -> dict[str, str]:
        """The form that uses the refresh token of an answer."""
        assert shot.body is not None
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "refresh_token": shot.body["refresh_token"],
        }

    async def ask(self, forms: list[dict[str, str]]) -> list[Shot]:
        """Ask in peace."""
        return await volley(self.server.port, forms)

    async def granted(self, forms: list[dict[str, str]]) -> list[Shot]:
        """Ask in peace what must be given."""
        shots = await self.ask(forms)
        assert {shot.status for shot in shots} <= {200}, [s for s in shots if s.status != 200]
        return shots

    async def refused(self, forms: list[dict[str, str]]) -> None:
        """Ask in peace what must be refused."""
        for shot in await self.ask(forms):
            assert shot.body is not None
            assert (shot.status, shot.body["error"]) == (400, "invalid_grant"), shot


@pytest.fixture
def application(server: LiveServer) -> Iterator[Application]:
    with Hands(server) as hands:
        yield Application(hands)


def most_beginnings(server: LiveServer) -> int:
    """The most refresh tokens of one grant that succeed no other: how often one code bought."""
    file = server.folder / "data" / "authgate.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        (most,) = store.execute(
            "SELECT max(beginnings) FROM (SELECT count(*) AS beginnings FROM refresh_tokens"
            " WHERE token_digest NOT IN (SELECT successor_digest FROM refresh_tokens"
            " WHERE successor_digest IS NOT NULL) GROUP BY grant_id)"
        ).fetchone()
    return most


@pytest.mark.timeout(180)
async def test_killed_in_the_middle_it_keeps_every_promise(
    server: LiveServer, application: Application
) -> None:
    living = await application.granted(application.exchanges(HALF))
    answered_in_all = lost_in_all = 0
    for _ in range(ROUNDS):
        exchanges, refreshes = application.exchanges(HALF), [*map(application.refresh, living)]
        asked = [form for pair in zip(exchanges, refreshes, strict=True) for form in pair]
        enough = random.randint(1, 100)

        def take_away(count: int, enough: int = enough) -> None:
            if count == enough:
                server.kill9()

        shots = await volley(server.port, asked, after=take_away)
        assert {shot.status for shot in shots} <= {200, None}
        answered, lost = [s for s in shots if s.answered], [s for s in shots if not s.answered]
        assert len(answered) >= enough
        answered_in_all += len(answered)
        lost_in_all += len(lost)
        server.restart()

        living = await promises_kept(application, answered, lost)
        assert most_beginnings(server) == 1
    assert answered_in_all >= ROUNDS
    assert lost_in_all > 0, "the server was faster than the kill every time"


async def promises_kept(
    application: Application, answered: list[Shot], lost: list[Shot]
) -> list[Shot]:
    """Check every promise; what lives on for the next round."""
    hands = application.hands
    spent = [s.form for s in answered if "code" in s.form]
    lost_codes = [s.form for s in lost if "code" in s.form]
    lost_refreshes = [s.form for s in lost if "refresh_token" in s.form]
    for shot in answered[:5]:
        assert shot.body is not None
        assert hands.whoami(shot.body["access_token"])["display"] == ALICE.email

    # Every answered refresh token works.
    works = await application.granted([application.refresh(shot) for shot in answered])
    # A refresh whose answer was lost gives a working answer when it is repeated: the same one.
    again = await application.granted(lost_refreshes)
    twice = await application.granted(lost_refreshes)
    assert [application.refresh(s) for s in again] == [application.refresh(s) for s in twice]
    again = await application.granted([application.refresh(shot) for shot in again])

    # A code whose answer was lost was spent or was not; it buys at most once more, and never after.
    second = await application.ask(lost_codes)
    assert {shot.status for shot in second} <= {200, 400}
    bought = await application.granted([application.refresh(s) for s in second if s.answered])

    # Every answered code is spent. Asked last, because a replay ends the grant.
    await application.refused(spent)
    await application.refused([shot.form for shot in second])
    works = [s for s, first in zip(works, answered, strict=True) if "code" not in first.form]
    dead = [application.refresh(shot) for shot in bought]
    await application.refused(dead)
    return works + again


class Busy:
    """A client that refreshes as fast as it is answered, on one connection, until it is cut off."""

    def __init__(self, application: Application, shot: Shot) -> None:
        self.application = application
        self.last = shot
        self.answers = 0
        self.asking: dict[str, str] | None = None

    async def run(self) -> None:
        gun = await Gun.aimed(self.application.server.port)
        try:
            while True:
                self.asking = self.application.refresh(self.last)
                shot = await gun.fire(self.asking)
                if shot.status is None:
                    assert not shot.torn, "an answer was cut in the middle"
                    return
                assert shot.status in (200, 503), shot
                if shot.answered:
                    self.last, self.asking = shot, None
                    self.answers += 1
        finally:
            gun.drop()


@pytest.mark.parametrize("everyone", [False, True], ids=["parent-told", "everyone-told"])
async def test_told_to_end_under_load_it_finishes_what_it_began(
    server: LiveServer, application: Application, everyone: bool
) -> None:
    living = await application.granted(application.exchanges(40))
    busy = [Busy(application, shot) for shot in living]
    assert living[0].body is not None
    token = living[0].body["access_token"]
    slow = asyncio.create_task(asyncio.to_thread(count_slowly, server, token))
    running = [asyncio.create_task(one.run()) for one in busy]
    await asyncio.sleep(0.6)

    began = time.monotonic()
    server.terminate(everyone=everyone)
    code = await asyncio.to_thread(server.wait, 10.0)
    assert time.monotonic() - began < 10
    assert code == 0
    await asyncio.gather(*running)
    assert sum(one.answers for one in busy) > len(busy)
    assert await slow == 5, "a tool call in flight was cut off"

    # Whoever was answered goes on; whoever was not asks again and gets what was meant.
    server.restart()
    unanswered = [one.asking for one in busy if one.asking is not None]
    await application.granted(unanswered)
    await application.granted([application.refresh(one.last) for one in busy if one.asking is None])


async def test_workers_do_not_outlive_their_parent() -> None:
    """Left alone they would keep the port, and nobody would restart them."""
    with LiveServer(workers=2, people=(ALICE,), env=UNBRAKED) as server:
        os.kill(server.pid, signal.SIGKILL)
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            try:
                (await Gun.aimed(server.port)).drop()
            except ConnectionRefusedError:
                break
            await asyncio.sleep(0.1)
        else:
            pytest.fail("somebody still listens")
        server.kill9()
        server.restart()


def count_slowly(server: LiveServer, token: str) -> int:
    """A tool call that takes a second."""
    with Hands(server) as hands:
        return hands.tool(token, "count_slowly", steps=5)["counted"]
