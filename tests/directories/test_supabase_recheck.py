"""Is a person still one who may be signed in? Only Supabase's own word ends anything."""

from __future__ import annotations

import asyncio
import time

import pytest

from authgate.directories.contract import Gone, SignedIn, StillGood, Unavailable
from authgate.directories.recent import Recent
from tests.clauses import clause
from tests.directories.supabase_house import EMAIL, PASSWORD, VISITOR, House, opened_house
from tests.standins.supabase_state import User


@pytest.fixture
def ana(house: House) -> User:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    return user


@clause("ASVS 5.0", "7.4.2")
async def test_a_ban_a_deletion_and_a_soft_one_end_it(house: House, ana: User) -> None:
    recheck = house.directory.recheck
    outcome = await recheck(ana.id)
    assert isinstance(outcome, StillGood)
    assert (outcome.person.sub, outcome.person.display) == (ana.id, EMAIL)
    ana.banned_until = time.time() + 3600
    assert isinstance(await recheck(ana.id), StillGood)  # a minute old at most
    house.clocks.forward(61)
    assert await recheck(ana.id) == Gone()
    ana.banned_until = time.time() - 1
    house.clocks.forward(61)
    assert isinstance(await recheck(ana.id), StillGood)
    ana.deleted = True
    house.clocks.forward(61)
    assert await recheck(ana.id) == Gone()
    house.state.remove(ana)
    house.clocks.forward(61)
    assert await recheck(ana.id) == Gone()


async def test_people_without_a_password_are_people_too(house: House) -> None:
    sso = house.state.add_user("sso@example.com", None, sso=True)
    assert isinstance(await house.directory.recheck(sso.id), StillGood)
    anonymous = house.state.add_user("", anonymous=True)
    assert await house.directory.recheck(anonymous.id) == Gone()


async def test_a_crowd_asks_once_a_minute(house: House, ana: User) -> None:
    await asyncio.gather(*(house.directory.recheck(ana.id) for _ in range(50)))
    assert house.standin.calls("/admin/users/") == 1
    house.clocks.forward(59)
    await house.directory.recheck(ana.id)
    assert house.standin.calls("/admin/users/") == 1
    house.clocks.forward(2)
    await house.directory.recheck(ana.id)
    assert house.standin.calls("/admin/users/") == 2


async def test_whoever_signs_in_again_is_not_gone_by_an_old_word(house: House, ana: User) -> None:
    ana.banned_until = time.time() + 3600
    assert await house.directory.recheck(ana.id) == Gone()
    ana.banned_until = None
    assert isinstance(await house.sign_in(), SignedIn)
    assert isinstance(await house.directory.recheck(ana.id), StillGood)


async def test_whoever_just_signed_in_is_not_asked_for_again(house: House, ana: User) -> None:
    signed_in = await house.sign_in()
    assert isinstance(signed_in, SignedIn)
    house.standin.fault("/admin/users/", status=503)
    house.clocks.forward(59)
    assert await house.directory.recheck(ana.id) == StillGood(signed_in.person)
    assert house.standin.calls("/admin/users/") == 0
    house.clocks.forward(2)
    assert isinstance(await house.directory.recheck(ana.id), Unavailable)


@pytest.mark.parametrize(
    "how",
    [
        {"status": 503},
        {"status": 500, "body": b'{"code":"unexpected_failure"}'},
        {"cut": True},
        {"status": 200, "body": b"<html>"},
        {"status": 200, "body": b"{}"},
        {"status": 200, "body": b'{"id":"00000000-0000-4000-8000-000000000000"}'},
        {"status": 404, "body": b"<h1>no such page</h1>"},
        {"status": 404, "body": b'{"message":"no Route matched"}'},
        {"status": 401, "body": b'{"message":"Invalid API key"}'},
        {"status": 403, "body": b'{"code":"not_admin"}'},
        {"status": 429, "body": b'{"code":"over_request_rate_limit"}'},
        {"status": 400, "body": b'{"code":"user_not_found"}'},
        {"huge": True},
    ],
    ids=str,
)
async def test_trouble_of_any_kind_ends_nothing(
    house: House, ana: User, how: dict[str, object], logged: list[str]
) -> None:
    house.standin.fault("/admin/users/", **how)
    assert isinstance(await house.directory.recheck(ana.id), Unavailable)
    assert logged
    house.standin.clear()
    house.clocks.forward(6)  # trouble is remembered for five seconds only
    assert isinstance(await house.directory.recheck(ana.id), StillGood)


async def test_somebody_elses_answer_is_not_taken(house: House, ana: User) -> None:
    import json

    other = house.state.add_user("other@example.com", PASSWORD)
    body = json.dumps(other.body()).encode()
    house.standin.fault(f"/admin/users/{ana.id}", status=200, body=body)
    assert isinstance(await house.directory.recheck(ana.id), Unavailable)


async def test_without_a_secret_key_it_says_so_and_asks_nobody() -> None:
    async with opened_house(secret_key=None) as house:
        user = house.state.add_user(EMAIL, PASSWORD)
        assert not house.directory.can_recheck
        assert await house.directory.recheck(user.id) == Unavailable()
        assert house.standin.gate.seen == []
        assert isinstance(await house.sign_in(visitor=VISITOR), SignedIn)


async def test_what_is_no_id_is_nobody_and_not_asked(house: House, ana: User) -> None:
    for odd in ("", "ag_x", ana.id.upper(), ana.id + "/..", "../settings", f"{{{ana.id}}}", "\0"):
        assert await house.directory.recheck(odd) == Gone()
    assert house.standin.gate.seen == []


async def test_memory_is_bounded_and_learns_what_is_newer() -> None:
    recent: Recent[int] = Recent(lambda value: 60 if value >= 0 else 0, most=3)
    asked = []

    async def ask(value: int) -> int:
        asked.append(value)
        await asyncio.sleep(0)
        return value

    for n in range(10):
        await recent.get(str(n), lambda n=n: ask(n))
    assert len(recent) == 3
    await recent.get("no", lambda: ask(-1))
    await recent.get("no", lambda: ask(-1))
    assert asked.count(-1) == 2
    first = asyncio.create_task(recent.get("x", lambda: ask(1)))
    await asyncio.sleep(0)
    recent.learn("x", 2)  # while it is on its way
    assert await first == 1
    assert await recent.get("x", lambda: ask(9)) == 2
    first = asyncio.create_task(recent.get("y", lambda: ask(3)))
    second = asyncio.create_task(recent.get("y", lambda: ask(4)))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 3
    await recent.close()
