"""The machine's clock is set while the server runs, or is years off when it starts.

Codes and tokens live by the clock on the wall, which all nodes and resource servers share; what is
counted and waited for lives by the monotonic one, which nobody can set. What was spent stays spent
whatever the clock says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authgate.app.steady import AFTER_LEAP, AFTER_START, SteadyClock
from tests.clients.authkit import CLOCK
from tests.clients.by_hand import Hands
from tests.faults.places import UNBRAKED
from tests.live import ALICE, LiveServer

HOUR = 3600
TEN_YEARS = 10 * 365 * 24 * HOUR


class Clock:
    """The server's clock, by how much it is wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.file)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "ahead")


@pytest.fixture
def server(clock: Clock) -> Iterator[LiveServer]:
    env = {"PYTHONPATH": str(CLOCK), "TEST_CLOCK_AHEAD": str(clock.file)}
    with LiveServer(people=(ALICE,), env={**UNBRAKED, **env}) as running:
        yield running
        running.assert_quiet()


@pytest.fixture
def hands(server: LiveServer) -> Iterator[Hands]:
    with Hands(server) as one:
        yield one


def refused(answer: Any) -> bool:
    return bool(answer.status_code == 400 and answer.json()["error"] == "invalid_grant")


def fresh(hands: Hands) -> dict[str, Any]:
    """The whole way to tokens. The person signs in anew: their session may be of another time."""
    hands.browser.cookies.clear()
    tokens = hands.tokens(hands.registered()["client_id"])
    assert hands.whoami(tokens["access_token"])["display"] == ALICE.email
    return tokens


def test_an_hour_on_and_an_hour_back(server: LiveServer, hands: Hands, clock: Clock) -> None:
    client_id = hands.registered()["client_id"]
    spent, spent_verifier = hands.code(client_id)
    first = hands.exchange(client_id, spent, spent_verifier).json()
    second = hands.refresh(client_id, first["refresh_token"]).json()
    unspent, verifier = hands.code(client_id)

    clock.set(HOUR)
    assert refused(hands.exchange(client_id, unspent, verifier))
    assert hands.knock(second["access_token"]).status_code == 401
    third = hands.refresh(client_id, second["refresh_token"]).json()
    assert hands.whoami(third["access_token"])["display"] == ALICE.email
    later = fresh(hands)

    clock.set(0)
    # Tokens of the hour that is not yet live longer by as much, as docs/security.md says.
    assert hands.whoami(later["access_token"])["display"] == ALICE.email
    fourth = hands.refresh(client_id, third["refresh_token"])
    assert fourth.status_code == 200, fourth.text
    assert hands.whoami(fourth.json()["access_token"])["display"] == ALICE.email
    fresh(hands)
    # What was spent is spent at any time. The replay of what is used up is last: it ends the grant.
    assert refused(hands.exchange(client_id, spent, spent_verifier))
    assert refused(hands.refresh(client_id, fourth.json()["refresh_token"]))


def test_a_used_token_is_a_thiefs_before_and_after_a_jump(hands: Hands, clock: Clock) -> None:
    """The successor's use closes the window for a lost answer, and no clock opens it again."""
    client_id = hands.registered()["client_id"]
    first = hands.tokens(client_id)
    second = hands.refresh(client_id, first["refresh_token"]).json()
    third = hands.refresh(client_id, second["refresh_token"]).json()
    clock.set(-HOUR)
    assert refused(hands.refresh(client_id, first["refresh_token"]))
    assert refused(hands.refresh(client_id, third["refresh_token"]))


def test_a_code_that_was_spent_in_another_hour_stays_spent(hands: Hands, clock: Clock) -> None:
    client_id = hands.registered()["client_id"]
    clock.set(HOUR)
    code, verifier = hands.code(client_id)
    bought = hands.exchange(client_id, code, verifier).json()
    clock.set(0)
    assert refused(hands.exchange(client_id, code, verifier))
    # And the replay ends what it bought, also in its future.
    assert hands.knock(bought["access_token"]).status_code == 401
    assert refused(hands.refresh(client_id, bought["refresh_token"]))


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["on", "back"])
def test_limits_are_not_reached_by_the_clock(tmp_path: Path, clock: Clock, jump: int) -> None:
    env = {
        "PYTHONPATH": str(CLOCK),
        "TEST_CLOCK_AHEAD": str(clock.file),
        "AUTHGATE_LIMIT_REGISTRATION": "3/minute",
    }
    with LiveServer(people=(), env=env) as server, Hands(server) as hands:
        for _ in range(3):
            hands.registered()
        assert hands.register(redirect_uris=["https://a.example/cb"]).status_code == 429
        clock.set(jump)
        again = hands.register(redirect_uris=["https://a.example/cb"])
        assert again.status_code == 429
        assert 1 <= int(again.headers["retry-after"]) <= 60


@pytest.mark.parametrize("off", [TEN_YEARS, -TEN_YEARS], ids=["ahead", "behind"])
def test_a_start_ten_years_off(server: LiveServer, hands: Hands, clock: Clock, off: int) -> None:
    """It serves, in its own time; and again when the clock is right, without a restart."""
    client_id = hands.registered()["client_id"]
    before = hands.tokens(client_id)
    server.stop()
    clock.set(off)
    server.restart()
    assert hands.http.get("/.well-known/jwks.json").json()["keys"]
    assert hands.knock(before["access_token"]).status_code == (401 if off > 0 else 200)
    there = fresh(hands)
    clock.set(0)
    assert hands.http.get("/.well-known/jwks.json").json()["keys"]
    assert hands.knock(there["access_token"]).status_code == (200 if off > 0 else 401)
    assert hands.refresh(client_id, before["refresh_token"]).status_code == 200
    fresh(hands)


def test_the_sweep_waits_after_a_start_and_after_a_leap() -> None:
    """Or a clock that is ahead for a moment would cost every client and every grant."""
    at = {"wall": 1_800_000_000.0, "monotonic": 5.0}
    steady = SteadyClock(lambda: at["wall"], lambda: at["monotonic"])

    def pass_by(seconds: float, leap: float = 0.0) -> bool:
        at["monotonic"] += seconds
        at["wall"] += seconds + leap
        return steady.may_be_believed()

    assert not pass_by(1)
    assert pass_by(AFTER_START)
    assert pass_by(60, leap=2)  # a correction
    for leap in (TEN_YEARS, -TEN_YEARS):
        assert not pass_by(60, leap=leap)
        assert not pass_by(60)
        assert pass_by(AFTER_LEAP)


def test_a_machine_that_slept_has_not_had_its_clock_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CLOCK_MONOTONIC` stands still while a machine is suspended, and its wall clock does not."""
    slept = {"seconds": 0.0}
    wall, real = time.time, time.clock_gettime

    def clock_gettime(clock: int) -> float:
        return real(clock) + (slept["seconds"] if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime", clock_gettime)
    steady = SteadyClock(lambda: wall() + slept["seconds"])
    assert not steady.may_be_believed()
    for _ in range(3):
        slept["seconds"] += HOUR / 2
        assert steady.may_be_believed()
