from __future__ import annotations

import pytest

from authgate.directories.contract import Refused, SignIn, Unavailable, Visitor, Ways
from authgate.security.digests import digest
from authgate.security.limits import LimitPolicy
from tests.clauses import clause
from tests.pages.conftest import Build
from tests.pages.house import ADA, GRACE, PASSWORD, Browser, House, ask_path, client

SESSION = "authgate-session"


class Down:
    """A directory that cannot answer."""

    name = "down"
    ways = Ways(password=True)

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        return Unavailable(7)

    def __getattr__(self, name: str) -> object:
        raise NotImplementedError(name)


class Recording(Down):
    """A directory that refuses everybody and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def sign_in_with_password(self, username: str, password: str, visitor: Visitor) -> SignIn:
        self.asked.append((username, password))
        return Refused()


async def test_the_whole_journey_from_question_to_code(house: House, browser: Browser) -> None:
    asking = await house.register(client())
    page = await browser.start(asking)
    assert page.status == 200
    assert page.title == "Sign in – localhost:8000"
    assert "calls itself Test Client wants to connect" in page.text
    page = await browser.sign_in(page)
    assert page.title == "Allow access? – localhost:8000"
    assert ADA in page.text
    answer = await browser.decide(page, "approve")
    assert answer.location.startswith("https://client.example/callback?code=")
    assert answer.answer["state"] == "a state / with+marks"
    assert answer.answer["iss"] == "http://localhost:8000"


async def test_the_fields_are_what_password_managers_and_readers_look_for(
    house: House, browser: Browser
) -> None:
    page = await browser.start(await house.register(client()))
    attributes = page.attributes
    for wanted in (
        ("lang", "en"),
        ("autocomplete", "username"),
        ("autocomplete", "current-password"),
        ("for", "username"),
        ("for", "password"),
        ("aria-describedby", "asking"),
    ):
        assert wanted in attributes
    assert [name for name, _ in attributes].count("autofocus") == 1


@pytest.mark.parametrize(
    ("who", "password"),
    [
        (ADA, "not it"),
        ("nobody@example.org", PASSWORD),
        ("", " "),
        ("ada\u202e\U0001f511", "\ufffd"),
        (ADA, "x" * 5000),
    ],
)
async def test_a_wrong_sign_in_shows_the_form_again_and_never_redirects(
    house: House, browser: Browser, who: str, password: str
) -> None:
    page = await browser.start(await house.register(client()))
    before = dict(browser.jar)
    answer = await browser.submit(
        page.form("/oauth/sign-in"), username=who or " ", password=password
    )
    assert answer.status == 401
    assert "location" not in answer.headers
    assert answer.set_cookies == []
    assert browser.jar == before
    assert "do not match an account here" in answer.text
    assert answer.title.startswith("Error: ")
    assert answer.title.endswith("Sign in – localhost:8000")
    assert ("role", "alert") in answer.attributes
    assert answer.attributes.count(("aria-describedby", "problem")) == 2
    assert answer.form("/oauth/sign-in").fields["password"] == ""
    # and the very form that came back works
    page = await browser.sign_in(answer)
    assert page.title.startswith("Allow access?")


async def test_an_unknown_person_and_a_wrong_password_get_the_same_page(
    house: House, browser: Browser
) -> None:
    page = await browser.start(await house.register(client()))
    form = page.form("/oauth/sign-in")
    wrong = await browser.submit(form, username=ADA, password="wrong")
    unknown = await browser.submit(form, username=GRACE[::-1], password="wrong")
    assert unknown.html.replace(GRACE[::-1], ADA) == wrong.html


async def test_what_was_typed_is_escaped(house: House, browser: Browser) -> None:
    page = await browser.start(await house.register(client()))
    hostile = '"><script>alert(1)</script>'
    answer = await browser.submit(page.form("/oauth/sign-in"), username=hostile, password="x")
    assert answer.form("/oauth/sign-in").fields["username"] == hostile
    assert "script" not in answer.tags


@pytest.mark.parametrize("missing", ["username", "password"])
async def test_an_incomplete_form_asks_nobody(build: Build, missing: str) -> None:
    directory = Recording()
    house = await build(directory=directory)
    browser = house.browser()
    page = await browser.start(await house.register(client()))
    filled = {"username": ADA, "password": PASSWORD, missing: ""}
    answer = await browser.submit(page.form("/oauth/sign-in"), **filled)
    assert answer.status == 400
    assert "The form is not complete." in answer.text
    assert directory.asked == []


async def test_too_many_failures_are_told_to_wait_in_words(build: Build) -> None:
    house = await build(limits=LimitPolicy(sign_in_account="2/minute"))
    browser = house.browser()
    form = (await browser.start(await house.register(client()))).form("/oauth/sign-in")
    for _ in range(2):
        assert (await browser.submit(form, username=ADA, password="wrong")).status == 401
    answer = await browser.submit(form, username=ADA.upper(), password=PASSWORD)
    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "Too many sign-in attempts did not succeed." in answer.text
    assert "Wait 1 minute, then try again." in answer.text or " seconds, then try" in answer.text
    assert answer.form("/oauth/sign-in").fields["username"] == ADA.upper()
    assert ("aria-invalid", "true") not in answer.attributes
    assert answer.set_cookies == []


async def test_a_directory_that_is_down_is_503_and_keeps_the_form(build: Build) -> None:
    house = await build(directory=Down())
    browser = house.browser()
    page = await browser.start(await house.register(client()))
    answer = await browser.submit(page.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert answer.status == 503
    assert answer.headers["retry-after"] == "7"
    assert "Signing in is not possible at the moment." in answer.text
    assert "Wait 7 seconds" in answer.text
    assert answer.form("/oauth/sign-in").fields["username"] == ADA
    assert answer.set_cookies == []


@clause("RFC 9700", "4.7.1")
async def test_every_sign_in_makes_a_new_session_and_ends_the_one_before(
    house: House, browser: Browser
) -> None:
    asking = await house.register(client())
    first_tab, second_tab = await browser.start(asking), await browser.start(asking)
    planted = "A" * 43
    browser.jar[SESSION] = planted
    await browser.sign_in(first_tab)
    first = browser.jar[SESSION]
    assert first != planted
    await browser.sign_in(second_tab)
    second = browser.jar[SESSION]
    assert second not in (first, planted)
    sessions = [
        await house.parts.store.session(digest(cookie), house.clock())
        for cookie in (planted, first, second)
    ]
    assert [session is not None for session in sessions] == [False, False, True]


async def test_the_session_cookie_cannot_be_read_or_sent_elsewhere(build: Build) -> None:
    house = await build(issuer="https://auth.example/base")
    browser = house.browser()
    asking = await house.register(client())
    asked = await browser.get("/base" + ask_path(asking))
    page = await browser.get(asked.location)
    answer = await browser.submit(page.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert answer.location.startswith("/base/oauth/continue?request=")
    (cookie,) = answer.set_cookies
    assert cookie.startswith("__Host-authgate-session=")
    for attribute in ("Path=/", "HttpOnly", "SameSite=Lax", "Secure"):
        assert attribute in cookie.split("; ")


async def test_signing_in_through_a_second_tab_does_not_break_the_first(
    house: House, browser: Browser
) -> None:
    asking = await house.register(client())
    first, second = await browser.start(asking), await browser.start(asking)
    await browser.sign_in(second, GRACE)
    page = await browser.sign_in(first, ADA)
    assert ADA in page.text


@pytest.mark.parametrize("state", ["answered", "expired"])
async def test_no_password_is_looked_at_for_a_request_that_is_over(
    build: Build, state: str
) -> None:
    house = await build()
    browser = house.browser()
    asking = await house.register(client())
    form = (await browser.start(asking)).form("/oauth/sign-in")
    if state == "answered":
        answer = await browser.submit(form, username=ADA, password=PASSWORD)
        await browser.decide(await browser.get(answer.location), "deny")
    else:
        house.clock.ahead = 601
    answer = await browser.submit(form, username=ADA, password=PASSWORD)
    assert answer.status == 400
    assert ("already answered" if state == "answered" else "has expired") in answer.text
    assert answer.set_cookies == []
