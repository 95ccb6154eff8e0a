"""GitHub and Google on the pages: away, back once in the same browser, and then consent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from authgate.security.digests import digest
from tests.clauses import clause
from tests.directories.supabase_house import EMAIL, PASSWORD, opened_house, quick
from tests.directories.supabase_house import House as Project
from tests.pages.abroad import abroad, come_back, link_to, parts_of, with_provider
from tests.pages.conftest import Build
from tests.pages.house import Browser, House, Page, client, mount
from tests.standins.supabase_state import ProviderPerson

SESSION, BROWSER = "authgate-session", "authgate-browser"


@pytest.fixture
async def project() -> AsyncIterator[Project]:
    async with opened_house() as opened:
        opened.state.add_user(EMAIL, PASSWORD)
        yield opened


@pytest.fixture
async def house(project: Project, build: Build) -> AsyncIterator[House]:
    plain = await build()
    async with parts_of(project, plain.parts) as parts:
        yield mount(parts, plain.clock)


async def signing_in(house: House, browser: Browser, client_id: str = "client-1") -> Page:
    return await browser.start(await house.register(client(client_id)))


async def sent_away(house: House, browser: Browser, client_id: str = "client-1") -> str:
    """The URL at the provider's side."""
    page = await signing_in(house, browser, client_id)
    return (await browser.get(link_to(page, "GitHub"))).location


@pytest.mark.parametrize(("provider", "pick"), [("GitHub", "Octo"), ("Google", "Gina")])
async def test_a_person_comes_back_and_consents(
    house: House, browser: Browser, provider: str, pick: str
) -> None:
    page = await with_provider(browser, await signing_in(house, browser), provider, pick)
    assert page.title.startswith("Allow access?")
    assert f"{pick.lower()}@example.com" in page.text
    session = await house.parts.store.session(digest(browser.jar[SESSION]), house.clock())
    assert session is not None
    assert session.person.methods == (provider.lower(),)
    answer = (await browser.decide(page, "approve")).answer
    code = await house.parts.store.code(digest(answer["code"]))
    assert code is not None
    assert code.person == session.person


async def test_the_form_has_a_button_for_each_way_there_is(
    house: House, browser: Browser, build: Build, project: Project
) -> None:
    page = await signing_in(house, browser)
    assert [text for _, text in page.links] == ["Continue with GitHub", "Continue with Google"]
    assert page.form("/oauth/sign-in")
    plain = await build()
    page = await signing_in(plain, plain.browser())
    assert page.links == []
    google = quick(email=False, providers=("google",))
    async with opened_house(google) as other, parts_of(other, plain.parts) as parts:
        social_only = mount(parts, plain.clock)
        page = await signing_in(social_only, social_only.browser(), "client-2")
        assert page.forms == []
        assert [text for _, text in page.links] == ["Continue with Google"]
        assert "password" not in page.text
    none = quick(email=False, providers=())
    async with opened_house(none) as shut, parts_of(shut, plain.parts) as parts:
        nothing = mount(parts, plain.clock)
        page = await signing_in(nothing, nothing.browser(), "client-3")
        assert "No way to sign in is open" in page.text
    async with parts_of(project, plain.parts, social=False) as parts:
        without = mount(parts, plain.clock)
        assert (await signing_in(without, without.browser(), "client-4")).links == []


@clause("MCP best practices", "state set after consent")
async def test_nothing_of_ours_but_a_name_goes_away(house: House, browser: Browser) -> None:
    page = await signing_in(house, browser)
    handle = parse_qs(urlsplit(link_to(page, "GitHub")).query)["request"][0]
    url = (await browser.get(link_to(page, "GitHub"))).location
    query = dict(parse_qsl(urlsplit(url).query))
    assert set(query) == {"provider", "redirect_to", "code_challenge", "code_challenge_method"}
    assert query["redirect_to"].startswith("http://localhost:8000/oauth/callback?tx=")
    for secret in (handle, browser.jar[BROWSER]):
        assert secret not in url


@clause("CVE-2026-27124", "callback")
async def test_another_browser_gets_nothing_and_spends_nothing(
    house: House, browser: Browser
) -> None:
    back = await abroad(await sent_away(house, browser))
    unknown, known = house.browser(), house.browser()
    await signing_in(house, known, "client-2")  # this one has a cookie of ours
    for other in (unknown, known):
        page = await come_back(other, back)
        assert page.status == 403
        assert SESSION not in other.jar
    page = await browser.get((await come_back(browser, back)).location)
    assert page.title.startswith("Allow access?")


async def test_a_return_counts_once(house: House, browser: Browser) -> None:
    back = await abroad(await sent_away(house, browser))
    answers = await asyncio.gather(*(come_back(browser, back) for _ in range(8)))
    assert [page.status for page in answers].count(303) == 1
    late = await come_back(browser, back)
    assert late.status == 400
    assert "has come back before" in late.text
    ((href, text),) = late.links
    assert text == "Back to the sign-in page"
    assert (await browser.get(href)).title.startswith("Allow access?")


async def test_a_return_that_is_late_says_so(house: House, browser: Browser) -> None:
    back = await abroad(await sent_away(house, browser))
    house.clock.ahead = 601
    page = await come_back(browser, back)
    assert page.status == 400
    assert "expired" in page.text
    assert SESSION not in browser.jar


@clause("RFC 9700", "4.7")
async def test_nobody_elses_code_fits(house: House, browser: Browser) -> None:
    """A code of another transaction, however it got here, opens nothing: PKCE is each one's own."""
    mine = await abroad(await sent_away(house, browser))
    mallory = house.browser()
    theirs = await abroad(await sent_away(house, mallory, "client-2"))
    mixed = {
        "tx": parse_qs(urlsplit(mine).query)["tx"][0],
        "code": parse_qs(urlsplit(theirs).query)["code"][0],
    }
    page = await come_back(browser, "/oauth/callback?" + urlencode(mixed))
    assert page.status == 403
    assert SESSION not in browser.jar


async def test_a_code_of_another_provider_does_not_fit(
    project: Project, house: House, browser: Browser
) -> None:
    page = await signing_in(house, browser)
    github = (await browser.get(link_to(page, "GitHub"))).location
    google = (await browser.get(link_to(page, "Google"))).location
    back = await abroad(google, "Gina")
    tx = parse_qs(urlsplit(dict(parse_qsl(urlsplit(github).query))["redirect_to"]).query)["tx"][0]
    code = parse_qs(urlsplit(back).query)["code"][0]
    page = await come_back(browser, "/oauth/callback?" + urlencode({"tx": tx, "code": code}))
    assert page.status == 403
    assert SESSION not in browser.jar


@pytest.mark.parametrize("query", ["", "tx=", "tx=made-up&code=x", "state=made-up", "code=x"])
async def test_what_belongs_to_nothing_names_the_url_to_allow(
    house: House, browser: Browser, query: str
) -> None:
    page = await come_back(browser, f"/oauth/callback?{query}")
    assert page.status == 400
    assert "allow http://localhost:8000/oauth/callback as a redirect URL" in page.text
    assert "at Supabase with ** after it" in page.text  # WorkOS wants it to the letter


async def test_cancelling_there_leads_back_here(house: House, browser: Browser) -> None:
    page = await with_provider(browser, await signing_in(house, browser), pick="Cancel")
    assert (page.status, "was cancelled there" in page.text) == (403, True)
    page = await browser.get(page.links[0][0])
    assert page.title.startswith("Sign in")
    page = await with_provider(browser, page)
    assert page.title.startswith("Allow access?")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("error=access_denied", 403, "was cancelled there"),
        ("error=access_denied&error_code=user_banned", 403, "did not succeed"),
        ("error=access_denied&error_code=signup_disabled", 403, "no account here"),
        ("error=server_error&error_code=unexpected_failure", 403, "did not succeed"),
        ("error=invalid_request&error_code=bad_oauth_state", 403, "took too long"),
        ("error_code=provider_email_needs_verification", 403, "has not verified"),
        ("error=x&error_code=over_request_rate_limit", 503, "not possible at the moment"),
        ("error=made+up&error_description=secret-internal-detail-8841", 403, "did not succeed"),
        ("code=made-up", 403, "took too long"),
        ("", 403, "took too long"),
    ],
)
async def test_each_kind_of_error_is_told_and_can_be_tried_again(
    house: House, browser: Browser, query: str, status: int, words: str
) -> None:
    url = await sent_away(house, browser)
    target = dict(parse_qsl(urlsplit(url).query))["redirect_to"]
    page = await come_back(browser, f"/oauth/callback?{urlsplit(target).query}&{query}")
    assert (page.status, words in page.text) == (status, True), page.text
    assert "secret-internal" not in page.html
    assert SESSION not in browser.jar
    assert (await browser.get(page.links[0][0])).title.startswith("Sign in")


async def test_an_address_that_is_not_verified(house: House, browser: Browser) -> None:
    page = await with_provider(browser, await signing_in(house, browser), pick="Unsure")
    assert (page.status, "GitHub has not verified" in page.text) == (403, True)


async def test_where_everybody_needs_a_second_factor(project: Project, build: Build) -> None:
    plain = await build()
    async with parts_of(project, plain.parts, require_aal2=True) as parts:
        strict = mount(parts, plain.clock)
        browser = strict.browser()
        page = await with_provider(browser, await signing_in(strict, browser))
        assert (page.status, SESSION in browser.jar) == (403, False)
        assert "asks for a second factor" in page.text


async def test_where_addresses_are_not_confirmed_no_provider_is_offered(build: Build) -> None:
    plain = await build()
    careless = quick(autoconfirm=True)
    async with opened_house(careless) as project, parts_of(project, plain.parts) as parts:
        house = mount(parts, plain.clock)
        browser = house.browser()
        page = await signing_in(house, browser)
        assert page.links == []
        handle = page.form("/oauth/sign-in").fields["request"]
        page = await browser.get(f"/oauth/start/github?request={handle}")
        assert "not offered here" in page.text


async def test_an_outage_on_the_way_back(project: Project, house: House, browser: Browser) -> None:
    back = await abroad(await sent_away(house, browser))
    project.standin.fault("/token", status=503)
    page = await come_back(browser, back)
    assert (page.status, SESSION in browser.jar) == (503, False)
    assert int(page.headers["retry-after"]) > 0
    project.standin.clear()
    page = await with_provider(browser, await browser.get(page.links[0][0]))
    assert page.title.startswith("Allow access?")


@clause("ASVS", "6.3.3")
async def test_a_second_factor_after_github(
    project: Project, house: House, browser: Browser
) -> None:
    octo = project.state.add_user("octo@example.com", PASSWORD)
    factor = project.state.add_factor(octo)
    page = await with_provider(browser, await signing_in(house, browser))
    assert page.title.startswith("Enter your code")
    assert SESSION not in browser.jar
    wrong = "000000" if factor.code() != "000000" else "111111"
    page = await browser.submit(page.form("/oauth/factor"), code=wrong)
    assert (page.status, SESSION in browser.jar) == (401, False)
    answer = await browser.submit(page.form("/oauth/factor"), code=factor.code())
    page = await browser.get(answer.location)
    assert page.title.startswith("Allow access?")
    session = await house.parts.store.session(digest(browser.jar[SESSION]), house.clock())
    assert session is not None
    assert session.person.methods == ("github", "otp", "mfa")


async def test_wrong_codes_count_for_the_account_and_not_for_the_way(
    project: Project, house: House, browser: Browser
) -> None:
    """Who holds the GitHub account gets no fresh guesses by coming that way again, or another."""
    octo = project.state.add_user("octo@example.com", PASSWORD)
    factor = project.state.add_factor(octo)
    wrong = "000000" if factor.code() != "000000" else "111111"
    for number in range(2):
        page = await with_provider(browser, await signing_in(house, browser, f"client-{number}"))
        for _ in range(5):
            page = await browser.submit(page.form("/oauth/factor"), code=wrong)
    page = await signing_in(house, browser, "client-9")
    form = page.form("/oauth/sign-in")
    page = await browser.submit(form, username="octo@example.com", password=PASSWORD)
    assert page.status == 429


async def test_the_person_from_before_is_signed_out(
    project: Project, house: House, browser: Browser
) -> None:
    project.state.provider_people["github"].append(ProviderPerson("3", EMAIL, name="Ana"))
    page = await with_provider(browser, await signing_in(house, browser), pick="Ana")
    old = browser.jar[SESSION]
    house.clock.ahead = 1  # or the session would not be older than the request
    page = await browser.start(await house.register(client("client-2")), prompt="login")
    page = await with_provider(browser, page)
    assert "octo@example.com" in page.text
    assert browser.jar[SESSION] != old
    assert await house.parts.store.session(digest(old), house.clock()) is None


async def test_who_is_signed_in_already_is_not_sent_away(house: House, browser: Browser) -> None:
    page = await signing_in(house, browser)
    link = link_to(page, "GitHub")
    assert (await with_provider(browser, page)).title.startswith("Allow access?")
    assert (await browser.get(link)).location.startswith("/oauth/continue?")


async def test_start_asks_for_this_browser_and_an_open_request(
    house: House, browser: Browser
) -> None:
    page = await signing_in(house, browser)
    link = link_to(page, "GitHub")
    assert (await house.browser().get(link)).status == 403
    assert (await browser.get("/oauth/start/github?request=made-up")).status == 400
    assert (await browser.get("/oauth/start/github")).status == 400
    assert (await browser.get("/oauth/start/gitlab?request=x")).status == 404
    page = await with_provider(browser, page)
    await browser.decide(page, "deny")
    assert (await browser.get(link)).status == 400
    house.clock.ahead = 601
    assert (await browser.get(link)).status == 400


async def test_what_is_not_offered_is_said_so(build: Build) -> None:
    plain = await build()
    browser = plain.browser()
    page = await signing_in(plain, browser)
    handle = page.form("/oauth/sign-in").fields["request"]
    page = await browser.get(f"/oauth/start/github?request={handle}")
    assert (page.status, "Signing in with GitHub is not offered" in page.text) == (400, True)
    assert (await browser.get(page.links[0][0])).title.startswith("Sign in")


@pytest.mark.parametrize(
    "headers",
    [{"sec-purpose": "prefetch"}, {"purpose": "prefetch"}, {"sec-fetch-dest": "iframe"}],
)
async def test_nobody_is_signed_in_unseen(
    house: House, browser: Browser, headers: dict[str, str]
) -> None:
    back = await abroad(await sent_away(house, browser))
    assert (await come_back(browser, back, **headers)).status == 400
    head = await browser.ask("HEAD", back)
    assert (head.status, SESSION in browser.jar) == (400, False)
    assert (await come_back(browser, back)).status == 303


async def test_opening_is_braked(house: House, browser: Browser, project: Project) -> None:
    link = link_to(await signing_in(house, browser), "GitHub")
    statuses = [(await browser.get(link)).status for _ in range(105)]
    assert statuses[-1] == 429
