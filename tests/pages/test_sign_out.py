from __future__ import annotations

from authgate.security.digests import digest
from tests.pages.house import ADA, GRACE, Browser, House, client


async def test_using_another_account_leads_back_to_the_same_request(
    house: House, browser: Browser
) -> None:
    page = await browser.consent_page(await house.register(client()))
    cookie = browser.jar["authgate-session"]
    answer = await browser.submit(page.form("/oauth/sign-out"))
    assert "authgate-session" not in browser.jar
    assert await house.parts.store.session(digest(cookie), house.clock()) is None
    sign_in = await browser.get(answer.location)
    assert sign_in.title.startswith("Sign in")
    handle = page.form("/oauth/consent").fields["request"]
    assert sign_in.form("/oauth/sign-in").fields["request"] == handle
    consent = await browser.sign_in(sign_in, GRACE)
    assert GRACE in consent.text
    assert "code" in (await browser.decide(consent, "approve")).answer


async def test_signing_out_takes_a_button_and_says_so(house: House, browser: Browser) -> None:
    await browser.consent_page(await house.register(client()))
    page = await browser.get("/oauth/sign-out")
    assert page.title == "Sign out? – localhost:8000"
    assert ADA in page.text
    assert "authgate-session" in browser.jar  # the GET alone did nothing
    done = await browser.get((await browser.submit(page.form("/oauth/sign-out"))).location)
    assert done.title == "Signed out – localhost:8000"
    assert "You are signed out" in done.text
    assert "authgate-session" not in browser.jar


async def test_pages_say_what_is_true(house: House, browser: Browser) -> None:
    assert (await browser.get("/oauth/sign-out")).location == "/oauth/signed-out"
    await browser.consent_page(await house.register(client()))
    assert (await browser.get("/oauth/signed-out")).location == "/oauth/sign-out"


async def test_the_old_cookie_opens_nothing_after_signing_out(
    house: House, browser: Browser
) -> None:
    asking = await house.register(client())
    page = await browser.consent_page(asking)
    stolen = dict(browser.jar)
    await browser.submit(page.form("/oauth/sign-out"))
    browser.jar = stolen
    assert (await browser.start(asking)).title.startswith("Sign in")
    # the second press of the same button is no fault of anybody
    assert (await browser.submit(page.form("/oauth/sign-out"))).status == 303
