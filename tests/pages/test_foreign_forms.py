"""Forms that our own page did not send, or sent for somebody else (RFC 9700 section 4.7)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clauses import clause
from tests.pages.house import ADA, GRACE, PASSWORD, Browser, Form, House, Page, client

FORMS = ("/oauth/sign-in", "/oauth/consent", "/oauth/sign-out")
TYPED = {
    "/oauth/sign-in": {"username": ADA, "password": PASSWORD},
    "/oauth/consent": {"decision": "approve"},
    "/oauth/sign-out": {},
}


async def open_form(house: House, browser: Browser, path: str) -> Form:
    """A form of a fresh request, filled as a person would."""
    asking = await house.register(client(f"client-{len(browser.jar)}-{id(browser)}-{path}"))
    page = await browser.start(asking)
    if path != "/oauth/sign-in":
        page = await browser.sign_in(page)
    form = page.form(path)
    form.fields.update(TYPED[path])
    return form


async def assert_untouched(house: House, browser: Browser, path: str, answer: Page) -> None:
    """Refused with a page, no cookie changed, and nothing happened to the request."""
    assert answer.status == 403, answer.text
    assert answer.title.startswith("Error: This form cannot be used")
    assert answer.set_cookies == []
    assert "location" not in answer.headers


@clause("RFC 9700", "4.7")
@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://evil.example", "sec-fetch-site": None},
        {"origin": "http://localhost:8001", "sec-fetch-site": "same-site"},
        {"origin": "https://localhost:8000"},
        {"origin": "http://localhost:8000.evil.example"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "made-up"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:8000"},
    ],
)
async def test_a_form_that_another_site_posts_is_refused(
    house: House, browser: Browser, path: str, headers: Mapping[str, str | None]
) -> None:
    form = await open_form(house, browser, path)
    answer = await browser.post(form.action, form.fields, headers)
    await assert_untouched(house, browser, path, answer)
    assert (await browser.post(form.action, form.fields)).status == 303


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:8000"},
        {"origin": "null"},
        {"origin": None},
        {"origin": None, "sec-fetch-site": None},
        {"origin": "null", "sec-fetch-site": None},
        {"sec-fetch-site": "none"},
    ],
)
async def test_what_browsers_say_about_our_own_forms_is_accepted(
    house: House, browser: Browser, path: str, headers: Mapping[str, str | None]
) -> None:
    form = await open_form(house, browser, path)
    assert (await browser.post(form.action, form.fields, headers)).status == 303


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", [None, "", "x", "é", "\U0001f600", "A" * 43, "A" * 4000])
async def test_a_form_without_its_token_is_refused(
    house: House, browser: Browser, path: str, token: str | None
) -> None:
    form = await open_form(house, browser, path)
    fields = {k: v for k, v in form.fields.items() if k != "form_token"}
    if token is not None:
        fields["form_token"] = token
    await assert_untouched(house, browser, path, await browser.post(form.action, fields))
    assert (await browser.post(form.action, form.fields)).status == 303


@pytest.mark.parametrize("path", FORMS)
async def test_the_token_of_another_browser_is_refused(
    house: House, browser: Browser, path: str
) -> None:
    theirs = await open_form(house, house.browser(), path)
    ours = await open_form(house, browser, path)
    stolen = {**ours.fields, "form_token": theirs.fields["form_token"]}
    await assert_untouched(house, browser, path, await browser.post(ours.action, stolen))


@pytest.mark.parametrize("path", FORMS)
async def test_the_token_of_another_request_is_refused(
    house: House, browser: Browser, path: str
) -> None:
    asking = await house.register(client())
    first = await browser.start(asking)
    second = await browser.start(asking)
    if path != "/oauth/sign-in":
        first = await browser.sign_in(first)
        request = second.form("/oauth/sign-in").fields["request"]
        second = await browser.get(f"/oauth/continue?request={request}")
    mixed = {
        **first.form(path).fields,
        "form_token": second.form(path).fields["form_token"],
        **TYPED[path],
    }
    await assert_untouched(house, browser, path, await browser.post(path, mixed))


@pytest.mark.parametrize(("path", "other"), [(a, b) for a in FORMS for b in FORMS if a != b])
async def test_the_token_of_another_form_is_refused(
    house: House, browser: Browser, path: str, other: str
) -> None:
    asking = await house.register(client())
    page = await browser.start(asking)
    tokens = {"/oauth/sign-in": page.form("/oauth/sign-in").fields["form_token"]}
    request = page.form("/oauth/sign-in").fields["request"]
    page = await browser.sign_in(page)
    for name in ("/oauth/consent", "/oauth/sign-out"):
        tokens[name] = page.form(name).fields["form_token"]
    fields = {"request": request, "form_token": tokens[other], **TYPED[path]}
    await assert_untouched(house, browser, path, await browser.post(path, fields))


@clause("RFC 9700", "4.7")
async def test_another_account_in_another_tab_makes_the_consent_form_useless(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    asking = await house.register(client())
    first = await browser.consent_page(asking)
    elsewhere = await browser.start(asking, prompt="select_account")
    if not elsewhere.forms or "/oauth/sign-in" not in elsewhere.forms[0].action:
        await browser.submit(elsewhere.form("/oauth/sign-out"))
        elsewhere = await browser.start(asking)
    await browser.sign_in(elsewhere, GRACE)
    answer = await browser.decide(first, "approve")
    await assert_untouched(house, browser, "/oauth/consent", answer)
    assert codes(tmp_path) == 0
    # but the person may look again, and then sees for whom
    ((href, text),) = answer.links
    assert text == "Show this sign-in as it is now"
    again = await browser.get(href)
    assert GRACE in again.text
    assert ADA not in again.text
    assert "code" in (await browser.decide(again, "approve")).answer


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_in_a_browser_without_cookies_is_refused(
    house: House, browser: Browser, path: str
) -> None:
    form = await open_form(house, browser, path)
    answer = await house.browser().post(form.action, form.fields)
    assert answer.status == 403
    assert answer.set_cookies == []


@clause("RFC 6749", "3.1")
@pytest.mark.parametrize("path", FORMS)
async def test_repeated_fields_are_refused(house: House, browser: Browser, path: str) -> None:
    form = await open_form(house, browser, path)
    for name, value in form.fields.items():
        twice = "&".join([f"{k}={v}" for k, v in form.fields.items()] + [f"{name}={value or 'x'}"])
        answer = await browser.post(form.action, twice.encode())
        assert answer.status == 400, (name, answer.text)
        assert "sent more than once" in answer.text


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"decision": "approve"}'),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", b"decision=approve"),
        (None, b"decision=approve"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=1"),
        ("application/x-www-form-urlencoded", b"decision=%ff"),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % i for i in range(200))),
        ("application/x-www-form-urlencoded", b"decision=" + b"x" * 10_000),
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"request=%00&form_token=%0d%0a"),
    ],
)
async def test_odd_bodies_get_a_page_and_change_nothing(
    house: House, browser: Browser, path: str, kind: str | None, body: bytes
) -> None:
    answer = await browser.post(path, body, {"content-type": kind})
    assert 400 <= answer.status < 500
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.set_cookies == []


def codes(folder: Path) -> int:
    """How many codes were ever made in this test's first house."""
    with sqlite3.connect(folder / "0.sqlite3") as db:
        return int(db.execute("SELECT count(*) FROM codes").fetchone()[0])
