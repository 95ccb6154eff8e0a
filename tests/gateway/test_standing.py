"""Whose a token is and whether it may still be used: by the grant, or by the person."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from authgate.directories.contract import Gone, Recheck, StillGood, Unavailable
from authgate.gateway import standing_elsewhere
from authgate.gateway.standing import ByGrant, Standing
from authgate.gateway.standing_elsewhere import ASK_EVERY, ByPerson
from authgate.issuers.contract import AccessClaims
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.policy import Policy
from authgate.protocol.records import AuditEvent, Link, Person, Session
from authgate.store.contract import StoreUnavailable
from authgate.store.sqlite import SqliteStore
from tests.security.making import make_grant, opened_store

NOW = 1_800_000_000
UUID = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
OURS = "ag_" + "p" * 22
POLICY = Policy("https://a.example", ("https://a.example/mcp",), ("mcp:use",), outage_grace=900)


@dataclass
class Home:
    """A directory as far as a recheck goes. `door` holds its answers back."""

    name: str = "supabase"
    can_recheck: bool = True
    says: Recheck | Exception | None = None
    asked: list[str] = field(default_factory=list)
    door: asyncio.Event = field(default_factory=asyncio.Event)

    async def recheck(self, sub: str) -> Recheck:
        self.asked.append(sub)
        await self.door.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says or StillGood(Person(sub, self.name, "person@example.com"))


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def home() -> Home:
    made = Home()
    made.door.set()
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def standings(store: SqliteStore, home: Home, clock: Clock) -> AsyncIterator[ByPerson]:
    directory: Any = home
    made = ByPerson(store, (directory, directory), POLICY, clock)
    yield made
    await made.close()


def a_token(sub: str = UUID, **but: Any) -> AccessClaims:
    made = AccessClaims(sub, "client_1", (), "https://a.example/mcp", "", "", NOW, NOW + 300)
    return replace(made, **but)


async def refused(standings: Any, sub: str = UUID, now: int = NOW) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await standings.of(a_token(sub), now)
    return caught.value


async def settled(standings: ByPerson) -> None:
    """What goes on in the background has come to its end."""
    await asyncio.gather(*standings._asking.values(), return_exceptions=True)


# --- by the grant ---------------------------------------------------------------------------------


async def test_a_grant_names_the_person_and_ends_the_token() -> None:
    grant = make_grant()
    rows = {grant.grant_id: grant}

    async def found(grant_id: str) -> Any:
        return rows.get(grant_id)

    store: Any = SimpleNamespace(grant=found)
    by_grant = ByGrant(store)
    token = a_token(grant.person.sub, client_id=grant.client_id, grant_id=grant.grant_id)
    assert await by_grant.of(token, NOW) == Standing(grant.person.sub, "person@example.com")
    for bad, reason in (
        (replace(token, sub="ag_other"), Reason.TOKEN_MALFORMED),
        (replace(token, client_id=""), Reason.TOKEN_MALFORMED),
        (replace(token, grant_id=""), Reason.TOKEN_ENDED),
    ):
        with pytest.raises(Refusal) as caught:
            await by_grant.of(bad, NOW)
        assert caught.value.reason is reason
    rows[grant.grant_id] = replace(grant, revoked_at=NOW)
    with pytest.raises(Refusal) as caught:
        await by_grant.of(token, NOW)
    assert caught.value.reason is Reason.TOKEN_ENDED
    await by_grant.close()


# --- whose it is ----------------------------------------------------------------------------------


async def test_our_own_identifier_is_the_person(standings: ByPerson) -> None:
    assert await standings.of(a_token(), NOW) == Standing(UUID, "person@example.com")


async def test_a_workos_user_is_the_person_of_the_link(
    standings: ByPerson, store: SqliteStore
) -> None:
    await store.link(Link("user_01ABC", UUID, "completed", NOW), _event())
    assert (await standings.of(a_token("user_01ABC"), NOW)).sub == UUID


@pytest.mark.parametrize(
    "sub",
    [
        "user_01UNKNOWN",
        "person@example.com",
        "ABCDEF00-2222-4333-8444-555555555555",
        UUID + "x",
        "{" + UUID + "}",
        UUID.replace("-", ""),
        "ag_short",
        OURS,  # a person of the embedded directory, which has no say here
        "client_01ABC",
        "user_",
        "user_" + "x" * 300,
        "root",
        "user_01\nx",
        "é",
    ],
)
async def test_who_is_not_known_is_refused_and_named(
    standings: ByPerson, home: Home, sub: str
) -> None:
    said = await refused(standings, sub)
    assert said.reason is Reason.TOKEN_PERSON_UNKNOWN
    assert said.sentence.isprintable()
    assert home.asked == []


async def test_a_link_to_somebody_of_another_directory_opens_nothing(
    standings: ByPerson, store: SqliteStore
) -> None:
    await store.link(Link("user_01ABC", OURS, "completed", NOW), _event())
    assert (await refused(standings, "user_01ABC")).reason is Reason.TOKEN_PERSON_UNKNOWN


async def test_an_address_is_never_a_person(standings: ByPerson, store: SqliteStore) -> None:
    """Even if somebody managed to make a link of one."""
    await store.link(Link("person@example.com", UUID, "email", NOW), _event())
    assert (await refused(standings, "person@example.com")).reason is Reason.TOKEN_PERSON_UNKNOWN


async def test_our_own_people_are_known_by_their_form(store: SqliteStore, clock: Clock) -> None:
    home: Any = Home(name="embedded")
    home.door.set()
    standings = ByPerson(store, (home,), POLICY, clock)
    assert (await standings.of(a_token(OURS), NOW)).sub == OURS
    assert (await refused(standings, UUID)).reason is Reason.TOKEN_PERSON_UNKNOWN
    await standings.close()


# --- the bar --------------------------------------------------------------------------------------


async def test_the_bar_is_read_on_every_call(standings: ByPerson, store: SqliteStore) -> None:
    await standings.of(a_token(), NOW)
    await store.bar(UUID, "operator", NOW, _event())
    for _ in range(2):
        assert (await refused(standings)).reason is Reason.TOKEN_PERSON_BARRED
    await store.open_session(Session("d" * 64, _person(), NOW + 1, NOW + 60), _event())
    assert await standings.of(a_token(), NOW)


async def test_the_bar_is_the_persons_whatever_name_the_token_has(
    standings: ByPerson, store: SqliteStore
) -> None:
    await store.link(Link("user_01ABC", UUID, "completed", NOW), _event())
    await store.bar(UUID, "operator", NOW, _event())
    assert (await refused(standings, "user_01ABC")).reason is Reason.TOKEN_PERSON_BARRED


async def test_without_a_way_to_ask_the_bar_still_counts(
    standings: ByPerson, store: SqliteStore, home: Home
) -> None:
    home.can_recheck = False
    assert await standings.of(a_token(), NOW) == Standing(UUID, UUID)
    await store.bar(UUID, "operator", NOW, _event())
    assert (await refused(standings)).reason is Reason.TOKEN_PERSON_BARRED
    assert home.asked == []


# --- the recheck ----------------------------------------------------------------------------------


async def test_somebody_gone_is_barred_at_their_very_first_call(
    standings: ByPerson, store: SqliteStore, home: Home
) -> None:
    home.says = Gone()
    assert (await refused(standings)).reason is Reason.TOKEN_PERSON_BARRED
    bar = await store.bar_of(UUID)
    assert bar is not None
    assert bar.reason == "person_gone"
    (event,) = [one for one in await store.audit_events() if one.event == "person.barred"]
    assert (event.actor, event.outcome) == (UUID, "done")


async def test_a_person_is_asked_about_once_a_minute(
    standings: ByPerson, home: Home, clock: Clock
) -> None:
    for second in range(3 * ASK_EVERY):
        clock.now = NOW + second
        await standings.of(a_token(), clock.now)
        await settled(standings)
    assert home.asked == [UUID] * 3


async def test_a_crowd_asks_once(standings: ByPerson, home: Home) -> None:
    home.door.clear()
    calls = [asyncio.create_task(standings.of(a_token(), NOW)) for _ in range(50)]
    await asyncio.sleep(0.01)
    home.door.set()
    await asyncio.gather(*calls)
    assert home.asked == [UUID]


async def test_no_later_call_waits_for_the_directory(
    standings: ByPerson, store: SqliteStore, home: Home, clock: Clock
) -> None:
    """And who turns out to be gone meanwhile is refused from the next call on."""
    await standings.of(a_token(), NOW)
    home.door.clear()
    home.says = Gone()
    clock.now = NOW + ASK_EVERY
    began = time.monotonic()
    assert await standings.of(a_token(), clock.now)
    assert time.monotonic() - began < standing_elsewhere.FIRST_WAIT / 2
    home.door.set()
    await settled(standings)
    assert (await refused(standings)).reason is Reason.TOKEN_PERSON_BARRED
    # whoever signs in anew was vouched for since, and nothing of before is held against them
    home.says = None
    asked = clock.now + 1
    await store.open_session(Session("d" * 64, _person(), asked, asked + 60), _event())
    assert await standings.of(a_token(), clock.now)


async def test_the_first_call_waits_a_moment_and_no_longer(
    standings: ByPerson, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_elsewhere, "FIRST_WAIT", 0.05)
    home.door.clear()
    assert await standings.of(a_token(), NOW) == Standing(UUID, UUID)
    home.door.set()
    await settled(standings)
    assert (await standings.of(a_token(), NOW)).display == "person@example.com"


async def test_an_outage_is_believed_through_and_not_for_ever(
    standings: ByPerson, home: Home, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    for level in ("warning", "error"):
        monkeypatch.setattr(log, level, lambda event, **_: told.append(event))
    await standings.of(a_token(), NOW)
    home.says = Unavailable(17)
    began = NOW + ASK_EVERY
    for age in range(0, POLICY.outage_grace + 1, 10):
        clock.now = began + age
        assert await standings.of(a_token(), clock.now)
        await settled(standings)
    clock.now = began + POLICY.outage_grace + 1
    for _ in range(5):
        said = await refused(standings, now=clock.now)
        assert (said.reason, said.retry_after) == (Reason.RECHECK_UNAVAILABLE, 17)
        assert said.face.status == 503  # on 401 the client would throw its token away
    clock.now += ASK_EVERY
    await refused(standings, now=clock.now)
    await settled(standings)
    assert set(told[:-1]) == {"recheck.believed"}
    assert told[-1] == "recheck.refused"
    assert len(told) == POLICY.outage_grace // ASK_EVERY + 2  # one a question and not one a call
    home.says = None
    clock.now += ASK_EVERY
    await _tried(standings, clock.now)
    await settled(standings)
    assert await standings.of(a_token(), clock.now)


async def test_somebody_who_was_away_has_the_same_grace(
    standings: ByPerson, home: Home, clock: Clock
) -> None:
    await standings.of(a_token(), NOW)
    home.says = Unavailable()
    clock.now = NOW + 7200
    for age in (0, 1, POLICY.outage_grace):
        assert await standings.of(a_token(), clock.now + age)
        await settled(standings)
    late = clock.now + POLICY.outage_grace + 1
    assert (await refused(standings, now=late)).reason is Reason.RECHECK_UNAVAILABLE


async def test_the_grace_of_somebody_new_begins_with_their_first_call(
    standings: ByPerson, home: Home
) -> None:
    home.says = Unavailable()
    assert await standings.of(a_token(), NOW)
    assert await standings.of(a_token(), NOW + POLICY.outage_grace)
    said = await refused(standings, now=NOW + POLICY.outage_grace + 1)
    assert said.reason is Reason.RECHECK_UNAVAILABLE
    assert said.retry_after


@pytest.mark.parametrize("trouble", [StoreUnavailable("locked"), RuntimeError("a bug")])
async def test_a_bug_in_a_recheck_ends_nothing(
    standings: ByPerson,
    home: Home,
    trouble: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(log, "error", lambda event, **_: told.append(event))
    home.says = trouble
    assert await standings.of(a_token(), NOW)
    home.says = Gone()
    await _tried(standings, NOW)  # asked again at once, the first try having told nothing
    await settled(standings)
    assert (await refused(standings)).reason is Reason.TOKEN_PERSON_BARRED
    assert told == ["guard.recheck_broken"]


async def test_what_goes_on_is_bounded(
    standings: ByPerson, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_elsewhere, "MOST_ASKING", 3)
    monkeypatch.setattr(standing_elsewhere, "MOST_PEOPLE", 5)
    monkeypatch.setattr(standing_elsewhere, "FIRST_WAIT", 0.01)
    home.door.clear()
    for number in range(9):
        await standings.of(a_token(f"{number}{UUID[1:]}"), NOW)
    assert len(home.asked) == 3
    assert len(standings._words) == 5
    home.door.set()
    await settled(standings)
    await standings.of(a_token(f"8{UUID[1:]}"), NOW)  # no place before: asked about now
    await settled(standings)
    assert len(home.asked) == 4


async def test_the_end_drops_what_is_being_asked(standings: ByPerson, home: Home) -> None:
    home.door.clear()
    call = asyncio.create_task(standings.of(a_token(), NOW))
    await asyncio.sleep(0.01)
    await standings.close()
    assert not standings._asking
    await call


async def test_an_outage_of_our_own_store_lets_nobody_through(
    standings: ByPerson, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(_sub: str) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(store, "bar_of", locked)
    with pytest.raises(StoreUnavailable):
        await standings.of(a_token(), NOW)


async def _tried(standings: ByPerson, now: int) -> None:
    with contextlib.suppress(Refusal):
        await standings.of(a_token(), now)


def _person() -> Person:
    return Person(UUID, "supabase", "person@example.com")


def _event() -> AuditEvent:
    return AuditEvent(NOW, "test", "done")
