"""Passwords asked at Supabase: what goes out, every error's reaction, and the time it takes."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from authgate.directories.contract import Explain, NeedsFactor, Refused, SignedIn, Unavailable
from authgate.directories.contract import Visitor as From
from authgate.directories.supabase.errors import RETRY_LIMIT, RETRY_OURS, RETRY_OUTAGE
from authgate.directories.supabase.pace import Pace
from tests.clauses import clause
from tests.directories.supabase_house import EMAIL, PASSWORD, House, opened_house, quick
from tests.standins.supabase_state import Options

TOKEN = "/token?grant_type=password"


async def test_a_right_password_is_that_person_and_leaves_no_session(house: House) -> None:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    outcome = await house.sign_in()
    assert isinstance(outcome, SignedIn)
    assert outcome.person.sub == user.id
    assert outcome.person.methods == ("pwd",)
    await house.directory.farewells.close()
    assert not house.state.sessions
    assert house.standin.calls("/logout?scope=local") == 1
    assert house.clocks.slept == []  # only refusals wait


async def test_a_session_of_the_persons_own_app_stays(house: House) -> None:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    own = house.state.open_session(user, "password")
    await house.sign_in()
    await house.directory.farewells.close()
    assert list(house.state.sessions) == [own.id]


async def test_nothing_of_the_visitors_goes_out_but_the_two_he_typed(house: House) -> None:
    await house.sign_in()
    seen = house.standin.gate.seen[0]
    assert seen.path == f"/auth/v1{TOKEN}"
    assert json.loads(seen.body) == {"email": EMAIL, "password": PASSWORD}
    assert seen.headers.pop("host") == f"127.0.0.1:{house.standin.port}"
    assert set(seen.headers) == {
        *("accept", "accept-encoding", "apikey", "content-length", "content-type", "user-agent"),
        "x-supabase-api-version",
    }
    assert seen.headers["apikey"] == house.policy.publishable_key
    assert seen.headers["x-supabase-api-version"] == "2024-01-01"


async def test_a_key_of_the_old_kind_is_a_bearer_too(house: House) -> None:
    old = house.standin.gate.anon
    directory = house.another(publishable_key=old)
    outcome = await directory.sign_in_with_password(EMAIL, PASSWORD, From("192.0.2.1"))
    assert isinstance(outcome, SignedIn)
    await directory.close()
    headers = house.standin.gate.seen[0].headers
    assert (headers["apikey"], headers["authorization"]) == (old, f"Bearer {old}")


async def test_the_address_goes_along_only_when_asked_for_and_allowed(house: House) -> None:
    gate = house.standin.gate
    rows = (
        ({"forward_address": True}, "203.0.113.9", gate.secret, "203.0.113.9"),
        ({"forward_address": True}, "2001:db8::1", gate.secret, "2001:db8::1"),
        ({"forward_address": True}, "203.0.113.9, 10.0.0.1", gate.publishable, None),
        ({"forward_address": True}, "testclient", gate.publishable, None),
        ({"forward_address": True, "secret_key": None}, "203.0.113.9", gate.publishable, None),
        (
            {"forward_address": True, "secret_key": gate.service_role},
            "203.0.113.9",
            gate.publishable,
            None,
        ),
        ({}, "203.0.113.9", gate.publishable, None),
    )
    for policy, address, key, forwarded in rows:
        directory = house.another(**policy)
        gate.seen.clear()
        await directory.sign_in_with_password(EMAIL, PASSWORD, From(address))
        await directory.close()
        headers = gate.seen[0].headers
        assert (headers["apikey"], headers.get("sb-forwarded-for")) == (key, forwarded)
        assert "x-forwarded-for" not in headers
    own = house.another(forward_address=True, forward_header="X-Forwarded-For", secret_key=None)
    gate.seen.clear()
    await own.sign_in_with_password(EMAIL, PASSWORD, From("203.0.113.9"))
    await own.close()
    headers = gate.seen[0].headers
    assert (headers["x-forwarded-for"], headers["apikey"]) == ("203.0.113.9", gate.publishable)


async def test_every_wrong_sign_in_looks_alike(house: House) -> None:
    state = house.state
    state.add_user("banned@example.com", PASSWORD, banned_until=time.time() + 60)
    state.add_user("new@example.com", PASSWORD, confirmed=False)
    state.add_user("sso@example.com", None, sso=True)
    state.add_user("github@example.com", None)
    for email, password in (
        (EMAIL, "wrong"),
        (EMAIL, ""),
        (EMAIL, "x" * 1025),
        (EMAIL, "\ud800"),
        ("nobody@example.com", PASSWORD),
        ("banned@example.com", PASSWORD),
        ("banned@example.com", "wrong"),
        ("new@example.com", "wrong"),
        ("sso@example.com", PASSWORD),
        ("github@example.com", PASSWORD),
        ("", PASSWORD),
        ("a\0b@example.com", PASSWORD),
    ):
        house.clocks.slept.clear()
        assert await house.sign_in(email, password) == Refused()
        assert len(house.clocks.slept) == 1
        assert 0 < house.clocks.slept[0] <= house.policy.refusal_floor


async def test_a_right_password_of_an_unconfirmed_address_is_told(house: House) -> None:
    house.state.add_user("new@example.com", PASSWORD, confirmed=False)
    expected = Refused(Explain.EMAIL_NOT_CONFIRMED)
    assert await house.sign_in("new@example.com") == expected


async def test_anonymous_people_are_refused(house: House, logged: list[str]) -> None:
    user = house.state.add_user("anon@example.com", PASSWORD, anonymous=True)
    assert await house.sign_in("anon@example.com") == Refused(Explain.ANONYMOUS)
    await house.directory.farewells.close()
    assert user.id not in [session.user.id for session in house.state.sessions.values()]


async def test_a_captcha_or_no_passwords_at_all_is_told_to_both(
    house: House, logged: list[str]
) -> None:
    house.standin.options.captcha = True
    assert await house.sign_in() == Refused(Explain.CAPTCHA_REQUIRED)
    assert await house.sign_in("nobody@example.com") == Refused(Explain.CAPTCHA_REQUIRED)
    house.standin.options.email = False
    assert await house.sign_in() == Refused(Explain.PASSWORDS_OFF)
    text = "\n".join(logged)
    assert "supabase.captcha_is_on" in text
    assert "supabase.passwords_are_off" in text


async def test_too_many_is_a_pause_of_our_own(house: House, logged: list[str]) -> None:
    for _ in range(30):
        assert isinstance(await house.sign_in(), SignedIn)
    before = house.standin.calls(TOKEN)
    assert await house.sign_in() == Unavailable(RETRY_LIMIT)
    assert house.standin.calls(TOKEN) == before + 1  # asking again would make it worse
    assert "supabase.rate_limited" in logged[0]


async def test_a_wrong_key_is_our_fault_and_nobodys_password(
    house: House, logged: list[str]
) -> None:
    directory = house.another(publishable_key="sb_publishable_wrong")
    outcome = await directory.sign_in_with_password(EMAIL, PASSWORD, From("192.0.2.1"))
    assert outcome == Unavailable(RETRY_OURS)
    await directory.close()
    assert "supabase.key_refused" in logged[0]
    for body in (b'{"code":"invalid_credentials"}', b"<h1>401</h1>", b""):
        house.standin.clear()
        house.standin.fault(TOKEN, status=401, body=body)
        assert await house.sign_in() == Unavailable(RETRY_OURS)


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "how",
    [
        {"status": 500, "body": b'{"code":"unexpected_failure"}'},
        {"status": 500, "body": b'{"code":"hook_timeout"}'},
        {"status": 502, "body": b"<html>bad gateway</html>"},
        {"status": 503},
        {"status": 200, "body": b"<html>hello</html>"},
        {"cut": True},
        {"cut": True, "after": True},
        {"half": True},
    ],
    ids=lambda how: ",".join(f"{k}={v}"[:24] for k, v in how.items()),
)
async def test_a_fault_is_asked_again_once_and_then_is_unavailable(
    house: House, how: dict[str, object], logged: list[str]
) -> None:
    house.standin.fault(TOKEN, times=1, **how)
    assert isinstance(await house.sign_in(), SignedIn)
    house.standin.clear()
    house.standin.fault(TOKEN, **how)
    before = house.standin.calls(TOKEN)
    assert await house.sign_in() == Unavailable(RETRY_OUTAGE)
    assert house.standin.calls(TOKEN) == before + 2
    assert all(line.startswith("supabase.unanswered") for line in logged)


@pytest.mark.parametrize(
    "how",
    [
        {"status": 200, "body": b"{}"},
        {"status": 200, "body": b"[]"},
        {"status": 200, "body": b'{"access_token":"a","user":{"id":"x"}}'},
        {"status": 204},
        {"status": 302, "headers": {"Location": "/elsewhere"}},
        {"status": 400, "body": b'{"code":"something_new","message":"secret-4711"}'},
        {"status": 400, "body": b"<h1>secret-4711</h1>"},
        {"status": 404, "body": b'{"code":404,"msg":"secret-4711"}'},
        {"status": 409, "body": b'{"code":"conflict"}'},
        {"status": 422, "body": b'{"code":["invalid_credentials"]}'},
    ],
    ids=lambda how: f"{how['status']}-{how.get('body', b'')[:24]!r}",
)
async def test_what_is_not_understood_is_never_held_against_anybody(
    house: House, how: dict[str, object], logged: list[str]
) -> None:
    house.standin.fault(TOKEN, **how)
    assert await house.sign_in() == Unavailable(RETRY_OURS)
    assert "supabase.unexpected_answer" in logged[0]
    assert "secret-4711" not in "".join(logged)


async def test_a_huge_answer_is_not_read_to_its_end(house: House) -> None:
    house.standin.fault(TOKEN, huge=True)
    assert await house.sign_in() == Unavailable(RETRY_OUTAGE)


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":"invalid_credentials","message":"m"}',
        b'{"code":400,"error_code":"invalid_credentials","msg":"m"}',
        b'{"error":"invalid_credentials","error_description":"m"}',
    ],
)
async def test_the_code_is_read_in_each_of_its_shapes(house: House, body: bytes) -> None:
    house.standin.fault(TOKEN, status=400, body=body)
    assert await house.sign_in() == Refused()


async def test_the_code_may_be_in_the_header_alone(house: House) -> None:
    house.standin.fault(TOKEN, status=400, headers={"x-sb-error-code": "user_banned"})
    assert await house.sign_in() == Refused()


async def test_nobody_there_is_unavailable(logged: list[str]) -> None:
    async with opened_house(auth_url="http://127.0.0.1:1/auth/v1") as house:
        assert await house.sign_in() == Unavailable(RETRY_OUTAGE)
        assert house.clocks.slept == [0.2]  # the pause before the second try


@clause("ASVS 5.0", "6.3.8")
async def test_known_and_unknown_addresses_take_the_same_time() -> None:
    """With real times and a real, shorter beat."""
    options = Options(known_takes=0.084, unknown_takes=0.006)
    async with opened_house(options, refusal_floor=0.3) as house:
        house.clocks.sleep = asyncio.sleep
        directory = house.another()
        house.state.add_user(EMAIL, PASSWORD)
        house.state.add_user("banned@example.com", PASSWORD, banned_until=time.time() + 60)
        took = []
        for email in (EMAIL, "nobody@example.com", "banned@example.com", "\0"):
            began = time.monotonic()
            outcome = await directory.sign_in_with_password(email, "wrong", From("192.0.2.1"))
            assert outcome == Refused()
            took.append(time.monotonic() - began)
        await directory.close()
        assert max(took) - min(took) < 0.05, took
        assert min(took) >= 0.29


async def test_a_slow_refusal_waits_for_the_next_beat() -> None:
    now, slept = [100.0], []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace = Pace(1.0, clock=lambda: now[0], sleep=sleep, most=1)
    for elapsed, waits in ((0.25, 0.75), (1.25, 0.75), (2.5, 0.5), (0.0, 1.0)):
        with pace as began:
            assert pace.full
            now[0] += elapsed
            await pace.next_beat(began)
        assert slept.pop() == pytest.approx(waits)
    assert not pace.full


async def test_a_second_factor_is_asked_for_before_anything_else(house: House) -> None:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    house.state.add_factor(user, status="unverified")
    assert isinstance(await house.sign_in(), SignedIn)
    house.state.add_factor(user)
    assert isinstance(await house.sign_in(), NeedsFactor)
    assert await house.sign_in(password="wrong") == Refused()


async def test_two_hundred_people_at_once_are_never_mixed() -> None:
    """Each from an address of their own, so that the limiter is on and passed honestly."""
    async with opened_house(quick(), forward_address=True) as house:
        people = {f"p{n}@example.com": f"the password of number {n:04}" for n in range(200)}
        subs = {email: house.state.add_user(email, pw).id for email, pw in people.items()}

        async def one(n: int, email: str, password: str) -> object:
            return await house.sign_in(email, password, From(f"198.51.100.{n}"))

        every = [one(n, *pair) for n, pair in enumerate(people.items())]
        for email, outcome in zip(people, await asyncio.gather(*every), strict=True):
            assert isinstance(outcome, SignedIn)
            assert (outcome.person.sub, outcome.person.display) == (subs[email], email)
        crossed = zip(people, reversed(people.values()), strict=True)
        answers = await asyncio.gather(*(one(n, *pair) for n, pair in enumerate(crossed)))
        assert answers == [Refused()] * 200
        await house.directory.farewells.close()
        assert not house.state.sessions
        assert house.directory.farewells.failures == 0


async def test_a_sign_out_that_fails_is_counted_and_harms_nobody(
    house: House, logged: list[str]
) -> None:
    house.standin.fault("/logout", status=503)
    for _ in range(3):
        assert isinstance(await house.sign_in(), SignedIn)
    await house.directory.farewells.close()
    assert house.directory.farewells.failures == 3
    assert "supabase.session_left_open" in "".join(logged)
