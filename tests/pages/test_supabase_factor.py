"""The code page with a Supabase project behind it: its factors, its outages, its words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from authgate.security.digests import digest
from tests.clauses import clause
from tests.directories.supabase_house import EMAIL, PASSWORD
from tests.directories.supabase_house import House as Project
from tests.directories.supabase_house import opened_house as opened_project
from tests.pages.conftest import Build
from tests.pages.house import Browser, House, Page, client, mount
from tests.standins.supabase_state import User

SESSION = "authgate-session"
NUMBER = "15551234567"


@asynccontextmanager
async def pages_of(project: Project, build: Build, **policy: Any) -> AsyncIterator[House]:
    """Our pages over a directory of this project."""
    plain = await build()
    directory = project.another(**policy)
    stand_in: Any = directory
    yield mount(replace(plain.parts, passwords=stand_in), plain.clock)
    await directory.close()


@pytest.fixture
async def project() -> AsyncIterator[Project]:
    async with opened_project() as opened:
        opened.state.add_user(EMAIL, PASSWORD)
        yield opened


@pytest.fixture
async def house(project: Project, build: Build) -> AsyncIterator[House]:
    async with pages_of(project, build) as made:
        yield made


@pytest.fixture
def ana(project: Project) -> User:
    user = project.state.user_by_email(EMAIL)
    assert user is not None
    return user


async def after_password(house: House, browser: Browser) -> Page:
    page = await browser.start(await house.register(client()))
    answer = await browser.submit(page.form("/oauth/sign-in"), username=EMAIL, password=PASSWORD)
    return await browser.get(answer.location) if answer.status == 303 else answer


async def enter(browser: Browser, page: Page, code: str) -> Page:
    return await browser.submit(page.form("/oauth/factor"), code=code)


@clause("ASVS", "6.3.3")
async def test_an_authenticator(
    project: Project, house: House, browser: Browser, ana: User
) -> None:
    factor = project.state.add_factor(ana)
    page = await after_password(house, browser)
    assert "Code from your authenticator app" in page.text
    assert SESSION not in browser.jar
    page = await enter(browser, page, "000000" if factor.code() != "000000" else "111111")
    assert (page.status, SESSION in browser.jar) == (401, False)
    page = await browser.get((await enter(browser, page, factor.code())).location)
    assert page.title.startswith("Allow access?")
    assert EMAIL in page.text
    session = await house.parts.store.session(digest(browser.jar[SESSION]), house.clock())
    assert session is not None
    assert session.person.sub == ana.id
    assert session.person.methods == ("pwd", "otp", "mfa")
    assert session.person.assurance == 2


async def test_a_phone(project: Project, house: House, browser: Browser, ana: User) -> None:
    project.state.add_factor(ana, "phone", phone=NUMBER)
    page = await after_password(house, browser)
    assert "Code from the message to your phone (…67)" in page.text
    assert NUMBER not in page.html
    ((_, code),) = project.state.messages
    page = await browser.get((await enter(browser, page, code)).location)
    assert page.title.startswith("Allow access?")


async def test_a_phone_that_changed_its_network(project: Project, build: Build, ana: User) -> None:
    project.state.add_factor(ana, "phone", phone=NUMBER)
    async with pages_of(project, build, forward_address=True) as house:
        browser = house.browser()
        page = await after_password(house, browser)
        browser.address = "198.51.100.7"
        page = await enter(browser, page, project.state.messages[0][1])
        assert "a new one was sent" in page.text
        answer = await enter(browser, page, project.state.messages[1][1])
        assert (await browser.get(answer.location)).title.startswith("Allow access?")


async def test_an_outage_between_the_two(
    project: Project, house: House, browser: Browser, ana: User
) -> None:
    factor = project.state.add_factor(ana)
    page = await after_password(house, browser)
    project.standin.fault("/verify", status=503)
    page = await enter(browser, page, factor.code())
    assert page.status == 503
    assert page.headers["retry-after"]
    project.standin.clear()
    assert (await enter(browser, page, factor.code())).status == 303


async def test_a_factor_that_no_code_answers(
    project: Project, house: House, browser: Browser, ana: User
) -> None:
    project.state.add_factor(ana, "webauthn")
    page = await after_password(house, browser)
    assert page.status == 403
    assert "is of a kind that does not work here" in page.text
    assert page.form("/oauth/sign-in")


async def test_nobody_without_a_factor_where_one_is_demanded(
    project: Project, build: Build
) -> None:
    async with pages_of(project, build, require_aal2=True) as house:
        page = await after_password(house, house.browser())
        assert page.status == 403
        assert "this account has none. Set up an authenticator" in page.text


@clause("ASVS", "6.3.3")
async def test_a_browser_at_aal1_steps_up_when_aal2_is_demanded(
    project: Project, house: House, browser: Browser, ana: User
) -> None:
    """Ana signed in when one factor was enough, and set up her authenticator since."""
    assert (await after_password(house, browser)).title.startswith("Allow access?")
    weak = browser.jar[SESSION]
    factor = project.state.add_factor(ana)
    directory = project.another(require_aal2=True)
    policy = replace(house.parts.policy, required_assurance=2)
    parts: Any = replace(house.parts, policy=policy, passwords=directory)
    strict = mount(parts, house.clock)
    again = strict.browser()
    again.jar.update(browser.jar)
    page = await again.start(client())
    page = await again.submit(page.form("/oauth/sign-in"), username=EMAIL, password=PASSWORD)
    page = await again.get(page.location)
    assert page.title.startswith("Enter your code")
    page = await again.get((await enter(again, page, factor.code())).location)
    assert page.title.startswith("Allow access?")
    session = await house.parts.store.session(digest(again.jar[SESSION]), house.clock())
    assert session is not None
    assert (session.person.assurance, again.jar[SESSION] != weak) == (2, True)
    await directory.close()


@clause("ASVS", "6.3.3")
async def test_somebody_banned_after_the_password(
    project: Project, house: House, browser: Browser, ana: User
) -> None:
    factor = project.state.add_factor(ana)
    page = await after_password(house, browser)
    ana.banned_until = project.clocks.timing().clock() + 3600
    page = await enter(browser, page, factor.code())
    assert page.status == 401
    assert page.form("/oauth/sign-in")
    assert SESSION not in browser.jar


@clause("ASVS", "14.2")
async def test_no_token_of_theirs_is_readable_in_our_row(
    project: Project, house: House, browser: Browser, ana: User
) -> None:
    project.state.add_factor(ana)
    page = await after_password(house, browser)
    handle = page.form("/oauth/factor").fields["request"]
    request = await house.parts.store.request(digest(handle))
    assert request is not None
    assert request.factor is not None
    for secret in (EMAIL, ana.id, "eyJ", project.standin.gate.secret):
        assert secret not in request.factor.sealed
    assert request.factor.expires_at <= house.clock() + 300
