"""Signing in: brakes that bursts cannot outrun, one answer for every mistake, fresh sessions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from authgate.directories.contract import (
    Explain,
    Refused,
    SignedIn,
    SignIn,
    Unavailable,
    Visitor,
)
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Person
from authgate.steps.parts import audited
from authgate.steps.sign_in import begin_session, end_session, find_session, with_password
from tests.clauses import clause
from tests.protocol.making import a_request, refused
from tests.steps.making import ADDRESS, EMAIL, PASSWORD, World


async def sign_in(
    world: World, password: str = PASSWORD, username: str = EMAIL, address: str = ADDRESS
) -> str | Reason:
    try:
        person = await with_password(world.parts, a_request(), username, password, address)
    except Refusal as refusal:
        if refusal.reason is Reason.SIGN_IN_THROTTLED and not 1 <= (refusal.retry_after or 0) <= 60:
            raise AssertionError("Retry-After is out of bounds") from refusal
        return refusal.reason
    assert isinstance(person, Person)
    return person.sub


class _Counted:
    """The directory, counting how many sign-ins reach it."""

    name = "embedded"

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.asked = 0

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        self.asked += 1
        answer: SignIn = await self._inner.sign_in_with_password(username, password, visitor)
        return answer


def counted(world: World) -> _Counted:
    directory = _Counted(world.parts.passwords)
    stand_in: Any = directory
    world.parts = replace(world.parts, passwords=stand_in)
    return directory


class _Says:
    name = "supabase"

    def __init__(self, outcome: SignIn) -> None:
        self._outcome = outcome

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        return self._outcome


@pytest.mark.parametrize("username", [EMAIL, EMAIL.upper(), EMAIL.lower(), f" {EMAIL} "])
async def test_the_right_password_signs_in(world: World, username: str) -> None:
    assert await sign_in(world, username=username) == world.person.sub


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (EMAIL, "wrong"),
        (EMAIL, PASSWORD + " "),
        (EMAIL, PASSWORD.upper()),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("x" * 5000, "y" * 5000),
        ("\ud800", "\ud800"),
        ("a\x00b", "\x00"),
    ],
)
@clause("ASVS", "6.3.8")
async def test_every_mistake_gets_one_and_the_same_answer(
    world: World, username: str, password: str
) -> None:
    assert await sign_in(world, password, username) is Reason.SIGN_IN_WRONG
    event = (await world.store.audit_events(limit=1))[0]
    assert (event.event, event.outcome, event.address) == ("person.sign_in", "refused", ADDRESS)
    assert event.actor is None


@clause("ASVS", "6.3.1")
async def test_ten_failures_a_minute_and_then_not_even_the_right_password(world: World) -> None:
    for _ in range(10):
        assert await sign_in(world, "wrong") is Reason.SIGN_IN_WRONG
    assert await sign_in(world) is Reason.SIGN_IN_THROTTLED
    assert await sign_in(world, username=EMAIL.upper()) is Reason.SIGN_IN_THROTTLED
    assert await sign_in(world, address="198.51.100.1") is Reason.SIGN_IN_THROTTLED
    assert await sign_in(world, "wrong", "other@example.com") is Reason.SIGN_IN_WRONG
    world.clock.now += 61
    assert await sign_in(world) == world.person.sub


@clause("ASVS", "6.3.1")
async def test_a_right_password_clears_the_failures(world: World) -> None:
    for _ in range(3):
        for _ in range(9):
            assert await sign_in(world, "wrong") is Reason.SIGN_IN_WRONG
        assert await sign_in(world) == world.person.sub


@clause("ASVS", "6.3.1")
async def test_one_address_may_fail_two_hundred_times_over_all_accounts(world: World) -> None:
    world.parts = replace(world.parts, passwords=_stand_in(Refused()))
    for number in range(200):
        username = f"person{number}@example.com"
        assert await sign_in(world, "wrong", username) is Reason.SIGN_IN_WRONG
    assert await sign_in(world, "wrong", "fresh@example.com") is Reason.SIGN_IN_THROTTLED
    elsewhere = await sign_in(world, "wrong", "fresh@example.com", "198.51.100.1")
    assert elsewhere is Reason.SIGN_IN_WRONG


@clause("ASVS", "6.3.1")
async def test_a_parallel_burst_of_wrong_passwords_reaches_the_directory_ten_times(
    world: World,
) -> None:
    directory = counted(world)
    outcomes = await asyncio.gather(*(sign_in(world, "wrong") for _ in range(60)))
    assert directory.asked == 10
    assert outcomes.count(Reason.SIGN_IN_WRONG) == 10
    assert outcomes.count(Reason.SIGN_IN_THROTTLED) == 50


@clause("ASVS", "6.3.1")
async def test_a_parallel_crowd_of_right_passwords_all_come_in(world: World) -> None:
    outcomes = await asyncio.gather(*(sign_in(world) for _ in range(40)))
    assert set(outcomes) == {world.person.sub}


def _stand_in(outcome: SignIn) -> Any:
    return _Says(outcome)


@pytest.mark.parametrize("outcome", [Unavailable(), Unavailable(7)])
@clause("ASVS", "6.3.1")
async def test_what_was_not_judged_signs_nobody_in_and_counts_for_nothing(
    world: World, outcome: SignIn
) -> None:
    world.parts = replace(world.parts, passwords=_stand_in(outcome))
    for _ in range(30):
        with refused(Reason.SIGN_IN_UNAVAILABLE) as caught:
            await with_password(world.parts, a_request(), EMAIL, PASSWORD, ADDRESS)
        assert caught.value.retry_after
        assert caught.value.face.status == 503
    world.parts = replace(world.parts, passwords=_stand_in(SignedIn(world.person)))
    assert await sign_in(world) == world.person.sub


@pytest.mark.parametrize("explain", [Explain.CAPTCHA_REQUIRED, Explain.PASSWORDS_OFF])
async def test_a_way_that_is_shut_is_held_against_nobody(world: World, explain: str) -> None:
    world.parts = replace(world.parts, passwords=_stand_in(Refused(explain)))
    for _ in range(30):
        with refused(Reason.SIGN_IN_NOT_OFFERED):
            await with_password(world.parts, a_request(), EMAIL, PASSWORD, ADDRESS)
    world.parts = replace(world.parts, passwords=_stand_in(SignedIn(world.person)))
    assert await sign_in(world) == world.person.sub


async def test_a_session_of_another_directorys_person_counts_as_none(world: World) -> None:
    fresh = await begin_session(world.parts, world.person, ADDRESS, world.clock.now)
    assert await find_session(world.parts, fresh.cookie) is not None
    other = _stand_in(Refused())
    world.parts = replace(world.parts, passwords=other, social=other)
    assert await find_session(world.parts, fresh.cookie) is None


@clause("ASVS", "7.2.4")
async def test_every_sign_in_begins_a_session_of_its_own(world: World) -> None:
    first = await begin_session(world.parts, world.person, ADDRESS, world.clock.now)
    second = await begin_session(world.parts, world.person, ADDRESS, world.clock.now)
    assert first.cookie != second.cookie
    assert first.cookie not in repr(first)
    assert first.session.session_digest == digest(first.cookie)
    assert await find_session(world.parts, first.cookie) == first.session
    await end_session(world.parts, first.session, ADDRESS)
    assert await find_session(world.parts, first.cookie) is None
    assert await find_session(world.parts, second.cookie) == second.session


async def test_whoever_was_shut_out_while_they_signed_in_is_not(world: World) -> None:
    """The directory stood by them, and then an operator or WorkOS's event ended all they have."""
    asked_at = world.clock.now
    world.clock.now += 2
    gone = audited(world.clock.now, "person.barred")
    await world.store.end_grants_of(world.person.sub, "shut_out", world.clock.now, gone)
    with refused(Reason.SIGN_IN_OVERTAKEN):
        await begin_session(world.parts, world.person, ADDRESS, asked_at)
    assert await world.store.bar_of(world.person.sub) is not None
    world.clock.now += 1
    fresh = await begin_session(world.parts, world.person, ADDRESS, world.clock.now)
    assert await find_session(world.parts, fresh.cookie) == fresh.session
    assert await world.store.bar_of(world.person.sub) is None


@pytest.mark.parametrize("cookie", [None, "", "unknown", "\ud800", "a" * 10_000])
@clause("ASVS", "7.2")
async def test_only_a_known_cookie_finds_a_session(world: World, cookie: str | None) -> None:
    assert await find_session(world.parts, cookie) is None
    known = await begin_session(world.parts, world.person, ADDRESS, world.clock.now)
    assert await find_session(world.parts, known.session.session_digest) is None
    world.clock.now += world.parts.policy.session_ttl
    assert await find_session(world.parts, known.cookie) is None
