"""What every answer of the pages carries, whatever it says."""

from __future__ import annotations

import pytest

from tests.clauses import clause
from tests.pages.house import ADA, PASSWORD, Browser, House, Page, ask_path, client

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SHOWN = (
    "sign-in", "wrong sign-in", "consent", "sign-out", "signed-out", "unknown", "answered",
    "foreign", "not found", "not allowed", "too large", "unregistered", "other browser",
)  # fmt: skip
MOVED = ("asked", "signed in", "approved", "denied", "changed account", "nobody to sign out")


async def walk(house: House, browser: Browser) -> dict[str, Page]:
    """Every page and every redirect once."""
    asking = await house.register(client())
    seen: dict[str, Page] = {}
    seen["signed-out"] = await browser.get("/oauth/signed-out")
    seen["nobody to sign out"] = await browser.get("/oauth/sign-out")
    seen["asked"] = await browser.get(ask_path(asking))
    seen["sign-in"] = await browser.get(seen["asked"].location)
    form = seen["sign-in"].form("/oauth/sign-in")
    seen["wrong sign-in"] = await browser.submit(form, username=ADA, password="wrong")
    seen["signed in"] = await browser.submit(form, username=ADA, password=PASSWORD)
    seen["consent"] = await browser.get(seen["signed in"].location)
    seen["foreign"] = await browser.post("/oauth/consent", {}, {"origin": "https://evil.example"})
    seen["approved"] = await browser.decide(seen["consent"], "approve")
    seen["answered"] = await browser.decide(seen["consent"], "approve")
    second = await browser.start(asking, scope="files:write", prompt="consent")
    seen["denied"] = await browser.decide(second, "deny")
    seen["sign-out"] = await browser.get("/oauth/sign-out")
    third = await browser.start(asking, prompt="consent")
    seen["changed account"] = await browser.submit(third.form("/oauth/sign-out"))
    seen["unknown"] = await browser.get("/oauth/continue?request=x")
    seen["other browser"] = await house.browser().get(seen["asked"].location)
    seen["not found"] = await browser.get("/x")
    seen["not allowed"] = await browser.get("/oauth/consent")
    seen["too large"] = await browser.post("/oauth/consent", b"x" * 70_000)
    seen["unregistered"] = await browser.get(ask_path(asking, redirect_uri="https://evil.example"))
    return seen


@pytest.fixture
async def seen(house: House, browser: Browser) -> dict[str, Page]:
    return await walk(house, browser)


def test_the_walk_is_complete(seen: dict[str, Page]) -> None:
    assert set(seen) == {*SHOWN, *MOVED}
    assert {name for name, page in seen.items() if page.status == 303} == set(MOVED)


@clause("ASVS 5.0", "3.4")
def test_every_page_is_kept_to_itself(seen: dict[str, Page]) -> None:
    for name in SHOWN:
        headers = seen[name].headers
        assert headers["content-type"] == "text/html; charset=utf-8", name
        assert headers["content-security-policy"] == POLICY, name
        assert "form-action" not in headers["content-security-policy"], name
        assert headers["x-frame-options"] == "DENY", name
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert headers["cache-control"] == "no-store", name
        assert "camera=()" in headers["permissions-policy"], name
        assert "cross-origin-opener-policy" not in headers, name  # popups of web clients need it
        assert not any(key.startswith("access-control-") for key in headers), name


def test_every_redirect_is_a_303_that_nobody_keeps(seen: dict[str, Page]) -> None:
    for name in MOVED:
        headers = seen[name].headers
        assert headers["cache-control"] == "no-store", name
        assert headers["referrer-policy"] == "no-referrer", name
        assert seen[name].body == b"", name
        assert not any(key.startswith("access-control-") for key in headers), name


def test_no_header_comes_twice_but_cookies(seen: dict[str, Page]) -> None:
    for name, page in seen.items():
        keys = [key for key, _ in page.raw_headers if key != "set-cookie"]
        assert len(keys) == len(set(keys)), name


def test_no_page_needs_or_allows_a_script(seen: dict[str, Page]) -> None:
    for name in SHOWN:
        page = seen[name]
        assert not {"script", "style", "iframe", "object", "base"} & set(page.tags), name
        for key, value in page.attributes:
            assert not key.startswith("on"), name
            assert key != "style", name
            if key in ("src", "href"):
                assert value is not None
                assert value.startswith("/oauth/static/"), name


def test_every_page_has_a_title_a_heading_and_a_language(seen: dict[str, Page]) -> None:
    for name in SHOWN:
        page = seen[name]
        assert page.html.startswith('<!doctype html>\n<html lang="en">'), name
        assert page.title.endswith(" – localhost:8000"), name
        assert page.title.startswith("Error: ") == (page.status >= 400), name
        assert page.tags.count("h1") == 1, name
        assert page.tags.count("main") == 1, name


def test_no_page_shows_a_secret(seen: dict[str, Page], browser: Browser) -> None:
    for name in SHOWN:
        assert PASSWORD not in seen[name].html, name
        assert not any(value in seen[name].html for value in browser.jar.values()), name
