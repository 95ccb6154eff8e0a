"""The brakes: what counts, what waits, what is refused, and how little memory they take."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from authgate.security.limits import LimitMalformed, LimitPolicy, Throttles, parse_limit
from authgate.security.turns import Turns
from authgate.security.windows import MAX_KEYS, Windows
from tests.clauses import clause

WHO, WHERE = "ana@example.com", "192.0.2.1"


class Clock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttles(clock: Clock) -> Throttles:
    return Throttles(LimitPolicy(), clock)


async def sign_in(
    throttles: Throttles, right: bool | None, who: str = WHO, where: str = WHERE
) -> int | None:
    """One attempt with a little waiting in the middle; its retry_after."""
    async with throttles.sign_in(who, where) as attempt:
        if attempt.retry_after is None:
            await asyncio.sleep(0.001)
            if right is not None:
                attempt.succeeded() if right else attempt.failed()
    return attempt.retry_after


@clause("ASVS 5.0", "6.3.1")
async def test_ten_failures_a_minute_for_an_account_then_a_wait(
    throttles: Throttles, clock: Clock
) -> None:
    for _ in range(10):
        assert await sign_in(throttles, right=False) is None
        clock.now += 1
    assert await sign_in(throttles, right=False) == 50
    assert await sign_in(throttles, right=True, where="198.51.100.9") == 50
    clock.now += 49.5
    assert await sign_in(throttles, right=True) == 1
    clock.now += 0.5
    assert await sign_in(throttles, right=True) is None


async def test_right_ones_never_count_and_clear_the_account(throttles: Throttles) -> None:
    for _ in range(30):
        assert await sign_in(throttles, right=True) is None
    for _ in range(9):
        await sign_in(throttles, right=False)
    assert await sign_in(throttles, right=True) is None
    for _ in range(10):
        assert await sign_in(throttles, right=False) is None
    assert await sign_in(throttles, right=False) is not None


async def test_spellings_of_one_account_share_a_count(throttles: Throttles) -> None:
    for who in ("ana@example.com", " ANA@example.com", "Ana@Example.com ") * 4:
        last = await sign_in(throttles, right=False, who=who)
    assert last is not None


async def test_an_address_has_its_own_count_that_a_right_one_does_not_clear(
    throttles: Throttles,
) -> None:
    """Or an attacker with an account of their own could wash the address clean."""
    for n in range(200):
        assert await sign_in(throttles, right=False, who=f"p{n}@example.com") is None
    assert await sign_in(throttles, right=True, who="new@example.com") is not None
    assert await sign_in(throttles, right=True, who="new@example.com", where="2001:db8::1") is None


async def test_undecided_attempts_count_for_nothing(throttles: Throttles) -> None:
    """Neither an outage nor a first factor alone is a failure, and neither clears anything."""
    for _ in range(9):
        await sign_in(throttles, right=False)
    for _ in range(20):
        assert await sign_in(throttles, right=None) is None
    assert await sign_in(throttles, right=False) is None
    assert await sign_in(throttles, right=None) is not None


@clause("ASVS 5.0", "6.3.1")
async def test_fifty_wrong_ones_at_once_reach_the_hash_ten_times(throttles: Throttles) -> None:
    answers = await asyncio.gather(*(sign_in(throttles, right=False) for _ in range(50)))
    assert answers.count(None) == 10
    assert all(1 <= a <= 60 for a in answers if a is not None)


async def test_fifty_right_ones_at_once_all_get_in(throttles: Throttles) -> None:
    answers = await asyncio.gather(*(sign_in(throttles, right=True) for _ in range(50)))
    assert answers == [None] * 50


async def test_right_ones_among_wrong_ones_are_only_stopped_by_real_failures(
    throttles: Throttles,
) -> None:
    for _ in range(5):
        await sign_in(throttles, right=False)
    kinds = [n % 3 != 0 for n in range(12)]  # 4 wrong ones more: 9 in all
    answers = await asyncio.gather(*(sign_in(throttles, right) for right in kinds))
    assert answers == [None] * 12


async def test_a_raising_or_cancelled_attempt_gives_its_turn_back(throttles: Throttles) -> None:
    async def fail() -> None:
        async with throttles.sign_in(WHO, WHERE):
            raise RuntimeError("the directory broke")

    async def hang() -> None:
        async with throttles.sign_in(WHO, WHERE):
            await asyncio.sleep(3600)

    for _ in range(15):
        with pytest.raises(RuntimeError):
            await fail()
    tasks = [asyncio.create_task(hang()) for _ in range(15)]  # ten inside, five in line
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await sign_in(throttles, right=True) is None
    assert throttles._turns._taken == {}
    assert throttles._turns._in_line == 0


async def test_the_line_of_those_who_wait_is_bounded() -> None:
    turns = Turns(max_waiting=2)
    turns.enter(["a"])
    waiting = [asyncio.create_task(turns.one_ends("a")) for _ in range(2)]
    await asyncio.sleep(0)
    assert await turns.one_ends("a") is False
    turns.leave(["a"])
    assert await asyncio.gather(*waiting) == [True, True]
    assert turns.taken("a") == 0


async def test_registrations_a_hundred_in_five_seconds(throttles: Throttles, clock: Clock) -> None:
    for _ in range(100):
        assert await throttles.hit_registration(WHERE) is None
        clock.now += 1 / 64
    assert await throttles.hit_registration(WHERE) == 4
    assert await throttles.hit_registration("192.0.2.2") is None
    clock.now += 5 - 100 / 64  # the first of the hundred has left, and only the first
    assert await throttles.hit_registration(WHERE) is None
    assert await throttles.hit_registration(WHERE) == 1


async def test_no_window_lets_twice_the_limit_through_at_its_border(
    throttles: Throttles, clock: Clock
) -> None:
    """The reason for moving windows: with fixed ones 200 would pass within a second."""
    clock.now = 1004.5
    assert [await throttles.hit_registration(WHERE) for _ in range(100)] == [None] * 100
    clock.now = 1005.5
    assert await throttles.hit_registration(WHERE) is not None


async def test_ipv6_counts_by_the_64(throttles: Throttles) -> None:
    for n in range(100):
        assert await throttles.hit_registration(f"2001:db8::{n:x}") is None
    assert await throttles.hit_registration("2001:db8::ffff:1") is not None
    assert await throttles.hit_registration("2001:db8:0:1::1") is None


async def test_wrong_client_secrets_per_client_and_address(throttles: Throttles) -> None:
    for _ in range(60):
        assert await throttles.check_client("c1", WHERE) is None
        await throttles.client_failed("c1", WHERE)
    assert await throttles.check_client("c1", WHERE) == 60
    assert await throttles.check_client("c1", "192.0.2.2") is None
    assert await throttles.check_client("c2", WHERE) is None


async def test_retry_after_is_never_more_than_a_minute(clock: Clock) -> None:
    throttles = Throttles(LimitPolicy(registration="1/hour"), clock)
    assert await throttles.hit_registration(WHERE) is None
    assert await throttles.hit_registration(WHERE) == 60


async def test_no_address_lies_in_memory(throttles: Throttles) -> None:
    await sign_in(throttles, right=False)
    await throttles.hit_registration(WHERE)
    kept = [brake.windows._hits for brake in (throttles._account, throttles._registration)]
    assert all(kept)
    assert WHO not in repr(kept)
    assert WHERE not in repr(kept)


async def test_a_hundred_thousand_strangers_take_bounded_memory_and_leave(clock: Clock) -> None:
    throttles = Throttles(LimitPolicy(), clock)
    gc.collect()
    tracemalloc.start()
    try:
        for n in range(100_000):
            await throttles.hit_registration(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(throttles._registration.windows) == MAX_KEYS
    assert used < 12 * 2**20
    clock.now += 5
    await throttles.hit_registration(WHERE)
    assert len(throttles._registration.windows) == 1


def test_a_busy_key_outlives_the_quiet_ones(clock: Clock) -> None:
    windows = Windows(clock, max_keys=3)
    for key in ("a", "b", "c", "a", "d"):
        assert windows.acquire_entry(key, 10, 60)
    assert [key for key in "abcd" if windows.get(key)] == ["a", "c", "d"]
    assert windows.reset() == 3
    assert windows.get_moving_window("a", 10, 60) == (clock.now, 0)


@pytest.mark.parametrize("text", ["10/minute", "100/5 seconds", "1 per second", "7/2 hours"])
def test_limits_as_operators_write_them(text: str) -> None:
    assert parse_limit(text).amount >= 1


@pytest.mark.parametrize(
    "text",
    ["", "ten/minute", "0/minute", "10/fortnight", "-1/minute", "1/minute;2/hour"],
)
def test_what_is_no_limit_is_shown_with_an_example(text: str) -> None:
    with pytest.raises(LimitMalformed, match="10/minute"):
        parse_limit(text)
