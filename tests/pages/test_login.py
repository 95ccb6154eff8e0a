"""`/oauth/login` in a browser: who is asked what, what completes a login, and what never does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from authgate.directories.contract import Gone
from authgate.issuers.logins import Snag
from authgate.protocol.logins import LASTS
from authgate.security.digests import digest
from authgate.steps.parts import audited
from authgate.store.contract import StoreUnavailable
from tests.clauses import clause
from tests.elsewhere import Elsewhere
from tests.pages.conftest import Build
from tests.pages.house import (
    ADA,
    GRACE,
    LIN,
    PASSWORD,
    Browser,
    House,
    Page,
    ask_path,
    client,
    mount,
    mount_logins,
)
from tests.second_factor import CODE, SecondFactor
from tests.told_logins import HOST, ONWARD, ToldLogins

SESSION, NAMED = "authgate-session", "authgate-browser"


@pytest.fixture
def logins() -> ToldLogins:
    return ToldLogins()


@pytest.fixture
async def house(build: Build, logins: ToldLogins) -> House:
    """The house as AuthKit's Login URI. Lin owes a second factor, and Octo is at GitHub."""
    plain = await build()
    owing: Any = SecondFactor(plain.parts.passwords, {LIN})
    elsewhere: Any = Elsewhere(owing)
    parts = replace(plain.parts, passwords=elsewhere, social=elsewhere)
    return mount_logins(parts, plain.clock, logins)


async def signed_in(browser: Browser, who: str = ADA) -> None:
    """A session in this browser, from an earlier login."""
    page = await browser.login("ext_auth_before")
    form = page.form("/oauth/sign-in")
    answer = await browser.submit(form, username=who, password=PASSWORD)
    assert answer.location == ONWARD
    assert SESSION in browser.jar


def told(logins: ToldLogins) -> list[tuple[str, str]]:
    return [(name, person.email) for name, person in logins.told]


# --- arriving -------------------------------------------------------------------------------------


async def test_a_login_opens_the_sign_in_page_and_says_only_what_is_known(
    house: House, browser: Browser
) -> None:
    page = await browser.login()
    assert (page.status, page.title) == (200, "Sign in – localhost:8000")
    assert "Sign in to continue" in page.text
    assert "if you were just connecting an application yourself" in page.text
    for guess in ("wants to connect", "calls itself", "consent", "ext_auth"):
        assert guess not in page.html


async def test_it_never_answers_with_json_or_a_401(house: House, browser: Browser) -> None:
    browser.jar |= {SESSION: "stale" * 9, NAMED: "x"}
    page = await browser.login()
    assert (page.status, page.title) == (200, "Sign in – localhost:8000")
    for path in ("/oauth/login", "/oauth/login?external_auth_id=", "/oauth/login?x=y"):
        page = await browser.get(path)
        assert (page.status, page.headers["content-type"][:9]) == (400, "text/html")
        assert page.title.startswith("Error: Please start again")
        assert "external_auth_id is missing" in page.text


async def test_a_session_that_ended_counts_as_anonymous(house: House, browser: Browser) -> None:
    await signed_in(browser)
    house.clock.ahead += house.parts.policy.session_ttl
    assert (await browser.login()).title.startswith("Sign in")


@pytest.mark.parametrize(
    "query",
    [
        "external_auth_id=a&external_auth_id=b",
        "external_auth_id=" + "x" * 513,
        "external_auth_id=a%20b",
        "external_auth_id=a%00b",
        "external_auth_id=%C3%BC",
        "external_auth_id=%FF",
        "external_auth_id=%3Cscript%3E%22",
        "external_auth_id=" + "x" * 9000,
    ],
)
async def test_a_name_that_is_none_leaves_nothing_behind(
    house: House, browser: Browser, query: str
) -> None:
    page = await browser.get(f"/oauth/login?{query}")
    assert (page.status, page.set_cookies) == (400, [])
    assert page.title.startswith("Error: ")
    assert "<script" not in page.html


async def test_the_name_is_in_no_url_and_no_page_of_ours(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    asked = await browser.get("/oauth/login?external_auth_id=ext_auth_secretive")
    page = await browser.get(asked.location)
    assert "secretive" not in asked.location + page.html
    await browser.submit(page.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert told(logins) == [("ext_auth_secretive", ADA)]


@clause("RFC 9700", "4.7")
async def test_a_login_belongs_to_the_browser_that_opened_it(
    house: House, browser: Browser
) -> None:
    asked = await browser.get("/oauth/login?external_auth_id=a")
    other = house.browser()
    await other.login("b")
    page = await other.get(asked.location)
    assert (page.status, "started in another browser" in page.text) == (403, True)


async def test_opened_twice_in_a_browser_it_goes_on_in_either(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    first, second = await browser.login("twice"), await browser.login("twice")
    assert (first.status, second.status) == (200, 200)
    answer = await browser.submit(first.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert answer.location == ONWARD
    logins.snag(Snag.COMPLETED_BEFORE)
    answer = await browser.submit(second.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert (answer.status, "has been told before" in answer.text) == (400, True)
    assert answer.links == []


async def test_opened_in_two_browsers_each_is_its_own(house: House, logins: ToldLogins) -> None:
    for who in (ADA, GRACE):
        page = await house.browser().login("shared")
        assert page.title.startswith("Sign in"), who


async def test_opening_is_braked(house: House, browser: Browser) -> None:
    for _ in range(100):
        await browser.get("/oauth/login?external_auth_id=x")
    page = await browser.get("/oauth/login?external_auth_id=x")
    assert page.status == 429
    assert page.headers["content-type"].startswith("text/html")
    assert int(page.headers["retry-after"]) >= 1


async def test_a_head_and_a_prefetch_complete_nothing(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    for method, headers in (("HEAD", {}), ("GET", {"sec-purpose": "prefetch"})):
        asked = await browser.ask(method, "/oauth/login?external_auth_id=x", headers)
        await browser.ask(method, asked.location, headers)
    assert len(logins.told) == 1


# --- completing -----------------------------------------------------------------------------------


async def test_who_just_signed_in_for_it_needs_no_further_click(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    page = await browser.login()
    answer = await browser.submit(page.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert answer.location == ONWARD
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert told(logins) == [("ext_auth_01", ADA)]
    session = await house.parts.store.session(digest(browser.jar[SESSION]), house.clock())
    assert session is not None
    assert logins.told[0][1].sub == session.person.sub


async def test_a_wrong_password_completes_nothing_and_the_form_stays(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    page = await browser.login()
    answer = await browser.submit(page.form("/oauth/sign-in"), username=ADA, password="wrong")
    assert (answer.status, answer.set_cookies, logins.told) == (401, [], [])
    assert "Sign in to continue" in answer.text
    answer = await browser.submit(answer.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert answer.location == ONWARD


@clause("ASVS", "6.3.3")
async def test_the_second_factor_completes_it(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    page = await browser.login()
    page = await browser.sign_in(page, LIN)
    assert page.title.startswith("Enter your code")
    assert "wants" not in page.text
    assert "application" not in page.text
    assert (logins.told, SESSION in browser.jar) == ([], False)
    wrong = await browser.submit(page.form("/oauth/factor"), code="000000")
    assert (wrong.status, logins.told) == (401, [])
    answer = await browser.submit(wrong.form("/oauth/factor"), code=CODE)
    assert answer.location == ONWARD
    assert told(logins) == [("ext_auth_01", LIN)]


@clause("RFC 9700", "4.7")
async def test_a_way_back_from_a_provider_completes_nothing(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    """The return is a GET that another site sends the browser to."""
    page = await browser.login()
    (href,) = [href for href, label in page.links if "GitHub" in label]
    away = await browser.get(href)
    back = await browser.get(away.location, {"sec-fetch-site": "cross-site"})
    page = await browser.get(back.location)
    assert page.title.startswith("Continue as octo@example.org?")
    assert logins.told == []
    answer = await browser.submit(page.form("/oauth/login"))
    assert answer.location == ONWARD
    assert told(logins) == [("ext_auth_01", "octo@example.org")]


async def test_cancelling_at_a_provider_leads_back_to_the_login(
    house: House, browser: Browser
) -> None:
    page = await browser.login()
    (href,) = [href for href, label in page.links if "GitHub" in label]
    away = await browser.get(href)
    house.parts.social.says_no = True  # type: ignore[attr-defined]
    page = await browser.get(away.location)
    assert page.status == 403
    assert (await browser.get(page.links[0][0])).title.startswith("Sign in")


async def test_who_is_signed_in_is_asked_and_never_completed_by_a_get(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.login()
    assert (page.status, page.title) == (200, f"Continue as {ADA}? – localhost:8000")
    assert f"Continue as {ADA} ?" in page.text
    assert HOST in page.text
    assert "Did you start this yourself?" in page.text
    assert ("autofocus", None) not in page.attributes
    handle = page.form("/oauth/login").fields["request"]
    for path in (f"/oauth/continue?request={handle}", f"/oauth/login?request={handle}"):
        await browser.get(path)
    assert len(logins.told) == 1
    answer = await browser.submit(page.form("/oauth/login"))
    assert answer.location == ONWARD
    assert told(logins)[1] == ("ext_auth_01", ADA)


async def test_another_account_may_be_used(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    ada = logins.told[0][1].sub
    page = await browser.login()
    gone = await browser.submit(page.form("/oauth/sign-out"))
    assert SESSION not in browser.jar
    assert logins.signed_out == [ada]  # at AuthKit too: it would answer for her without asking us
    page = await browser.get(gone.location)
    assert page.title.startswith("Sign in")
    answer = await browser.submit(page.form("/oauth/sign-in"), username=GRACE, password=PASSWORD)
    assert answer.location == ONWARD
    assert told(logins)[1] == ("ext_auth_01", GRACE)


async def test_a_form_opened_as_one_person_answers_for_no_other(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    """Another tab changed the account meanwhile: the old tab's yes was Ada's."""
    await signed_in(browser)
    old_tab = await browser.login("old-tab")
    new_tab = await browser.login("new-tab")
    gone = await browser.submit(new_tab.form("/oauth/sign-out"))
    page = await browser.get(gone.location)
    await browser.submit(page.form("/oauth/sign-in"), username=GRACE, password=PASSWORD)
    answer = await browser.submit(old_tab.form("/oauth/login"))
    assert answer.status == 403
    assert ("old-tab", GRACE) not in told(logins)
    page = await browser.get(answer.links[0][0])
    assert page.title.startswith(f"Continue as {GRACE}?")


async def test_the_session_ended_while_the_form_was_open(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.login()
    house.clock.ahead += LASTS - 1
    session = await house.parts.store.session(digest(browser.jar[SESSION]), house.clock())
    assert session is not None
    barred = audited(house.clock(), "person.barred")
    await house.parts.store.bar(session.person.sub, "x", house.clock(), barred)
    answer = await browser.submit(page.form("/oauth/login"))
    assert (await browser.get(answer.location)).title.startswith("Sign in")
    assert len(logins.told) == 1


@clause("RFC 9700", "4.7")
@pytest.mark.parametrize(
    "change",
    [
        {"form_token": ""},
        {"form_token": "x" * 43},
        {"request": "another"},
    ],
)
async def test_a_changed_form_completes_nothing(
    house: House, browser: Browser, logins: ToldLogins, change: Mapping[str, str]
) -> None:
    await signed_in(browser)
    page = await browser.login()
    answer = await browser.submit(page.form("/oauth/login"), **change)
    assert answer.status in (400, 403)
    assert len(logins.told) == 1


@clause("RFC 9700", "4.7")
async def test_a_form_of_another_login_or_browser_or_kind_does_not_fit(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    mine, mine_too = await browser.login("a"), await browser.login("b")
    other = house.browser()
    await signed_in(other, GRACE)
    theirs = await other.login("c")
    count = len(logins.told)
    form = mine.form("/oauth/login")
    for foreign in (mine_too.form("/oauth/login"), theirs.form("/oauth/login")):
        answer = await browser.submit(form, form_token=foreign.fields["form_token"])
        assert answer.status == 403
    sign_out = mine.form("/oauth/sign-out").fields["form_token"]
    assert (await browser.submit(form, form_token=sign_out)).status == 403
    assert (await other.submit(form)).status == 403
    assert len(logins.told) == count


@clause("RFC 9700", "4.7")
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_that_another_site_posts_is_refused(
    house: House, browser: Browser, logins: ToldLogins, headers: Mapping[str, str | None]
) -> None:
    await signed_in(browser)
    page = await browser.login()
    form = page.form("/oauth/login")
    assert (await browser.post(form.action, form.fields, headers)).status == 403
    assert len(logins.told) == 1


async def test_a_double_click_is_told_once(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.login()
    logins.held.clear()
    logins.reached.clear()
    first = asyncio.create_task(browser.submit(page.form("/oauth/login")))
    await logins.reached.wait()
    second = await browser.submit(page.form("/oauth/login"))
    assert (second.status, "already answered" in second.text) == (400, True)
    logins.held.set()
    assert (await first).location == ONWARD
    assert len(logins.told) == 2  # the one of `signed_in` is the other


async def test_after_five_minutes_it_is_over(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    page = await browser.login()
    house.clock.ahead += LASTS
    form = page.form("/oauth/sign-in")
    answer = await browser.submit(form, username=ADA, password=PASSWORD)
    assert (answer.status, "has expired" in answer.text) == (400, True)
    assert (await browser.get(f"/oauth/continue?request={form.fields['request']}")).status == 400
    assert logins.told == []


async def test_a_person_whom_the_directory_no_longer_stands_by(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.login()

    async def recheck(sub: str) -> Gone:
        return Gone()

    house.parts.passwords.recheck = recheck  # type: ignore[method-assign]
    answer = await browser.submit(page.form("/oauth/login"))
    assert (answer.status, "cannot be used any more" in answer.text) == (403, True)
    assert len(logins.told) == 1
    assert (await browser.get(answer.links[0][0])).title.startswith("Sign in")


@pytest.mark.parametrize("way", ["sign_in_with_password", "answer_factor", "finish_social"])
async def test_whoever_is_shut_out_while_they_sign_in_completes_nothing(
    house: House, browser: Browser, logins: ToldLogins, way: str
) -> None:
    """Their sign-in lifts no bar of a moment ago, and AuthKit is told nothing."""
    page = await browser.login()
    form, store = page.form("/oauth/sign-in"), house.parts.store
    said: Any = getattr(house.parts.passwords, way)

    async def says(*args: Any) -> Any:
        outcome = await said(*args)
        now, sub = house.parts.clock(), outcome.person.sub
        await store.end_grants_of(sub, "gone", now, audited(now, "person.barred", actor=sub))
        return outcome

    setattr(house.parts.passwords, way, says)
    if way == "finish_social":
        (href,) = [href for href, label in page.links if "GitHub" in label]
        answer = await browser.get((await browser.get(href)).location)
    elif way == "answer_factor":
        due = await browser.submit(form, username=LIN, password=PASSWORD)
        form = (await browser.get(due.location)).form("/oauth/factor")
        answer = await browser.submit(form, code=CODE)
    else:
        answer = await browser.submit(form, username=ADA, password=PASSWORD)
    assert (answer.status, "signed out everywhere" in answer.text) == (403, True)
    assert SESSION not in browser.jar
    assert logins.told == []
    assert (await browser.get(answer.links[0][0])).title.startswith("Sign in")


# --- what AuthKit says instead --------------------------------------------------------------------

WORDS = {
    Snag.COMPLETED_BEFORE: (400, "has been told before", False),
    Snag.EXPIRED: (400, "no longer waits", False),
    Snag.EMAIL_TAKEN: (403, "as somebody else's", True),
    Snag.EMAIL_CHANGE: (403, "does not let the e-mail address", True),
    Snag.EMAIL_INVALID: (403, "does not take the e-mail address", True),
    Snag.KEY_REFUSED: (503, "did not believe this server", True),
    Snag.MISCONFIGURED: (500, "not set up to work together", True),
    Snag.REJECTED: (500, "did not understand", True),
    Snag.THROTTLED: (429, "asked too often", True),
    Snag.UNAVAILABLE: (503, "does not answer at the moment", True),
    Snag.LEADS_ELSEWHERE: (500, "does not lead to AuthKit", False),
}


@pytest.mark.parametrize("way", ["password", "session"])
@pytest.mark.parametrize("snag", list(Snag), ids=lambda snag: snag.value)
async def test_each_has_its_page_and_a_way_on_where_there_is_one(
    house: House, browser: Browser, logins: ToldLogins, snag: Snag, way: str
) -> None:
    status, words, again = WORDS[snag]
    if way == "session":
        await signed_in(browser)
    page = await browser.login()
    logins.snag(snag)
    answer = await _post(browser, page)
    assert (answer.status, words in answer.text) == (status, True), answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert SESSION in browser.jar  # the sign-in itself was good
    assert (answer.links != []) is again
    if again:
        page = await browser.get(answer.links[0][0])
        assert page.title.startswith(f"Continue as {ADA}?")
        assert (await browser.submit(page.form("/oauth/login"))).location == ONWARD


async def _post(browser: Browser, page: Page) -> Page:
    """Whatever the page asks for."""
    if any(form.action.endswith("/oauth/login") for form in page.forms):
        return await browser.submit(page.form("/oauth/login"))
    return await browser.submit(page.form("/oauth/sign-in"), username=ADA, password=PASSWORD)


async def test_an_outage_of_the_store_in_between_is_told_as_such(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.login()
    logins.says.append(StoreUnavailable("locked"))
    assert (await browser.submit(page.form("/oauth/login"))).status == 503
    assert (await browser.submit(page.form("/oauth/login"))).location == ONWARD


# --- signing out ----------------------------------------------------------------------------------


async def test_signing_out_ends_it_at_authkit_too_and_says_what_it_does_not_end(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.get("/oauth/sign-out")
    assert HOST in page.text
    gone = await browser.submit(page.form("/oauth/sign-out"))
    assert logins.signed_out == [logins.told[0][1].sub]
    page = await browser.get(gone.location)
    assert page.title.startswith("Signed out")
    assert f"asked {HOST} to end your sessions" in page.text
    assert "stay connected" in page.text
    assert "connected as the person who signed in last" in page.text


async def test_nobody_is_signed_out_at_authkit_by_a_form_that_does_not_fit(
    house: House, browser: Browser, logins: ToldLogins
) -> None:
    await signed_in(browser)
    page = await browser.get("/oauth/sign-out")
    assert (await browser.submit(page.form("/oauth/sign-out"), form_token="x")).status == 403
    assert logins.signed_out == []


# --- the border to the other way of issuing -------------------------------------------------------


async def test_where_we_issue_there_is_no_login_and_its_rows_are_nothing(
    house: House, browser: Browser
) -> None:
    asked = await browser.get("/oauth/login?external_auth_id=a")
    builtin = mount(house.parts, house.clock)
    browser.house = builtin
    assert (await browser.get("/oauth/login?external_auth_id=a")).status == 404
    page = await browser.get(asked.location)
    assert (page.status, "not known here" in page.text) == (400, True)


async def test_where_authkit_issues_our_own_requests_are_nothing(
    house: House, browser: Browser
) -> None:
    builtin = mount(house.parts, house.clock)
    asking = await builtin.register(client())
    browser.house = builtin
    asked = await browser.get(ask_path(asking))
    browser.house = house
    page = await browser.get(asked.location)
    assert (page.status, "not known here" in page.text) == (400, True)
    for path in ("/oauth/authorize", "/oauth/consent", "/oauth/hand-over"):
        assert (await browser.get(path)).status == 404


async def test_headers_of_every_page(house: House, browser: Browser) -> None:
    await signed_in(browser)
    page = await browser.login()
    for name, value in (
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ):
        assert page.headers[name] == value
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script" not in page.tags


async def test_below_a_path_of_an_https_host(build: Build, logins: ToldLogins) -> None:
    plain = await build(issuer="https://mcp.example.org/auth")
    browser = mount_logins(plain.parts, plain.clock, logins).browser()
    asked = await browser.get("/auth/oauth/login?external_auth_id=a")
    assert asked.location.startswith("/auth/oauth/continue?request=")
    assert all("; Secure" in cookie for cookie in asked.set_cookies)
    page = await browser.get(asked.location)
    answer = await browser.submit(page.form("/auth/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert answer.location == ONWARD
    asked = await browser.get("/auth/oauth/login?external_auth_id=b")
    page = await browser.get(asked.location)
    assert (await browser.submit(page.form("/auth/oauth/login"))).location == ONWARD
    assert set(browser.jar) == {"__Host-authgate-browser", "__Host-authgate-session"}
