"""A login below HTTP: what is kept of it, who is told, and in which order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from authgate.directories.contract import Gone, Recheck, Unavailable
from authgate.issuers.logins import Snag, Vouched
from authgate.protocol import parameters
from authgate.protocol.errors import Reason
from authgate.protocol.logins import LASTS
from authgate.protocol.records import AuthorizationRequest, Person, Session
from authgate.security.digests import digest
from authgate.security.vault import Vault
from authgate.steps import login
from authgate.steps.authorize import Asker
from authgate.steps.parts import LoginParts
from authgate.steps.sign_in import begin_session
from authgate.store.contract import StoreUnavailable
from tests.clauses import clause
from tests.protocol.making import refused
from tests.steps.making import ADDRESS, BROWSER, EMAIL, World
from tests.told_logins import ONWARD, ToldLogins

NAME = "ext_auth_01HXYZ"


def asked(name: str = NAME) -> parameters.Parameters:
    return parameters.read([("external_auth_id", name)])


def parts_with(world: World, logins: ToldLogins) -> LoginParts:
    return LoginParts.of(world.parts, logins)


async def opened(world: World, name: str = NAME) -> AuthorizationRequest:
    asker = Asker("login", BROWSER, cross_site=True, address=ADDRESS)
    handle = await login.open_login(world.parts, asked(name), asker)
    found = await world.store.request(digest(handle))
    assert found is not None
    return found


async def complete(
    world: World, logins: ToldLogins, request: AuthorizationRequest, person: Person | None = None
) -> str:
    return await login.complete(
        parts_with(world, logins), request, person or world.person, address=ADDRESS, via="page"
    )


async def trail(world: World) -> list[tuple[str, str, str | None]]:
    """What the audit trail says of logins, oldest first."""
    events = await world.store.audit_events()
    return [
        (e.outcome, str(e.detail.get("why") or e.detail.get("via")), e.actor)
        for e in reversed(events)
        if e.event == "login.answered"
    ]


async def test_what_is_kept_of_a_login(world: World) -> None:
    request = await opened(world)
    assert (request.kind, request.client_id, request.redirect_uri) == ("login", "", "")
    assert (request.state, request.code_challenge, request.resource) == (None, "", "")
    assert (request.scopes, request.browser_digest) == ((), BROWSER)
    assert request.expires_at == world.clock.now + LASTS == world.clock.now + 300
    assert request.external is not None
    assert NAME not in request.external
    assert NAME not in repr(request)


async def test_the_same_login_may_be_opened_twice(world: World) -> None:
    first, second = await opened(world), await opened(world)
    assert first.request_digest != second.request_digest
    assert first.external != second.external  # nobody sees that they are the same
    logins = ToldLogins()
    await complete(world, logins, second)
    assert [name for name, _ in logins.told] == [NAME]
    # The other row knows nothing of it: AuthKit itself says that it was told before.
    logins.snag(Snag.COMPLETED_BEFORE)
    with refused(Reason.LOGIN_COMPLETED_BEFORE):
        await complete(world, logins, first)


async def test_opening_is_braked(world: World) -> None:
    for _ in range(100):
        await opened(world)
    with refused(Reason.THROTTLED):
        await opened(world)


async def test_the_person_is_told_with_their_own_id_and_address(world: World) -> None:
    logins = ToldLogins()
    assert await complete(world, logins, await opened(world)) == ONWARD
    assert logins.told == [(NAME, Vouched(world.person.sub, EMAIL, confirmed=True))]
    assert logins.learnt == [world.person.sub]
    assert await trail(world) == [("done", "page", world.person.sub)]


@pytest.mark.parametrize(
    "shown", ["491701234567", "7b0c2c5e-8a0c-4f5c-9a55-0c1d0e8a2f11", "a@", "@b"]
)
async def test_nobody_is_told_of_without_an_address(world: World, shown: str) -> None:
    logins, request = ToldLogins(), await opened(world)
    with refused(Reason.LOGIN_EMAIL_MISSING):
        await complete(world, logins, request, replace(world.person, display=shown))
    assert logins.told == []
    assert await complete(world, logins, request) == ONWARD  # somebody else can


async def test_an_address_that_the_directory_did_not_confirm_is_told_as_such(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(login.log, "warning", lambda event, **_: told.append(event))
    logins = ToldLogins()
    await complete(world, logins, await opened(world))
    assert told == []
    logins.told.clear()
    stranger = replace(world.person, directory="a directory that is no more")
    await complete(world, logins, await opened(world), stranger)
    assert logins.told[0][1].confirmed is False
    assert told == ["login.address_unconfirmed"]


@clause("ASVS", "2.3.3")
async def test_of_two_posts_at_once_one_is_told(world: World) -> None:
    logins, request = ToldLogins(), await opened(world)
    logins.held.clear()
    first = asyncio.create_task(complete(world, logins, request))
    await logins.reached.wait()
    with refused(Reason.INTERACTION_ANSWERED):
        await complete(world, logins, request)
    logins.held.set()
    assert await first == ONWARD
    assert len(logins.told) == 1


async def test_forty_posts_at_once(world: World) -> None:
    logins, request = ToldLogins(), await opened(world)
    outcomes = await asyncio.gather(
        *(complete(world, logins, request) for _ in range(40)), return_exceptions=True
    )
    assert outcomes.count(ONWARD) == 1
    assert len(logins.told) == 1


MENDABLE = {
    Snag.EMAIL_TAKEN: Reason.LOGIN_EMAIL_TAKEN,
    Snag.EMAIL_CHANGE: Reason.LOGIN_EMAIL_CHANGE,
    Snag.EMAIL_INVALID: Reason.LOGIN_EMAIL_INVALID,
    Snag.KEY_REFUSED: Reason.LOGIN_KEY_REFUSED,
    Snag.MISCONFIGURED: Reason.LOGIN_MISCONFIGURED,
    Snag.REJECTED: Reason.LOGIN_REJECTED,
    Snag.THROTTLED: Reason.LOGIN_THROTTLED,
    Snag.UNAVAILABLE: Reason.LOGIN_UNAVAILABLE,
}
FINAL = {
    Snag.COMPLETED_BEFORE: Reason.LOGIN_COMPLETED_BEFORE,
    Snag.EXPIRED: Reason.LOGIN_EXPIRED_THERE,
    Snag.LEADS_ELSEWHERE: Reason.LOGIN_LEADS_ELSEWHERE,
}


def test_every_snag_has_a_reason_of_its_own() -> None:
    reasons = {**MENDABLE, **FINAL}
    assert set(reasons) == set(Snag)
    assert len(set(reasons.values())) == len(Snag)
    assert {snag for snag in Snag if snag.final} == set(FINAL)


@pytest.mark.parametrize("snag", MENDABLE, ids=lambda snag: snag.value)
async def test_what_may_pass_leaves_the_person_able_to_try_again(world: World, snag: Snag) -> None:
    logins, request = ToldLogins(), await opened(world)
    logins.snag(snag)
    with refused(MENDABLE[snag]):
        await complete(world, logins, request)
    assert logins.learnt == []
    world.clock.now += 1
    assert await complete(world, logins, request) == ONWARD
    sub = world.person.sub
    assert await trail(world) == [
        ("done", "page", sub),
        ("refused", snag.value, sub),
        ("done", "page", sub),
    ]


@pytest.mark.parametrize("snag", FINAL, ids=lambda snag: snag.value)
async def test_what_nobody_can_mend_stays_answered(world: World, snag: Snag) -> None:
    logins, request = ToldLogins(), await opened(world)
    logins.snag(snag)
    with refused(FINAL[snag]):
        await complete(world, logins, request)
    with refused(Reason.INTERACTION_ANSWERED):
        await complete(world, logins, request)
    assert len(logins.told) == 1
    assert [row[:2] for row in await trail(world)] == [("done", "page"), ("refused", snag.value)]


@pytest.mark.parametrize("snag", [Snag.THROTTLED, Snag.UNAVAILABLE])
@pytest.mark.parametrize(("said", "waits"), [(None, 5), (7, 7), (3600, 60)])
async def test_when_to_come_back(world: World, snag: Snag, said: int | None, waits: int) -> None:
    logins = ToldLogins()
    logins.snag(snag, said)
    with refused(MENDABLE[snag]) as caught:
        await complete(world, logins, await opened(world))
    assert caught.value.retry_after == waits


async def test_a_bug_or_an_end_gives_the_login_back(world: World) -> None:
    logins, request = ToldLogins(), await opened(world)
    logins.says.append(StoreUnavailable("locked"))
    with pytest.raises(StoreUnavailable):
        await complete(world, logins, request)
    logins.held.clear()
    logins.reached.clear()
    interrupted = asyncio.create_task(complete(world, logins, request))
    await logins.reached.wait()
    interrupted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await interrupted
    logins.held.set()
    assert await complete(world, logins, request) == ONWARD
    assert ("refused", "interrupted", world.person.sub) in await trail(world)


async def test_too_late(world: World) -> None:
    logins, request = ToldLogins(), await opened(world)
    world.clock.now += LASTS
    with refused(Reason.INTERACTION_EXPIRED):
        await complete(world, logins, request)
    assert logins.told == []


async def test_a_name_that_nobody_can_open_any_more(world: World) -> None:
    logins, request = ToldLogins(), await opened(world)
    world.parts = replace(world.parts, vault=Vault(["another secret, long enough: 4Kd0sPq81mZx7"]))
    with refused(Reason.INTERACTION_UNKNOWN):
        await complete(world, logins, request)
    assert logins.told == []


# --- going on with a session ----------------------------------------------------------------------


class Home:
    """The directory of this world's person: what it says of everybody is what the test wants."""

    name, can_recheck = "embedded", True

    def __init__(self, word: Recheck) -> None:
        self._word = word

    async def recheck(self, sub: str) -> Recheck:
        return self._word


def says(world: World, word: Recheck) -> None:
    home: Any = Home(word)
    world.parts = replace(world.parts, passwords=home, social=home)


async def session_of(world: World) -> Session:
    return (await begin_session(world.parts, world.person, ADDRESS, world.clock.now)).session


async def test_a_person_who_is_still_good_goes_on(world: World) -> None:
    session = await session_of(world)
    world.clock.now += 3600
    assert await login.still_good(world.parts, session) == world.person


async def test_a_person_who_left_is_signed_out_and_barred(world: World) -> None:
    session = await session_of(world)
    says(world, Gone())
    with refused(Reason.LOGIN_PERSON_GONE):
        await login.still_good(world.parts, session)
    assert await world.store.session(session.session_digest, world.clock.now) is None
    bar = await world.store.bar_of(world.person.sub)
    assert bar is not None
    assert bar.reason == "person_gone"


async def test_an_outage_of_the_directory_is_believed_for_a_while(world: World) -> None:
    session = await session_of(world)
    says(world, Unavailable())
    world.clock.now += 60
    assert await login.still_good(world.parts, session) == world.person
    world.clock.now += world.parts.policy.outage_grace
    with refused(Reason.RECHECK_UNAVAILABLE):
        await login.still_good(world.parts, session)
    assert await world.store.bar_of(world.person.sub) is None
