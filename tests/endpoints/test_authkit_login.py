"""AuthKit's Login URI in a whole authgate: from the application's link to the guarded call."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from authgate.app import now
from authgate.protocol.records import Link
from authgate.steps.parts import audited
from tests.clauses import clause
from tests.endpoints.authkit import ALICE, BOB, AuthKitHouse, Walker, authkit_house
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import hidden
from tests.standins.workos_webhooks import signature

WEBHOOK_SECRET = "a-webhook-secret-of-tests"


@pytest.fixture
async def house(open_gate: OpenGate) -> AsyncIterator[AuthKitHouse]:
    async with authkit_house(open_gate, {"WORKOS_WEBHOOK_SECRET": WEBHOOK_SECRET}) as opened:
        yield opened


@pytest.fixture
async def browser(house: AuthKitHouse) -> AsyncIterator[Walker]:
    async with house.browser() as opened:
        yield opened


async def connected(browser: Walker, who: str = ALICE) -> str:
    """A whole connection of somebody who has to sign in for it; the access token."""
    await browser.connect()
    assert browser.title.startswith("Sign in"), browser.text
    await browser.sign_in(who)
    assert who in browser.text
    await browser.allow()
    return str((await browser.token())["access_token"])


# --- the whole way --------------------------------------------------------------------------------


@pytest.mark.parametrize("sub_mode", ["external", "user"])
async def test_from_the_link_to_the_call(
    house: AuthKitHouse, browser: Walker, sub_mode: str
) -> None:
    house.workos.sub_mode = sub_mode
    token = await connected(browser)
    assert await house.whoami(token) == ALICE
    assert house.user(ALICE).external_id == house.subs[ALICE]
    (link,) = await house.gate.core.store.links_to(house.subs[ALICE])
    assert (link.workos_id, link.how) == (house.user(ALICE).id, "completed")


async def test_the_second_time_the_person_is_asked_and_nothing_happens_before(
    house: AuthKitHouse, browser: Walker
) -> None:
    await connected(browser)
    await browser.connect()
    assert browser.title.startswith(f"Continue as {ALICE}?")
    assert browser.seen == ["GET /oauth2/authorize", "GET /oauth/login", "GET /oauth/continue"]
    await browser.open(browser.url)  # a reload changes nothing
    assert house.told() == [ALICE]
    await browser.submit("/oauth/login")
    await browser.allow()
    assert await house.whoami(str((await browser.token())["access_token"])) == ALICE
    assert house.told() == [ALICE, ALICE]


async def test_another_account(house: AuthKitHouse, browser: Walker) -> None:
    alices = await connected(browser)
    await browser.connect()
    await browser.submit("/oauth/sign-out")
    assert browser.title.startswith("Sign in")
    await browser.sign_in(BOB)
    await browser.allow()
    bobs = str((await browser.token())["access_token"])
    assert (await house.whoami(alices), await house.whoami(bobs)) == (ALICE, BOB)
    assert house.told() == [ALICE, BOB]


async def test_the_client_is_named_nowhere_on_our_pages(
    house: AuthKitHouse, browser: Walker
) -> None:
    await browser.connect()
    assert "Test Client" not in browser.text
    await browser.sign_in(ALICE)
    await browser.connect()
    assert "Test Client" not in browser.text


@pytest.mark.parametrize(
    "path", ["/authorize", "/oauth/authorize", "/oauth/token", "/oauth/consent"]
)
async def test_what_authkit_does_itself_is_not_here(house: AuthKitHouse, path: str) -> None:
    async with house.gate.http() as http:
        assert (await http.get(path)).status_code == 404


# --- AuthKit's own browser session ----------------------------------------------------------------


async def bob_signs_in_here(browser: Walker) -> None:
    """Without AuthKit, which would not ask us: by a link that somebody typed or sent."""
    await browser.open(f"{browser.house.gate.url}/oauth/login?external_auth_id=typed")
    await browser.sign_in(BOB)
    assert browser.status == 400  # AuthKit knows no such sign-in
    await browser.open(f"{browser.house.gate.url}/oauth/sign-out")
    assert BOB in browser.text


@pytest.mark.parametrize("sub_mode", ["external", "user"])
async def test_a_person_bound_by_authkits_session_is_never_silently_someone_else_here(
    house: AuthKitHouse, browser: Walker, sub_mode: str
) -> None:
    """AuthKit remembers Alice and skips our page, while Bob is signed in here, in her browser."""
    house.workos.sub_mode = sub_mode
    house.workos.sticky = True
    first = await connected(browser, ALICE)

    # Alice signs out here while WorkOS cannot be reached: AuthKit goes on knowing her.
    house.workos.fail("/user_management/users/*/sessions", status=503, times=99)
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    await browser.submit("/oauth/sign-out")
    assert "session there is still open" in browser.text  # what that page has to say of it
    await bob_signs_in_here(browser)

    # The next application: AuthKit answers by itself. We see nothing of it, and say nothing to it.
    await browser.connect()
    assert browser.seen == ["GET /oauth2/authorize", "GET /oauth2/authorize/complete"]
    assert ALICE in browser.text  # its own consent page names her
    await browser.allow()
    second = str((await browser.token())["access_token"])
    assert (await house.whoami(first), await house.whoami(second)) == (ALICE, ALICE)
    assert BOB not in house.told()
    # Our own page still says who is signed in here, and that is Bob.
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    assert BOB in browser.text
    assert ALICE not in browser.text

    # Bob's sign-out ends his sessions there and not hers: he never had one.
    house.workos.mend()
    await browser.submit("/oauth/sign-out")
    assert await house.whoami(second) == ALICE

    # What ends hers is hers to do, or the operator's; then AuthKit asks us again, and we ask Bob.
    for session in house.workos.state.sessions.values():
        house.workos.end_session(session)
    await bob_signs_in_here(browser)
    await browser.connect()
    assert browser.title.startswith(f"Continue as {BOB}?")
    assert BOB not in house.told()
    await browser.submit("/oauth/login")
    await browser.allow()
    third = str((await browser.token())["access_token"])
    assert (await house.whoami(second), await house.whoami(third)) == (ALICE, BOB)
    assert house.told() == [ALICE, ALICE, BOB]


async def test_signing_out_here_makes_authkit_ask_us_again(
    house: AuthKitHouse, browser: Walker
) -> None:
    house.workos.sticky = True
    await connected(browser, ALICE)
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    await browser.submit("/oauth/sign-out")
    assert browser.title.startswith("Signed out")
    await browser.connect()
    assert browser.title.startswith("Sign in")
    await browser.sign_in(BOB)
    await browser.allow()
    assert await house.whoami(str((await browser.token())["access_token"])) == BOB


async def test_whom_authkit_remembers_is_still_refused_once_they_left(
    house: AuthKitHouse, browser: Walker
) -> None:
    house.workos.sticky = True
    await connected(browser, ALICE)
    store = house.gate.core.store
    gone = audited(now(), "person.disabled", actor="operator")
    await store.set_account_disabled(house.subs[ALICE], now(), now(), gone)
    await browser.connect()
    await browser.allow()
    token = str((await browser.token())["access_token"])
    assert (await house.gate.call(token)).status_code == 401


@clause("RFC 9700", "4.7")
async def test_a_login_that_somebody_else_began_gives_them_nothing(
    house: AuthKitHouse, browser: Walker
) -> None:
    """Mallory sends Alice the link that AuthKit sent Mallory's browser to."""
    async with house.browser() as mallory:
        await mallory.connect()
        (flow,) = house.workos.state.flows.values()
        link = f"{house.gate.url}/oauth/login?external_auth_id={flow.id}"
        await connected(browser, ALICE)
        await browser.open(link)
        assert browser.title.startswith(f"Continue as {ALICE}?")
        assert house.told() == [ALICE]  # of her own connection; opening the link told nothing
        await browser.submit("/oauth/login")  # she is deceived
        assert browser.status == 400  # AuthKit knows which browser began it
        await mallory.open(f"{house.workos.authkit_url}/oauth2/authorize/complete?state=guessed")
        assert mallory.status == 400
        await mallory.open(mallory.house.gate.url + "/oauth/sign-out")
        assert ALICE not in mallory.text


# --- what goes wrong ------------------------------------------------------------------------------


async def test_a_double_submit_completes_once(house: AuthKitHouse, browser: Walker) -> None:
    await connected(browser)
    await browser.connect()
    form = hidden(browser.text, "/oauth/login")
    answers = await asyncio.gather(
        *(browser.http.post(f"{house.gate.url}/oauth/login", data=form) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [303, *[400] * 7]
    assert house.told() == [ALICE, ALICE]
    calls = house.workos.called("POST /authkit/oauth2/complete")
    assert len(calls) == 2


async def test_too_late_at_authkit(house: AuthKitHouse, browser: Walker) -> None:
    await browser.connect()
    house.workos.clock.move(301)
    await browser.sign_in(ALICE)
    assert (browser.status, "no longer waits" in browser.text) == (400, True)
    assert house.told() == []


async def test_completed_elsewhere_before(house: AuthKitHouse, browser: Walker) -> None:
    """The same link in two browsers: whoever comes first is who it is."""
    await browser.connect()
    (flow,) = house.workos.state.flows.values()
    async with house.browser() as other:
        await other.open(f"{house.gate.url}/oauth/login?external_auth_id={flow.id}")
        await other.sign_in(BOB)
    assert house.told() == [BOB]
    await browser.sign_in(ALICE)
    assert (browser.status, "has been told before" in browser.text) == (400, True)
    assert house.told() == [BOB]


async def test_an_address_that_is_taken_there(house: AuthKitHouse, browser: Walker) -> None:
    house.workos.add_user(ALICE)
    await browser.connect()
    await browser.sign_in(ALICE)
    assert (browser.status, "knows the e-mail address" in browser.text) == (403, True)
    # and Bob, on the same request
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    await browser.submit("/oauth/sign-out")
    await browser.connect()
    await browser.sign_in(BOB)
    await browser.allow()
    assert await house.whoami(str((await browser.token())["access_token"])) == BOB


async def test_an_address_that_is_taken_there_is_joined_where_allowed(
    open_gate: OpenGate,
) -> None:
    environment = {"AUTHGATE_LINK_VERIFIED_EMAIL": "true"}
    async with authkit_house(open_gate, environment, sub_mode="user") as house:
        user = house.workos.add_user(ALICE)
        async with house.browser() as browser:
            token = await connected(browser)
        assert await house.whoami(token) == ALICE
        assert user.external_id == house.subs[ALICE]


async def test_an_outage_in_between_and_another_try(house: AuthKitHouse, browser: Walker) -> None:
    await browser.connect()
    house.workos.fail("POST /authkit/oauth2/complete", status=503)
    await browser.sign_in(ALICE)
    assert (browser.status, "does not answer" in browser.text) == (503, True)
    (back,) = [part.split('"')[0] for part in browser.text.split('href="') if "continue" in part]
    await browser.open(house.gate.url + back)
    assert browser.title.startswith(f"Continue as {ALICE}?")
    await browser.submit("/oauth/login")
    await browser.allow()
    assert await house.whoami(str((await browser.token())["access_token"])) == ALICE


@clause("ASVS", "16.2.5")
async def test_nothing_that_opens_anything_is_in_the_log(
    house: AuthKitHouse, browser: Walker, capfd: pytest.CaptureFixture[str]
) -> None:
    await connected(browser)
    house.workos.add_user(BOB)
    await browser.connect()
    await browser.submit("/oauth/sign-out")
    await browser.sign_in(BOB)
    logged = "".join(capfd.readouterr())
    assert "login.not_completed" in logged
    for flow in house.workos.state.flows.values():
        assert flow.id not in logged
        assert not flow.returned or flow.returned not in logged
    for secret in (house.workos.api_key, WEBHOOK_SECRET, ALICE, BOB):
        assert secret not in logged


# --- what WorkOS tells us unasked -----------------------------------------------------------------


async def deliver(house: AuthKitHouse, event: dict[str, Any]) -> int:
    """An event that happened at the stand-in, as WorkOS would send it."""
    body = json.dumps(event).encode()
    headers = {
        "content-type": "application/json",
        "workos-signature": signature(WEBHOOK_SECRET, body, time.time()),
    }
    async with house.gate.http() as http:
        answer = await http.post("/webhooks/workos", content=body, headers=headers)
    return int(answer.status_code)


def happened(house: AuthKitHouse, name: str) -> list[dict[str, Any]]:
    return [event for event in house.workos.state.events.values() if event["event"] == name]


@pytest.mark.parametrize("sub_mode", ["external", "user"])
async def test_a_user_who_is_deleted_there_is_refused_here(
    house: AuthKitHouse, browser: Walker, sub_mode: str
) -> None:
    house.workos.sub_mode = sub_mode
    token = await connected(browser)
    house.workos.delete_user(house.user(ALICE))
    (event,) = happened(house, "user.deleted")
    assert await deliver(house, event) == 200
    assert (await house.gate.call(token)).status_code == 401
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    assert browser.title.startswith("Signed out")


async def test_who_comes_back_after_that_is_let_in_again(
    house: AuthKitHouse, browser: Walker
) -> None:
    await connected(browser)
    house.workos.delete_user(house.user(ALICE))
    (event,) = happened(house, "user.deleted")
    assert await deliver(house, event) == 200
    await asyncio.sleep(1.05 - time.time() % 1)  # within its second a bar stands
    token = await connected(browser)  # has to sign in: a new WorkOS user with the same id of ours
    assert await deliver(house, event) == 200  # told again, late
    again = {**event, "id": "event_told_under_another_name"}
    await _link_is_later_than(house, event)
    assert await deliver(house, again) == 200
    assert await house.whoami(token) == ALICE


async def _link_is_later_than(house: AuthKitHouse, event: dict[str, Any]) -> None:
    """Within one second nobody can tell what came first; here the link did come later."""
    store, sub = house.gate.core.store, house.subs[ALICE]
    (link,) = await store.links_to(sub)
    await store.unlink(link.workos_id, audited(now(), "person.unlinked"))
    later = Link(link.workos_id, sub, link.how, now() + 2)
    await store.link(later, audited(now(), "person.linked"))


async def test_signing_out_in_one_browser_leaves_the_other_signed_in_here(
    house: AuthKitHouse, browser: Walker
) -> None:
    """We end all of her sessions at WorkOS, and WorkOS tells us so; that closes none of ours."""
    await connected(browser)
    async with house.browser() as other:
        await connected(other)
        await other.open(f"{house.gate.url}/oauth/sign-out")
        await other.submit("/oauth/sign-out")
    events = happened(house, "session.revoked")
    assert len(events) == 2
    for event in events:
        assert await deliver(house, event) == 200
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    assert ALICE in browser.text


async def test_a_session_that_is_ended_there_by_somebody_else_closes_ours(
    house: AuthKitHouse, browser: Walker
) -> None:
    token = await connected(browser)
    (session,) = house.workos.state.sessions.values()
    house.workos.end_session(session)
    (event,) = happened(house, "session.revoked")
    assert await deliver(house, event) == 200
    await browser.open(f"{house.gate.url}/oauth/sign-out")
    assert browser.title.startswith("Signed out")
    assert await house.whoami(token) == ALICE  # what she allowed stays
