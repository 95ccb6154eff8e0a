"""The code form: between a right password and a session there is this page, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from authgate.directories.contract import Explain, Refused
from authgate.pages.words import code_asked
from authgate.security.digests import digest
from authgate.security.limits import LimitPolicy
from tests.clauses import clause
from tests.pages.conftest import Build
from tests.pages.house import ADA, GRACE, PASSWORD, Browser, Form, House, Page, client, mount
from tests.pages.test_headers import POLICY
from tests.second_factor import CODE, STATE, SecondFactor

SESSION = "authgate-session"


def owing(house: House, **changes: Any) -> tuple[House, SecondFactor]:
    """The house, where Ada owes a code; Grace does not."""
    directory = SecondFactor(house.parts.passwords, {ADA})
    vars(directory).update(changes)
    stand_in: Any = directory
    return rebuilt(house, passwords=stand_in), directory


def rebuilt(house: House, **changes: Any) -> House:
    return mount(replace(house.parts, **changes), house.clock)


@pytest.fixture
def directory(house: House) -> SecondFactor:
    return SecondFactor(house.parts.passwords, {ADA})


@pytest.fixture
def owed(house: House, directory: SecondFactor) -> House:
    stand_in: Any = directory
    return rebuilt(house, passwords=stand_in)


@pytest.fixture
def browser(owed: House) -> Browser:
    return owed.browser()


async def code_page(house: House, browser: Browser, name: str = "client-1", **asked: str) -> Page:
    """Ada gave her password for a request of that client."""
    known = await house.parts.store.client(name)
    page = await browser.start(known or await house.register(client(name)), **asked)
    return await browser.sign_in(page)


async def enter(browser: Browser, page: Page, code: str = CODE) -> Page:
    return await browser.submit(page.form("/oauth/factor"), code=code)


@clause("ASVS", "6.3.3")
async def test_from_the_password_over_the_code_to_the_answer(owed: House, browser: Browser) -> None:
    page = await code_page(owed, browser)
    assert (page.status, page.title) == (200, "Enter your code – localhost:8000")
    assert "You are not signed in yet" in page.text
    assert "calls itself Test Client" in page.text
    assert "Code from your authenticator app" in page.text
    assert SESSION not in browser.jar
    answer = await enter(browser, page)
    (cookie,) = answer.set_cookies
    assert cookie.startswith(f"{SESSION}=")
    consent = await browser.get(answer.location)
    assert consent.title.startswith("Allow access?")
    assert ADA in consent.text
    assert (await browser.decide(consent, "approve")).answer["code"]
    session = await owed.parts.store.session(digest(browser.jar[SESSION]), owed.clock())
    assert session is not None
    assert session.person.assurance == 2


async def test_the_field_is_made_for_codes(owed: House, browser: Browser) -> None:
    attributes = (await code_page(owed, browser)).attributes
    for wanted in (
        ("autocomplete", "one-time-code"),
        ("inputmode", "numeric"),
        ("type", "text"),
        ("required", None),
        ("for", "code"),
        ("aria-describedby", "asking"),
        ("formnovalidate", None),
    ):
        assert wanted in attributes
    assert [name for name, _ in attributes].count("autofocus") == 1
    assert "maxlength" not in dict(attributes)


@pytest.mark.parametrize(
    ("kind", "hint", "words"),
    [
        ("totp", "", "Code from your authenticator app"),
        ("phone", "42", "Code from the message to your phone (…42)"),
        ("phone", "", "Code from the message to your phone"),
        ("odd", "<b>", "Code of your second factor (…<b>)"),
    ],
)
async def test_the_label_names_kind_and_hint(
    house: House, kind: str, hint: str, words: str
) -> None:
    assert code_asked(kind, hint) == words
    made, _ = owing(house, kind=kind, hint=hint)
    page = await code_page(made, made.browser())
    assert words in page.text
    assert "b" not in page.tags


@clause("ASVS", "6.3.3")
async def test_before_the_code_no_page_and_no_form_goes_on(owed: House, browser: Browser) -> None:
    """A session that the password alone had made could consent without the code."""
    page = await code_page(owed, browser)
    handle = page.form("/oauth/factor").fields["request"]
    assert (await browser.get(f"/oauth/continue?request={handle}")).title == page.title
    forged = {"request": handle, "decision": "approve", "form_token": "x"}
    for token in ("x", page.form("/oauth/factor").fields["form_token"]):
        answer = await browser.post("/oauth/consent", {**forged, "form_token": token})
        assert answer.status == 403
    silent = await browser.start(await owed.register(client("client-2")))
    assert silent.title.startswith("Sign in")
    assert SESSION not in browser.jar


@clause("ASVS", "6.6.3")
async def test_a_wrong_code_shows_the_form_again_and_the_fifth_the_password(
    owed: House, browser: Browser
) -> None:
    page = await code_page(owed, browser)
    for _ in range(4):
        page = await enter(browser, page, "000 000")
        assert (page.status, page.set_cookies) == (401, [])
        assert page.title.startswith("Error: That code is not right. Enter your code")
        assert ("role", "alert") in page.attributes
        assert ("aria-invalid", "true") in page.attributes
        assert ("aria-describedby", "problem") in page.attributes
        assert page.form("/oauth/factor").fields["code"] == ""
    page = await enter(browser, page, "000 000")
    assert (page.status, page.set_cookies) == (401, [])
    assert page.title.startswith("Error: Too many codes were not right. Sign in")
    assert "Sign in as before, and then enter the current code." in page.text
    assert ("aria-invalid", "true") not in page.attributes
    page = await browser.sign_in(page)
    assert page.title.startswith("Enter your code")
    assert (await enter(browser, page)).status == 303


async def test_too_late_is_told_with_the_sign_in_form(owed: House, browser: Browser) -> None:
    page = await code_page(owed, browser)
    owed.clock.ahead = 300
    page = await enter(browser, page)
    assert page.status == 401
    assert "took too long or is over" in page.text
    assert (await browser.sign_in(page)).title.startswith("Enter your code")


@pytest.mark.parametrize("fields", [{}, {"code": ""}, {"code": None}])
async def test_an_incomplete_form_asks_nobody(
    owed: House, browser: Browser, directory: SecondFactor, fields: Mapping[str, str]
) -> None:
    form = (await code_page(owed, browser)).form("/oauth/factor")
    given = {name: value for name, value in {**form.fields, **fields}.items() if value is not None}
    page = await browser.post(form.action, given)
    assert page.status == 400
    assert "The form is not complete." in page.text
    assert directory.asked == 0
    assert (await enter(browser, page)).status == 303


@clause("ASVS", "6.6.3")
async def test_guesses_and_wrong_passwords_share_the_brake(build: Build) -> None:
    house, directory = owing(await build(limits=LimitPolicy(sign_in_account="2/minute")))
    browser = house.browser()
    page = await browser.start(await house.register(client()))
    page = await browser.submit(page.form("/oauth/sign-in"), username=ADA, password="wrong")
    page = await browser.sign_in(page)
    page = await enter(browser, page, "000000")
    page = await enter(browser, page)
    assert page.status == 429
    assert 1 <= int(page.headers["retry-after"]) <= 60
    assert "Too many sign-in attempts did not succeed." in page.text
    assert ("aria-invalid", "true") not in page.attributes
    assert directory.asked == 1
    assert page.form("/oauth/factor")


async def test_a_directory_that_is_down_is_503_and_keeps_the_form(
    owed: House, browser: Browser, directory: SecondFactor
) -> None:
    page = await code_page(owed, browser)
    directory.down = True
    page = await enter(browser, page)
    assert (page.status, page.headers["retry-after"], page.set_cookies) == (503, "7", [])
    assert "Signing in is not possible at the moment. Wait 7 seconds" in page.text
    directory.down = False
    assert (await enter(browser, page)).status == 303


async def test_a_code_that_was_sent_again_is_asked_for_on_the_form(
    owed: House, browser: Browser, directory: SecondFactor
) -> None:
    page = await code_page(owed, browser)
    person = next(iter(directory._waiting.values()))
    directory.says = directory.needs(person, Explain.CODE_SENT_AGAIN)
    page = await enter(browser, page)
    assert page.status == 401
    assert "a new one was sent. Enter the code of the newest message." in page.text
    directory.says = None
    assert (await enter(browser, page)).status == 303


@pytest.mark.parametrize(
    ("explain", "says"),
    [
        (Explain.FACTOR_UNSUPPORTED, "is of a kind that does not work here"),
        (Explain.SIGN_IN_EXPIRED, "took too long or is over"),
    ],
)
async def test_what_no_code_can_mend_is_told_on_the_sign_in_form(
    owed: House, browser: Browser, directory: SecondFactor, explain: str, says: str
) -> None:
    page = await code_page(owed, browser)
    directory.says = Refused(explain)
    page = await enter(browser, page)
    assert page.form("/oauth/sign-in")
    assert says in page.text
    assert page.set_cookies == []


async def test_another_account_is_a_button_away(owed: House, browser: Browser) -> None:
    page = await code_page(owed, browser)
    form = page.form("/oauth/factor")
    assert form.buttons == [("another", "account")]
    answer = await browser.submit(form, another="account")
    page = await browser.get(answer.location)
    assert page.title.startswith("Sign in")
    page = await browser.sign_in(page, GRACE)
    assert GRACE in page.text
    late = await browser.submit(form, code=CODE)  # Ada's form, kept in another tab
    assert GRACE in (await browser.get(late.location)).text


async def test_who_is_signed_in_already_owes_no_code(owed: House, browser: Browser) -> None:
    form = (await code_page(owed, browser)).form("/oauth/factor")
    other = await browser.start(await owed.register(client("client-2")))
    await browser.sign_in(other, GRACE)
    answer = await browser.submit(form, code=CODE)
    assert answer.set_cookies == []
    assert GRACE in (await browser.get(answer.location)).text


async def test_a_password_for_somebody_else_ends_the_session_before(
    owed: House, browser: Browser
) -> None:
    """Or the page after Ada's password would ask consent in Grace's name."""
    asking = await owed.register(client())
    first, second = await browser.start(asking), await browser.start(asking)
    await browser.sign_in(first, GRACE)
    graces = browser.jar[SESSION]
    page = await browser.sign_in(second, ADA)
    assert page.title.startswith("Enter your code")
    assert SESSION not in browser.jar
    assert await owed.parts.store.session(digest(graces), owed.clock()) is None


@clause("ASVS", "7.2.4")
async def test_the_code_makes_a_new_session_and_ends_the_one_before(
    owed: House, browser: Browser
) -> None:
    page = await code_page(owed, browser)
    page = await browser.get((await enter(browser, page)).location)
    first = browser.jar[SESSION]
    owed.clock.ahead = 5
    page = await code_page(owed, browser, prompt="login")
    browser.jar[SESSION] = planted = "A" * 43
    await enter(browser, page)
    assert browser.jar[SESSION] not in (first, planted)
    assert await owed.parts.store.session(digest(first), owed.clock()) is None


@clause("ASVS", "6.3.3")
async def test_a_session_of_one_factor_steps_up_where_two_are_demanded(
    owed: House, browser: Browser, house: House
) -> None:
    weak = house.browser()  # the same store, with nobody owing a code
    await weak.sign_in(await weak.start(await owed.register(client())))
    policy = replace(owed.parts.policy, required_assurance=2)
    strict = rebuilt(owed, policy=policy)
    browser = strict.browser()
    browser.jar.update(weak.jar)
    page = await code_page(strict, browser)
    assert page.title.startswith("Enter your code")
    page = await browser.get((await enter(browser, page)).location)
    assert page.title.startswith("Allow access?")
    page = await browser.submit(page.form("/oauth/sign-out"))
    page = await browser.get(page.location)
    answer = await browser.submit(page.form("/oauth/sign-in"), username=GRACE, password=PASSWORD)
    assert (answer.status, answer.set_cookies) == (403, [])
    assert "this account has none. Set up an authenticator" in answer.text
    assert answer.form("/oauth/sign-in").fields["username"] == GRACE


@pytest.mark.parametrize("state", ["answered", "expired"])
async def test_no_code_is_looked_at_for_a_request_that_is_over(
    owed: House, browser: Browser, directory: SecondFactor, state: str
) -> None:
    form = (await code_page(owed, browser)).form("/oauth/factor")
    if state == "answered":
        answer = await browser.submit(form, code=CODE)
        await browser.decide(await browser.get(answer.location), "deny")
    else:
        owed.clock.ahead = 601
    asked = directory.asked
    answer = await browser.submit(form, code=CODE)
    assert answer.status == 400
    assert ("already answered" if state == "answered" else "has expired") in answer.text
    assert (directory.asked, answer.set_cookies) == (asked, [])


# --- as every page and form -----------------------------------------------------------------------


async def test_headers_and_what_the_page_never_shows(owed: House, browser: Browser) -> None:
    page = await code_page(owed, browser)
    wrong = await enter(browser, page, "000000")
    for shown in (page, wrong):
        assert shown.headers["content-security-policy"] == POLICY
        assert shown.headers["cache-control"] == "no-store"
        assert shown.headers["x-frame-options"] == "DENY"
        assert shown.headers["referrer-policy"] == "no-referrer"
        assert not {"script", "style", "iframe"} & set(shown.tags)
        assert (shown.tags.count("h1"), shown.tags.count("main")) == (1, 1)
        for secret in (PASSWORD, ADA, STATE, *browser.jar.values()):
            assert secret not in shown.html


FOREIGN: tuple[dict[str, str | None], ...] = (
    {"origin": "https://evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


@clause("RFC 9700", "4.7")
@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("fields", [{"code": CODE}, {"another": "account"}])
async def test_a_form_that_another_site_posts_is_refused(
    owed: House, browser: Browser, headers: dict[str, str | None], fields: dict[str, str]
) -> None:
    form = (await code_page(owed, browser)).form("/oauth/factor")
    await untouched(browser, form, await browser.post(form.action, form.fields | fields, headers))


@clause("RFC 9700", "4.7")
@pytest.mark.parametrize("fields", [{"code": CODE}, {"another": "account"}])
async def test_a_form_without_its_own_token_is_refused(
    owed: House, browser: Browser, fields: dict[str, str]
) -> None:
    asking = await owed.register(client("client-2"))
    sign_in = (await browser.start(asking)).form("/oauth/sign-in").fields["form_token"]
    other = (await code_page(owed, browser, "client-3")).form("/oauth/factor").fields["form_token"]
    form = (await code_page(owed, browser)).form("/oauth/factor")
    for token in ("", "x", sign_in, other):
        answer = await browser.submit(form, **fields, form_token=token)
        await untouched(browser, form, answer)


@clause("RFC 9700", "4.7")
async def test_another_browser_cannot_answer(owed: House, browser: Browser) -> None:
    """Not even one that learnt the handle and the code: the password was given in this one."""
    form = (await code_page(owed, browser)).form("/oauth/factor")
    thief = owed.browser()
    await thief.start(await owed.register(client("client-2")))
    answer = await thief.submit(form, code=CODE)
    assert answer.status == 403
    assert SESSION not in thief.jar
    assert (await browser.submit(form, code=CODE)).status == 303


async def untouched(browser: Browser, form: Form, answer: Page) -> None:
    assert answer.status == 403, answer.text
    assert answer.title.startswith("Error: This form cannot be used")
    assert answer.set_cookies == []
    assert SESSION not in browser.jar
    page = await browser.get(f"/oauth/continue?request={form.fields['request']}")
    assert page.title.startswith("Enter your code")
