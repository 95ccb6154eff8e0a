"""AuthKit is told who signed in: through the real SDK, at a stand-in that says no in all ways."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from authgate.issuers.authkit.background import Background
from authgate.issuers.authkit.completion import AuthKitLogins, CompletionPolicy
from authgate.issuers.logins import Completed, NotCompleted, Snag, Vouched
from authgate.protocol.logins import ended_by_us
from authgate.protocol.records import AuditEvent, Link
from authgate.store.sqlite import SqliteStore
from authgate.workos import WorkOS, WorkOSPolicy, WorkOSUser
from tests.clauses import clause
from tests.standins.workos import WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_state import User

NOW = 1_800_000_000
SUB, EMAIL = "0c0a8b9e-6b53-4a0c-9a2f-6f6f1f5f0001", "ada@example.org"
ADA = Vouched(SUB, EMAIL, confirmed=True)
CALLBACK = "http://127.0.0.1:9/callback"


@dataclass
class There:
    """A WorkOS environment, and our end of it."""

    workos: WorkOSStandIn
    store: SqliteStore
    logins: AuthKitLogins
    waited: list[float]

    async def begun(self, browser: Browser | None = None) -> str:
        """The name of a sign-in that AuthKit waits for."""
        registered = self.workos.add_application("Client", [CALLBACK])
        query = (
            f"client_id={registered.client_id}&redirect_uri={CALLBACK}&response_type=code"
            f"&code_challenge={'a' * 43}&code_challenge_method=S256&state=s"
        )
        url = f"{self.workos.authkit_url}/oauth2/authorize?{query}"
        if browser is not None:
            return await self._name(browser, url)
        async with Browser() as fresh:
            return await self._name(fresh, url)

    async def _name(self, browser: Browser, url: str) -> str:
        await browser.open(url, until="http://127.0.0.1:9/")
        return parse_qs(urlsplit(browser.url).query)["external_auth_id"][0]

    def told(self) -> list[dict[str, Any]]:
        calls = self.workos.called("POST /authkit/oauth2/complete")
        return [json.loads(call.body) for call in calls]

    async def snag(self, person: Vouched = ADA, name: str | None = None) -> NotCompleted:
        outcome = await self.logins.complete(name or await self.begun(), person)
        assert isinstance(outcome, NotCompleted), outcome
        return outcome


@pytest.fixture
async def standin() -> AsyncIterator[WorkOSStandIn]:
    async with WorkOSStandIn(login_uri="http://127.0.0.1:9/oauth/login") as workos:
        yield workos


@pytest.fixture
async def there(standin: WorkOSStandIn, store: SqliteStore) -> AsyncIterator[There]:
    async with made(standin, store) as one:
        yield one


@asynccontextmanager
async def made(
    standin: WorkOSStandIn,
    store: SqliteStore,
    *,
    api_key: str | None = None,
    origin: str | None = None,
    link_verified_email: bool = False,
) -> AsyncIterator[There]:
    """Our end, with choices of the operator's. It waits for nothing that it waits for by itself."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await asyncio.sleep(0)

    async def before_ending(session_id: str) -> None:
        await store.first_sight(ended_by_us(session_id), NOW)

    workos_policy = WorkOSPolicy(api_key or standin.api_key, None, standin.api_url)
    workos = WorkOS(workos_policy, sleep, before_ending)
    policy = CompletionPolicy(origin or standin.authkit_url, link_verified_email)
    logins = AuthKitLogins(workos, store, policy, lambda: NOW, sleep)
    yield There(standin, store, logins, waited)
    await logins.close()
    await workos.close()


# --- taken ----------------------------------------------------------------------------------------


async def test_the_person_is_told_by_our_own_id_and_the_browser_goes_on(there: There) -> None:
    async with Browser() as browser:
        outcome = await there.logins.complete(await there.begun(browser), ADA)
        assert isinstance(outcome, Completed)
        assert outcome.onward.startswith(there.workos.authkit_url + "/")
        await browser.open(outcome.onward)
        assert EMAIL in browser.text
    (told,) = there.told()
    assert told["user"] == {"id": SUB, "email": EMAIL}
    assert "state=" not in repr(outcome)


async def test_the_link_is_kept_right_after(there: There) -> None:
    await there.logins.complete(await there.begun(), ADA)
    await there.logins.learn(SUB)
    user = there.workos.user_by_external_id(SUB)
    assert user is not None
    assert await there.store.link_of(user.id) == Link(user.id, SUB, "completed", NOW)
    await there.logins.learn(SUB)  # each login does; nothing new
    assert [e.event for e in await there.store.audit_events()] == ["person.linked"]


async def test_a_look_up_that_fails_is_tried_again_in_the_background(there: There) -> None:
    await there.logins.complete(await there.begun(), ADA)
    there.workos.fail("/user_management/users/external_id/*", status=500, times=3)
    await there.logins.learn(SUB)
    assert len(await there.store.links_to(SUB)) == 1
    assert 2.0 in there.waited


async def test_a_look_up_that_never_works_ends(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    await there.logins.complete(await there.begun(), ADA)
    there.workos.fail("/user_management/users/external_id/*", status=500, times=99)
    await there.logins.learn(SUB)
    assert await there.store.links_to(SUB) == []
    assert "login.link_missing" in "".join(capsys.readouterr())


async def test_a_person_does_not_wait_for_it(there: There) -> None:
    await there.logins.complete(await there.begun(), ADA)
    there.workos.fail("/user_management/users/external_id/*", delay=4.0)
    async with asyncio.timeout(3.5):
        await there.logins.learn(SUB)


async def test_a_workos_user_whose_id_was_changed_is_not_taken_for_the_person_before(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    await there.logins.complete(await there.begun(), ADA)
    user = there.workos.user_by_external_id(SUB)
    assert user is not None
    await there.store.link(Link(user.id, "somebody-else", "completed", NOW - 9), audit())
    await there.logins.learn(SUB)
    found = await there.store.link_of(user.id)
    assert found is not None
    assert found.sub == SUB
    assert "login.link_moved" in "".join(capsys.readouterr())


def audit() -> AuditEvent:
    return AuditEvent(NOW, "person.linked", "done")


# --- every row of the error table -----------------------------------------------------------------


async def test_a_second_time(there: There) -> None:
    name = await there.begun()
    await there.logins.complete(name, ADA)
    assert await there.snag(name=name) == NotCompleted(Snag.COMPLETED_BEFORE)


async def test_unknown(there: There) -> None:
    assert (await there.snag(name="ext_auth_unknown")).snag is Snag.EXPIRED


async def test_too_late(there: There) -> None:
    name = await there.begun()
    there.workos.clock.move(301)
    assert (await there.snag(name=name)).snag is Snag.EXPIRED


async def test_an_address_that_is_another_users(there: There) -> None:
    there.workos.add_user(EMAIL.upper())
    name = await there.begun()
    assert (await there.snag(name=name)).snag is Snag.EMAIL_TAKEN
    # The login is not spent by that: somebody else can go on with it.
    grace = Vouched("grace", "grace@example.org", confirmed=True)
    assert isinstance(await there.logins.complete(name, grace), Completed)


async def test_an_address_that_is_none(there: There) -> None:
    odd = Vouched(SUB, "ada@@example", confirmed=True)
    assert (await there.snag(odd)).snag is Snag.EMAIL_INVALID


COMPLETE = "POST /authkit/oauth2/complete"


@pytest.mark.parametrize(
    ("status", "body", "snag"),
    [
        (400, {"code": "email_change_not_allowed", "message": "x"}, Snag.EMAIL_CHANGE),
        (
            400,
            {"error": "Bad Request", "message": 'Claim "sub" is reserved and cannot be used.'},
            Snag.MISCONFIGURED,
        ),
        (400, {"code": "made_up_tomorrow", "message": "x"}, Snag.MISCONFIGURED),
        (403, {"code": "access_denied", "message": "x"}, Snag.MISCONFIGURED),
        (404, {"message": "Not found."}, Snag.EXPIRED),
        (422, {"code": "invalid_request_parameters", "message": "x", "errors": []}, Snag.REJECTED),
        (422, {"message": "Validation failed."}, Snag.REJECTED),
        (500, {"message": "x"}, Snag.UNAVAILABLE),
        (502, "<html>bad gateway</html>", Snag.UNAVAILABLE),
        (503, None, Snag.UNAVAILABLE),
        (404, "<html>nginx</html>", Snag.MISCONFIGURED),
        (200, {"location": "somewhere"}, Snag.MISCONFIGURED),
    ],
)
async def test_each_answer_is_told_apart(there: There, status: int, body: Any, snag: Snag) -> None:
    there.workos.fail(COMPLETE, status=status, body=body, times=9)
    assert (await there.snag()).snag is snag


async def test_a_wrong_key_is_told_to_the_operator(
    standin: WorkOSStandIn, store: SqliteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    async with made(standin, store, api_key="sk_test_of_another_environment") as there:
        assert (await there.snag()).snag is Snag.KEY_REFUSED
    logged = "".join(capsys.readouterr())
    assert "workos.key_refused" in logged
    assert "sk_test" not in logged


async def test_the_log_names_the_request_and_no_person(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    there.workos.add_user(EMAIL)
    name = await there.begun()
    await there.snag(name=name)
    logged = "".join(capsys.readouterr())
    assert "login.not_completed" in logged
    assert "email_not_available" in logged
    assert "req_" in logged
    assert "AUTHGATE_LINK_VERIFIED_EMAIL" in logged
    assert EMAIL not in logged
    assert name not in logged


async def test_a_limit_says_when(there: There) -> None:
    there.workos.fail(COMPLETE, status=429, headers={"Retry-After": "7"})
    assert await there.snag() == NotCompleted(Snag.THROTTLED, 7)


async def test_nobody_listening(standin: WorkOSStandIn, store: SqliteStore) -> None:
    async with made(standin, store) as there:
        name = await there.begun()
        await standin.__aexit__(None, None, None)
        assert (await there.snag(name=name)).snag is Snag.UNAVAILABLE


async def test_an_answer_that_was_lost_is_not_asked_for_twice(there: There) -> None:
    """It was taken, and a second call would only hear that: the person starts again."""
    there.workos.fail(COMPLETE, cut=True, after=True)
    name = await there.begun()
    assert (await there.snag(name=name)).snag is Snag.UNAVAILABLE
    assert len(there.told()) == 1
    assert (await there.snag(name=name)).snag is Snag.COMPLETED_BEFORE


@clause("RFC 9700", "4.11")
@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/oauth2/authorize/complete?state=secret-state",
        "{origin}@evil.example/?state=secret-state",
        "{origin}.evil.example/?state=secret-state",
        "{origin}\\@evil.example/?state=secret-state",
        "//evil.example/?state=secret-state",
        "javascript:alert(1)//secret-state",
        "/relative?state=secret-state",
    ],
)
async def test_nobody_is_sent_elsewhere(
    there: There, onward: str, capsys: pytest.CaptureFixture[str]
) -> None:
    came = onward.format(origin=there.workos.authkit_url)
    there.workos.fail(COMPLETE, status=200, body={"redirect_uri": came})
    assert (await there.snag()).snag is Snag.LEADS_ELSEWHERE
    logged = "".join(capsys.readouterr())
    assert "login.leads_elsewhere" in logged
    assert "WORKOS_AUTHKIT_DOMAIN" in logged
    assert "secret-state" not in logged


async def test_a_domain_that_is_not_authkits_is_told(
    standin: WorkOSStandIn, store: SqliteStore
) -> None:
    async with made(standin, store, origin="https://tenant.authkit.app") as there:
        assert there.logins.host == "tenant.authkit.app"
        assert (await there.snag()).snag is Snag.LEADS_ELSEWHERE


# --- joining by e-mail ----------------------------------------------------------------------------


async def linking(there: There, person: Vouched = ADA) -> Completed | NotCompleted:
    return await there.logins.complete(await there.begun(), person)


@pytest.fixture
async def joining(standin: WorkOSStandIn, store: SqliteStore) -> AsyncIterator[There]:
    async with made(standin, store, link_verified_email=True) as one:
        yield one


def known(there: There, **details: Any) -> User:
    return there.workos.add_user(EMAIL, **details)


async def test_who_has_the_verified_address_on_both_sides_is_joined(joining: There) -> None:
    user = known(joining)
    assert isinstance(await linking(joining), Completed)
    assert user.external_id == SUB
    link = await joining.store.link_of(user.id)
    assert link is not None
    assert (link.sub, link.how) == (SUB, "email")
    (event,) = await joining.store.audit_events()
    assert (event.event, event.actor, event.detail) == (
        "person.linked",
        SUB,
        {"workos": user.id, "how": "email"},
    )


@clause("ASVS", "6.8.1")
@pytest.mark.parametrize(
    ("person", "details"),
    [
        (ADA, {"email_verified": False}),
        (Vouched(SUB, EMAIL, confirmed=False), {}),
        (ADA, {"external_id": "somebody-else"}),
    ],
    ids=["unverified there", "unconfirmed here", "another's already"],
)
async def test_otherwise_nobody_is(joining: There, person: Vouched, details: Any) -> None:
    user = known(joining, **details)
    outcome = await linking(joining, person)
    assert outcome == NotCompleted(Snag.EMAIL_TAKEN)
    assert user.external_id == details.get("external_id")
    assert await joining.store.link_of(user.id) is None
    assert len(joining.told()) == 1


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("kate@example.org", "\u212aate@example.org"),  # the Kelvin sign
        ("ada@strasse.example", "ada@straße.example"),
        ("ada@straße.example", "ada@strasse.example"),
        ("ada@example.org", "ada@example.org.evil.example"),
    ],
)
async def test_an_address_that_only_looks_like_it_joins_nobody(
    joining: There, ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What their filter takes for the same is not the same mailbox for that."""
    user = joining.workos.add_user(theirs)

    async def found(email: str) -> tuple[WorkOSUser, ...]:
        return (WorkOSUser(user.id, theirs, email_verified=True),)

    monkeypatch.setattr(joining.logins._linking._workos, "users_by_email", found)
    person = Vouched(SUB, ours, confirmed=True)
    assert await joining.logins._linking.join(person) is False
    assert user.external_id is None
    assert await joining.store.link_of(user.id) is None


async def test_nor_without_the_operators_word(there: There) -> None:
    user = known(there)
    assert await linking(there) == NotCompleted(Snag.EMAIL_TAKEN)
    assert user.external_id is None
    assert there.workos.called("/user_management/users") == []


async def test_nor_who_is_linked_to_another_person_here(joining: There) -> None:
    user = known(joining)
    await joining.store.link(Link(user.id, "another", "identity", NOW - 9), audit())
    assert await linking(joining) == NotCompleted(Snag.EMAIL_TAKEN)
    assert user.external_id is None


async def test_nor_who_has_a_workos_user_of_their_own_already(joining: There) -> None:
    """Their address changed to one that somebody else's user has."""
    old = Vouched(SUB, "old@example.org", confirmed=True)
    assert isinstance(await linking(joining, old), Completed)
    user = known(joining)
    assert await linking(joining) == NotCompleted(Snag.EMAIL_TAKEN)
    assert user.external_id is None


@pytest.mark.parametrize("where", ["GET /user_management/users", "PUT /user_management/users/*"])
async def test_an_outage_while_joining_can_be_tried_again(joining: There, where: str) -> None:
    known(joining)
    joining.workos.fail(where, status=500, times=2)
    name = await joining.begun()
    assert (await joining.snag(name=name)).snag is Snag.UNAVAILABLE
    assert isinstance(await joining.logins.complete(name, ADA), Completed)


# --- signing out there ----------------------------------------------------------------------------


async def signed_in_there(there: There) -> User:
    await there.logins.complete(await there.begun(), ADA)
    user = there.workos.user_by_external_id(SUB)
    assert user is not None
    return user


def live(there: There, user: User) -> int:
    sessions = there.workos.state.sessions.values()
    return sum(one.ended is None for one in sessions if one.user_id == user.id)


@pytest.mark.parametrize("linked", [True, False])
async def test_all_sessions_there_end(there: There, linked: bool) -> None:
    user = await signed_in_there(there)
    for _ in range(7):
        there.workos.open_session(user, "external_auth", None)
    if linked:
        await there.logins.learn(SUB)
    grace = there.workos.add_user("grace@example.org")
    there.workos.open_session(grace, "external_auth", None)
    await there.logins.sign_out(SUB)
    assert live(there, user) == 0
    assert live(there, grace) == 1
    for session in there.workos.state.sessions.values():
        ours = await there.store.saw(ended_by_us(session.id))
        assert ours is (session.user_id == user.id)


async def test_what_it_takes_is_bounded(there: There) -> None:
    user = await signed_in_there(there)
    for _ in range(60):
        there.workos.open_session(user, "external_auth", None)
    await there.logins.sign_out(SUB)
    assert 0 < live(there, user) <= 11


async def test_an_outage_there_keeps_nobody_from_signing_out_here(
    there: There, capsys: pytest.CaptureFixture[str]
) -> None:
    await signed_in_there(there)
    for where in ("/user_management/users/*", "/user_management/users"):
        there.workos.fail(where, status=500, times=99)
    await there.logins.sign_out(SUB)
    there.workos.mend()
    await there.logins.learn(SUB)
    there.workos.fail("/user_management/users/*/sessions", status=500, times=99)
    await there.logins.sign_out(SUB)
    assert "login.signed_out_there" in "".join(capsys.readouterr())


async def test_nobody_waits_longer_than_a_moment_for_it(there: There) -> None:
    user = await signed_in_there(there)
    await there.logins.learn(SUB)
    there.workos.fail("POST /user_management/sessions/revoke", delay=3.0, times=99)
    async with asyncio.timeout(2.9):
        await there.logins.sign_out(SUB)
    assert live(there, user) == 1
    await there.logins.close()  # what is under way ends
    assert live(there, user) == 0


# --- beside the requests --------------------------------------------------------------------------


async def test_work_beside_is_bounded_and_its_faults_are_nobodys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    background = Background(most=1)
    held = asyncio.Event()

    async def waits() -> None:
        await held.wait()

    async def fails() -> None:
        raise ValueError("a secret")

    await background.run("first", waits(), 0.01)
    await background.run("second", waits(), 0.01)
    assert background.failures == 1
    held.set()
    await background.close()
    await background.run("third", fails(), 1.0)
    assert background.failures == 2
    logged = "".join(capsys.readouterr())
    assert "too many waiting" in logged
    assert "a secret" not in logged
