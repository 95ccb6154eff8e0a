"""Kept sessions: whose end is seen, that one holder refreshes, and that no fault ends anybody."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from authgate.directories.contract import (
    Gone,
    NeedsFactor,
    Refused,
    SignedIn,
    StillGood,
    Unavailable,
)
from authgate.directories.supabase import kept, kept_state
from authgate.directories.supabase.directory import SupabaseDirectory, Timing
from authgate.store.contract import StoreUnavailable
from tests.clauses import clause
from tests.directories.supabase_house import (
    CALLBACK,
    EMAIL,
    PASSWORD,
    VISITOR,
    House,
    opened_house,
    quick,
)
from tests.security.making import OTHER_SECRET, make_vault
from tests.standins.supabase_state import ProviderPerson, Session, User

REFRESH = "/token?grant_type=refresh_token"
NOW = 1_800_000_000


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A directory that keeps sessions and has no secret key, with an Ana in its project."""
    async with opened_house(quick(rate_limited=False), keep_session=True, secret_key=None) as one:
        one.state.add_user(EMAIL, PASSWORD)
        yield one


@pytest.fixture
def ana(house: House) -> User:
    user = house.state.user_by_email(EMAIL)
    assert user is not None
    return user


async def signed_in(house: House) -> Session:
    """Ana signs in; her session at Supabase."""
    before = set(house.state.sessions)
    assert isinstance(await house.sign_in(), SignedIn)
    (new,) = set(house.state.sessions) - before
    return house.state.sessions[new]


async def asked(house: House, ana: User, *, after: float = 61) -> Any:
    """What a recheck says when the memory of the last one is over."""
    house.clocks.forward(after)
    return await house.directory.recheck(ana.id)


def opened(house: House, sealed: str) -> list[Any]:
    state: list[Any] = json.loads(house.vault.open(sealed, "supabase session"))
    return state


def end(house: House) -> dict[str, Callable[[User, Session], Awaitable[None]]]:
    """Everything that ends a session at Supabase."""
    call = house.standin.gate

    async def over_http(method: str, path: str, body: object, bearer: str) -> None:
        import aiohttp

        headers = {"apikey": bearer if bearer == call.secret else call.publishable}
        if bearer != call.secret:
            headers["Authorization"] = f"Bearer {bearer}"
        url = house.standin.auth_url + path
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, json=body, headers=headers) as answer,
        ):
            assert answer.status < 300

    async def signed_out(user: User, _: Session) -> None:
        own = house.standin.access_token(user)  # in their own app, everywhere
        await over_http("POST", "/logout?scope=global", None, own)

    async def new_password(user: User, _: Session) -> None:
        own = house.standin.access_token(user)
        await over_http("PUT", "/user", {"password": "quite another one"}, own)

    async def by_admin(user: User, _: Session, method: str = "PUT", **body: object) -> None:
        await over_http(method, f"/admin/users/{user.id}", body, call.secret)

    return {
        "signed out": signed_out,
        "password changed": new_password,
        "password set": lambda u, s: by_admin(u, s, password="quite another one"),
        "banned": lambda u, s: by_admin(u, s, ban_duration="24h"),
        "deleted": lambda u, s: by_admin(u, s, "DELETE"),
        "deleted softly": lambda u, s: by_admin(u, s, "DELETE", should_soft_delete=True),
    }


ENDS = (
    "signed out",
    "password changed",
    "password set",
    "banned",
    "deleted",
    "deleted softly",
)

# --- what is kept ---------------------------------------------------------------------------------


async def test_a_sign_in_leaves_its_session_sealed_with_us(house: House, ana: User) -> None:
    session = await signed_in(house)
    row = await house.store.kept_session(ana.id)
    assert row is not None
    await house.directory.farewells.close()
    assert house.standin.calls("/logout") == 0
    access, refresh, ends, name = opened(house, row.sealed)
    assert (refresh, name) == (session.refresh[0], session.id)
    assert access in house.state.issued
    assert abs(ends - (time.time() + 3600 - kept_state.MARGIN)) < 5
    for secret in (access, refresh, session.id, EMAIL):
        assert secret not in row.sealed
        assert secret not in repr(row)
    for purpose in ("supabase factor", "supabase social", "at rest"):
        with pytest.raises(Exception, match="AUTHGATE_SECRET_KEY"):
            house.vault.open(row.sealed, purpose)


async def test_a_newer_one_takes_its_place_and_the_older_is_signed_out(
    house: House, ana: User
) -> None:
    own = house.state.open_session(ana, "password")  # of the person's own app
    first = await signed_in(house)
    second = await signed_in(house)
    await house.directory.farewells.close()
    assert set(house.state.sessions) == {own.id, second.id}
    assert first.id != second.id
    row = await house.store.kept_session(ana.id)
    assert row is not None
    assert opened(house, row.sealed)[3] == second.id


async def test_an_older_one_is_signed_out_though_its_access_token_is_old(
    house: House, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_in(house)
    row = await house.store.kept_session(ana.id)
    assert row is not None
    old, read = opened(house, row.sealed)[0], house.standin.signer.read
    monkeypatch.setattr(house.standin.signer, "read", lambda t, now: t != old and read(t, now))
    house.state.shift += 2  # or the refreshed one would be the very same token
    newer = await signed_in(house)
    await house.directory.farewells.close()
    assert (house.standin.calls("/logout?scope=local"), house.standin.calls(REFRESH)) == (2, 1)
    assert list(house.state.sessions) == [newer.id]


async def test_with_a_second_factor_its_session_is_the_one(house: House, ana: User) -> None:
    totp = house.state.add_factor(ana)
    needs = await house.sign_in()
    assert isinstance(needs, NeedsFactor)
    assert await house.store.kept_session(ana.id) is None
    for _ in range(2):  # two right answers end in one session, which neither ends
        outcome = await house.directory.answer_factor(needs.sealed, totp.code(), VISITOR)
        assert isinstance(outcome, SignedIn)
    await house.directory.farewells.close()
    (session,) = house.state.sessions.values()
    assert session.aal == "aal2"
    row = await house.store.kept_session(ana.id)
    assert row is not None
    assert opened(house, row.sealed)[1] == session.active
    assert isinstance(await asked(house, ana, after=3601), StillGood)


async def test_whoever_is_refused_leaves_no_session_anywhere(house: House, ana: User) -> None:
    strict = house.another(require_aal2=True)
    outcome = await strict.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
    assert isinstance(outcome, Refused)
    await strict.close()
    people = house.state.provider_people["github"]
    people.append(ProviderPerson("1", "octo@example.com", verified=False))
    assert house.state.sessions == {}
    assert await house.store.kept_session(ana.id) is None


async def test_social_sessions_are_kept_too(house: House) -> None:
    begun = await house.directory.start_social("github", CALLBACK, "tx")
    octo = house.state.add_user("octo@example.com")
    house.state.add_identity(octo, "github", "1", octo.email, verified=True)
    flow = _flow_of(house, begun, octo)
    outcome = await house.directory.finish_social("github", begun.sealed, {"code": flow}, VISITOR)
    assert isinstance(outcome, SignedIn)
    assert await house.store.kept_session(octo.id) is not None
    house.standin.clear()
    assert isinstance(await asked(house, octo, after=3601), StillGood)


def _flow_of(house: House, begun: Any, user: User) -> str:
    """The code of a hand-off that this person finished."""
    from urllib.parse import parse_qs, urlsplit

    from tests.standins.supabase_state import Flow

    asked_for = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}
    flow = Flow("github", CALLBACK, asked_for["code_challenge"], "s256", house.state.now())
    flow.code, flow.user = "the-code", user
    house.state.flows["flow"] = flow
    return flow.code


async def test_what_is_sealed_has_a_bound(
    house: House, ana: User, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(kept_state, "MAX_ACCESS", 100)
    await signed_in(house)
    row = await house.store.kept_session(ana.id)
    assert row is not None
    assert len(row.sealed) < 1000
    assert opened(house, row.sealed)[0] == ""
    assert isinstance(await asked(house, ana), StillGood)  # by a refresh, then
    assert house.standin.calls(REFRESH) == 1
    monkeypatch.setattr(kept_state, "MAX_REFRESH", 11)
    assert isinstance(await house.sign_in(), SignedIn)
    assert await house.store.kept_session(ana.id) is None
    await house.directory.farewells.close()
    assert house.state.sessions == {}
    assert any("supabase.session_not_kept" in line for line in logged)


async def test_what_cannot_be_kept_signs_nobody_in(
    house: House, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(house.store, "keep_session", full)
    with pytest.raises(StoreUnavailable):
        await house.sign_in()
    await house.directory.farewells.close()
    assert house.state.sessions == {}


# --- asking with it -------------------------------------------------------------------------------


async def test_while_the_access_token_lives_it_is_asked_with(house: House, ana: User) -> None:
    assert house.directory.can_recheck
    await signed_in(house)
    await asked(house, ana, after=59)
    assert house.standin.calls("/user") == 0  # the sign-in counts as one
    for n in range(1, 4):
        outcome = await asked(house, ana)
        assert isinstance(outcome, StillGood)
        assert (outcome.person.sub, outcome.person.display) == (ana.id, EMAIL)
        assert house.standin.calls("/user") == n
    assert house.standin.calls(REFRESH) == house.standin.calls("/admin/") == 0


async def test_then_it_is_refreshed_and_the_newer_one_kept(house: House, ana: User) -> None:
    session = await signed_in(house)
    for n in range(1, 4):
        assert isinstance(await asked(house, ana, after=3601), StillGood)
        assert house.standin.calls(REFRESH) == n
        row = await house.store.kept_session(ana.id)
        assert row is not None
        assert row.held_until == 0
        assert opened(house, row.sealed)[1] == session.active == session.refresh[n]
    assert house.standin.calls("/user") == 0
    assert list(house.state.sessions) == [session.id]


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("age", [61, 3601])
@clause("ASVS 5.0", "7.4.2")
async def test_every_end_at_supabase_is_an_end_here(
    house: House, ana: User, how: str, age: int
) -> None:
    session = await signed_in(house)
    await end(house)[how](ana, session)
    assert await asked(house, ana, after=age) == Gone()
    assert await house.store.kept_session(ana.id) is None
    assert await asked(house, ana) == Gone()


async def test_a_session_that_has_had_its_time_is_over(house: House, ana: User) -> None:
    await signed_in(house)
    house.standin.options.sessions_last = 0
    assert isinstance(await asked(house, ana), StillGood)  # told at a refresh only
    assert await asked(house, ana, after=3601) == Gone()


async def test_a_ban_that_only_the_person_shows_is_one(house: House, ana: User) -> None:
    """As servers before 2.195 tell it."""
    await signed_in(house)
    ana.banned_until = time.time() + 600
    body = json.dumps(ana.body()).encode()
    house.standin.fault("/user", status=200, body=body)
    assert await asked(house, ana) == Gone()
    assert await house.store.kept_session(ana.id) is None


@pytest.mark.parametrize("where", ["/user", REFRESH])
@pytest.mark.parametrize(
    "how",
    [
        {"status": 503},
        {"status": 500, "body": b'{"code":"unexpected_failure"}'},
        {"cut": True},
        {"half": True},
        {"huge": True},
        {"status": 200, "body": b"<html>"},
        {"status": 200, "body": b"{}"},
        {"status": 200, "body": b'{"id":"00000000-0000-4000-8000-000000000000"}'},
        {"status": 200, "body": b'{"access_token":"a.b.c","user":{"id":""}}'},
        {"status": 404, "body": b'{"message":"no Route matched"}'},
        {"status": 401, "body": b'{"message":"Invalid API key"}'},
        {"status": 403, "body": b"<h1>Forbidden</h1>"},
        {"status": 409, "body": b'{"code":"conflict"}'},
        {"status": 429, "body": b'{"code":"over_request_rate_limit"}'},
        {"status": 500, "body": b'{"code":"user_not_found"}'},
    ],
    ids=str,
)
async def test_trouble_of_any_kind_ends_nothing(
    house: House, ana: User, how: dict[str, Any], where: str
) -> None:
    session = await signed_in(house)
    house.standin.fault(where, **how)
    outcome = await asked(house, ana, after=3601 if where == REFRESH else 61)
    assert isinstance(outcome, Unavailable)
    assert outcome.retry_after
    house.standin.clear()
    assert isinstance(await asked(house, ana, after=6), StillGood)
    assert list(house.state.sessions) == [session.id]
    assert isinstance(await asked(house, ana, after=3601), StillGood)


async def test_an_answer_that_got_lost_is_given_once_more(house: House, ana: User) -> None:
    session = await signed_in(house)
    house.standin.fault(REFRESH, cut=True, after=True, times=1)
    assert isinstance(await asked(house, ana, after=3601), StillGood)
    assert house.standin.calls(REFRESH) == 2
    house.standin.fault(REFRESH, cut=True, after=True, times=2)  # and both tries
    assert isinstance(await asked(house, ana, after=3601), Unavailable)
    assert isinstance(await asked(house, ana, after=6), StillGood)
    assert len(session.refresh) == 3


async def test_an_access_token_that_ends_early_is_refreshed(house: House, ana: User) -> None:
    await signed_in(house)
    house.standin.fault("/user", status=403, body=b'{"code":"bad_jwt"}')
    assert isinstance(await asked(house, ana), StillGood)
    assert (house.standin.calls("/user"), house.standin.calls(REFRESH)) == (1, 1)


async def test_somebody_elses_session_vouches_for_nobody(house: House, ana: User) -> None:
    """A row that somebody put in another's place, say."""
    house.state.add_user("other@example.com", PASSWORD)
    other = await house.sign_in("other@example.com")
    assert isinstance(other, SignedIn)
    row = await house.store.kept_session(other.person.sub)
    assert row is not None
    await house.store.keep_session(ana.id, row.sealed, NOW)
    for age in (61, 3601):
        assert isinstance(await asked(house, ana, after=age), Unavailable)


# --- one holder -----------------------------------------------------------------------------------


async def test_a_crowd_makes_one_refresh(house: House, ana: User) -> None:
    await signed_in(house)
    house.clocks.forward(3601)
    words = await asyncio.gather(*(house.directory.recheck(ana.id) for _ in range(50)))
    assert all(isinstance(word, StillGood) for word in words)
    assert house.standin.calls(REFRESH) == 1


async def test_of_many_processes_one_refreshes(
    house: House, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a memory of its own; what they share is the row."""
    session = await signed_in(house)
    monkeypatch.setattr(kept, "WAIT", 0.05)
    monkeypatch.setattr(kept, "TURNS", 60)
    timing = Timing(lambda: time.time() + 3601)
    several = [
        SupabaseDirectory(house.policy, house.fetch, house.vault, house.store, timing)
        for _ in range(5)
    ]
    house.standin.fault(REFRESH, delay=0.3)
    words = await asyncio.gather(*(one.recheck(ana.id) for one in several))
    for one in several:
        await one.close()
    assert all(isinstance(word, StillGood) for word in words)
    assert house.standin.calls(REFRESH) == 1
    assert len(session.refresh) == 2


async def test_a_holder_that_died_with_the_answer_ends_nobody(house: House, ana: User) -> None:
    session = await signed_in(house)
    row = await house.store.kept_session(ana.id)
    assert row is not None
    house.clocks.forward(3601)
    now = int(time.time()) + 3601
    assert await house.store.hold_kept_session(ana.id, row.version, now, now + kept.HOLD)
    session.swap(session.refresh[0], house.state.now())  # Supabase gave it the newer one
    assert isinstance(await asked(house, ana, after=0), Unavailable)  # while it may live
    assert sum(house.clocks.slept) == kept.WAIT * kept.TURNS <= 5
    assert house.standin.calls(REFRESH) == 0
    assert isinstance(await asked(house, ana, after=kept.HOLD + 1), StillGood)
    assert len(session.refresh) == 2  # the same one again
    assert isinstance(await asked(house, ana, after=3601), StillGood)


async def test_a_sign_in_during_the_refresh_stays_the_kept_one(house: House, ana: User) -> None:
    await signed_in(house)
    house.clocks.forward(3601)
    house.standin.fault(REFRESH, delay=0.2, times=1)
    refreshing = asyncio.create_task(house.directory.recheck(ana.id))
    for _ in range(200):
        await asyncio.sleep(0.005)
        if house.standin.calls(REFRESH):
            break
    newer = await signed_in(house)
    assert isinstance(await refreshing, StillGood)
    row = await house.store.kept_session(ana.id)
    assert row is not None
    assert opened(house, row.sealed)[3] == newer.id
    await house.directory.farewells.close()
    assert list(house.state.sessions) == [newer.id]


async def test_a_sign_out_of_an_older_one_is_none_of_the_newer(house: House, ana: User) -> None:
    """Heard late: meanwhile the person signed in anew."""
    await signed_in(house)
    body = b'{"code":"session_not_found"}'
    house.standin.fault("/user", status=403, body=body, delay=0.2, times=1)
    house.clocks.forward(61)
    asking = asyncio.create_task(house.directory.recheck(ana.id))
    for _ in range(200):
        await asyncio.sleep(0.005)
        if house.standin.calls("/user"):
            break
    newer = await signed_in(house)
    assert isinstance(await asking, StillGood)
    assert newer.id in house.state.sessions


# --- nothing to ask with --------------------------------------------------------------------------


async def test_a_token_that_others_used_says_nothing_about_the_person(
    house: House, ana: User, logged: list[str]
) -> None:
    """A restored or copied database, say. With a secret key others can stand by the person."""
    keyed = house.another(secret_key=house.standin.gate.secret)
    for directory, word in ((keyed, StillGood), (house.directory, Gone)):
        await directory.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
        row = await house.store.kept_session(ana.id)
        assert row is not None
        session = house.state.sessions[opened(house, row.sealed)[3]]
        for _ in range(2):
            session.swap(session.refresh[-1], house.state.now())
        house.clocks.forward(3601)
        assert isinstance(await directory.recheck(ana.id), word)
        assert await house.store.kept_session(ana.id) is None
        assert any("supabase.session_lost" in line for line in logged)
        logged.clear()
    await keyed.close()


async def test_who_has_no_kept_session_signs_in_once_more(house: House, ana: User) -> None:
    """They did before the switch was set. "Cannot tell" would be a 503 that nothing mends."""
    assert await house.directory.recheck(ana.id) == Gone()
    assert house.standin.gate.seen == []
    await signed_in(house)
    assert isinstance(await house.directory.recheck(ana.id), StillGood)


async def test_with_a_secret_key_the_admin_api_stands_by_them(house: House, ana: User) -> None:
    keyed = house.another(secret_key=house.standin.gate.secret)
    assert isinstance(await keyed.recheck(ana.id), StillGood)
    assert house.standin.calls("/admin/users/") == 1
    await keyed.close()


async def test_the_kept_session_is_asked_before_the_secret_key(house: House, ana: User) -> None:
    """And in trouble alone: the admin API's good word would hide a sign-out."""
    keyed = house.another(secret_key=house.standin.gate.secret)
    await keyed.sign_in_with_password(EMAIL, PASSWORD, VISITOR)
    house.clocks.forward(61)
    assert isinstance(await keyed.recheck(ana.id), StillGood)
    house.standin.fault("/user", status=503)
    house.clocks.forward(61)
    assert isinstance(await keyed.recheck(ana.id), Unavailable)
    house.standin.clear()
    house.state.end_sessions(ana)
    house.clocks.forward(61)
    assert await keyed.recheck(ana.id) == Gone()
    assert house.standin.calls("/admin/") == 0
    await keyed.close()


async def test_what_a_lost_secret_sealed_is_nothing(
    house: House, ana: User, logged: list[str]
) -> None:
    await signed_in(house)
    row = await house.store.kept_session(ana.id)
    assert row is not None
    sealed = make_vault(OTHER_SECRET).seal("[]", "supabase session")
    await house.store.keep_session(ana.id, sealed, NOW)
    assert await asked(house, ana) == Gone()
    assert await house.store.kept_session(ana.id) is None
    assert any("AUTHGATE_SECRET_KEY" in line for line in logged)


async def test_a_store_that_does_not_answer_ends_nobody(
    house: House, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_in(house)

    async def locked(*_: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "kept_session", locked)
        assert isinstance(await asked(house, ana), Unavailable)
    assert isinstance(await asked(house, ana, after=6), StillGood)


@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("by", ["recheck", "sign-in"])
async def test_without_the_switch_what_was_kept_goes(
    house: House, ana: User, by: str, *, secret: bool
) -> None:
    session = await signed_in(house)
    key = house.standin.gate.secret if secret else None
    off = house.another(keep_session=False, secret_key=key)
    house.clocks.forward(61)
    if by == "recheck":
        outcome = await off.recheck(ana.id)
        assert isinstance(outcome, StillGood if secret else Unavailable)
    else:
        assert isinstance(await off.sign_in_with_password(EMAIL, PASSWORD, VISITOR), SignedIn)
    await off.close()
    assert await house.store.kept_session(ana.id) is None
    assert session.id not in house.state.sessions
    assert house.state.sessions == {}
