"""The dispatcher, and when a consent that was given before is enough."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from authgate.protocol.parameters import read
from authgate.steps.authorize import Asker, Opened, open_request
from tests.clauses import clause
from tests.pages.house import (
    ADA,
    CHALLENGE,
    GRACE,
    LOOPBACK_URI,
    PASSWORD,
    Browser,
    Client,
    House,
    ask_path,
    client,
)

CROSS_SITE = {"sec-fetch-site": "cross-site"}


async def remembered(house: House, browser: Browser, **changes: object) -> Client:
    """A client that this browser's person has allowed once."""
    asking = await house.register(client(**changes))
    answer = await browser.decide(await browser.consent_page(asking), "approve")
    assert "code" in answer.answer
    return asking


async def test_what_was_allowed_before_is_not_asked_again(house: House, browser: Browser) -> None:
    asking = await remembered(house, browser)
    answer = await browser.start(asking)
    assert answer.location.startswith("https://client.example/callback?code=")
    assert answer.answer["state"] == "a state / with+marks"
    assert answer.headers["referrer-policy"] == "no-referrer"


@clause("MCP best practices", "Confused Deputy")
@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
async def test_a_self_registered_client_is_always_asked_when_another_site_sent_the_browser(
    house: House, browser: Browser, site: str | None
) -> None:
    asking = await remembered(house, browser)
    asked = await browser.get(ask_path(asking), {"sec-fetch-site": site})
    page = await browser.get(asked.location)
    assert page.title.startswith("Allow access?")


async def test_a_client_the_operator_vouches_for_may_come_from_its_own_site(
    house: House, browser: Browser
) -> None:
    asking = await remembered(house, browser, self_registered=False)
    asked = await browser.get(ask_path(asking), CROSS_SITE)
    assert "code" in (await browser.get(asked.location, CROSS_SITE)).answer


@clause("RFC 8252", "8.6")
@pytest.mark.parametrize("uri", [LOOPBACK_URI, "http://[::1]:9/", "cursor://x/callback"])
async def test_a_client_on_the_persons_machine_is_asked_every_time(
    house: House, browser: Browser, uri: str
) -> None:
    asking = await remembered(house, browser, redirect_uris=(uri,), self_registered=False)
    assert (await browser.start(asking)).title.startswith("Allow access?")


async def test_more_scopes_are_asked_for_and_fewer_are_not(house: House, browser: Browser) -> None:
    asking = await house.register(client())
    page = await browser.consent_page(asking, scope="mcp:use")
    await browser.decide(page, "approve")
    more = await browser.start(asking, scope="mcp:use files:write")
    assert more.title.startswith("Allow access?")
    await browser.decide(more, "approve")
    assert "code" in (await browser.start(asking, scope="files:write")).answer


@pytest.mark.parametrize("prompt", ["consent", "login consent"])
async def test_a_client_may_want_the_person_asked(
    house: House, browser: Browser, prompt: str
) -> None:
    asking = await remembered(house, browser)
    house.clock.ahead = 1
    page = await browser.consent_page(asking, prompt=prompt)
    assert page.title.startswith("Allow access?")


@pytest.mark.parametrize("prompt", ["login", "select_account"])
async def test_a_client_may_want_a_fresh_sign_in(
    house: House, browser: Browser, prompt: str
) -> None:
    asking = await remembered(house, browser)
    house.clock.ahead = 2
    page = await browser.start(asking, prompt=prompt)
    assert page.title.startswith("Sign in")
    house.clock.ahead = 4
    answer = await browser.submit(page.form("/oauth/sign-in"), username=ADA, password=PASSWORD)
    assert "code" in (await browser.get(answer.location)).answer


async def test_another_person_is_asked_for_themselves(house: House, browser: Browser) -> None:
    asking = await remembered(house, browser)
    other = house.browser()
    page = await other.sign_in(await other.start(asking), GRACE)
    assert page.title.startswith("Allow access?")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-dest": "image"},
        {"sec-fetch-dest": "empty"},
    ],
)
async def test_only_a_page_load_that_somebody_sees_may_approve(
    house: House, browser: Browser, headers: Mapping[str, str]
) -> None:
    asking = await remembered(house, browser)
    asked = await browser.get(ask_path(asking))
    for _ in range(2):
        page = await browser.get(asked.location, headers)
        assert page.title.startswith("Allow access?")
    assert "code" in (await browser.get(asked.location)).answer


async def test_a_head_request_changes_nothing(house: House, browser: Browser) -> None:
    asking = await remembered(house, browser)
    asked = await browser.get(ask_path(asking))
    head = await browser.ask("HEAD", asked.location)
    assert (head.status, head.body) == (200, b"")
    assert "code" in (await browser.get(asked.location)).answer


async def test_a_second_load_does_not_disturb_the_first_form(
    house: House, browser: Browser
) -> None:
    """The browser's prefetch once cost a user of a peer nineteen sign-ins (fastmcp#4814)."""
    asking = await house.register(client())
    asked = await browser.get(ask_path(asking))
    first = await browser.get(asked.location)
    again = await browser.get(asked.location)
    another = await browser.start(asking)
    assert again.html == first.html
    consent = await browser.sign_in(first)
    await browser.get(asked.location)
    await browser.get(ask_path(asking))
    assert "code" in (await browser.decide(consent, "approve")).answer
    assert (await browser.sign_in(another)).status == 303  # remembered by now


@clause("MCP best practices", "Confused Deputy")
async def test_another_browser_cannot_go_on_with_the_request(
    house: House, browser: Browser
) -> None:
    asking = await house.register(client())
    asked = await browser.get(ask_path(asking))
    await browser.consent_page(asking)
    stranger, signed_in = house.browser(), house.browser()
    await signed_in.consent_page(asking)
    for other in (stranger, signed_in):
        page = await other.get(asked.location)
        assert page.status == 403
        assert page.title.startswith("Error: Not in this browser")
        assert "allow cookies for localhost:8000" in page.text
        assert page.forms == []


@pytest.mark.parametrize(
    "query", ["", "?request=", "?request=nothing", "?request=%00", "?request=" + "x" * 8192]
)
async def test_an_unknown_request_is_said_so(house: House, browser: Browser, query: str) -> None:
    page = await browser.get("/oauth/continue" + query)
    assert page.status == 400
    assert page.title.startswith("Error: ")
    assert page.forms == []


async def test_a_tool_challenge_has_no_page(house: House, browser: Browser) -> None:
    """A challenge is answered by the tool it was given to, and belongs to no browser."""
    asking = await house.register(client())
    asked = read(
        [
            ("response_type", "code"),
            ("client_id", asking.client_id),
            ("redirect_uri", asking.redirect_uris[0]),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    )
    opened = await open_request(house.parts, asked, Asker("tool"))
    assert isinstance(opened, Opened)
    assert (await browser.get(f"/oauth/continue?request={opened.handle}")).status == 400


@pytest.mark.parametrize("ending", ["answered", "expired"])
async def test_a_request_that_is_over_says_so(house: House, browser: Browser, ending: str) -> None:
    asking = await house.register(client())
    asked = await browser.get(ask_path(asking))
    page = await browser.sign_in(await browser.get(asked.location))
    if ending == "answered":
        await browser.decide(page, "deny")
    else:
        house.clock.ahead = 600
    page = await browser.get(asked.location)
    assert page.status == 400
    heading = "Nothing left to do here" if ending == "answered" else "Please start again"
    assert page.title == f"Error: {heading} – localhost:8000"
