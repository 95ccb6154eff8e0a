"""Whatever arrives, a page answers, and it is never a fault of ours."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pages.house import Browser, House, Page, call, client

FORMS = ("/oauth/sign-in", "/oauth/consent", "/oauth/sign-out")
NAMES = ("request", "form_token", "username", "password", "decision", "resource")

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("path", FORMS)
@quick
@given(body=st.binary(max_size=400))
async def test_any_bytes_as_a_form(browser: Browser, path: str, body: bytes) -> None:
    page = await browser.post(path, body)
    assert 400 <= page.status < 500
    assert page.title.startswith("Error: ")


@pytest.mark.parametrize("path", FORMS)
@quick
@given(fields=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=60)))
async def test_any_text_in_the_fields(
    house: House, browser: Browser, path: str, fields: dict[str, str]
) -> None:
    if not browser.jar:
        await browser.consent_page(await house.register(client()))
    page = await browser.post(
        path, {k: v.encode("utf-8", "replace").decode() for k, v in fields.items()}
    )
    assert 400 <= page.status < 500
    assert "script" not in page.tags


@quick
@given(query=st.binary(max_size=200))
async def test_any_bytes_as_a_query(house: House, browser: Browser, query: bytes) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/oauth/continue",
        "query_string": query,
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    page = Page(*await call(house, scope, b""))
    assert page.status in (400, 413)


@pytest.mark.parametrize("name", [b"cookie", b"origin", b"sec-fetch-site", b"sec-purpose"])
@quick
@given(value=st.binary(max_size=200))
async def test_any_bytes_in_a_header(
    house: House, browser: Browser, name: bytes, value: bytes
) -> None:
    for path in ("/oauth/continue?request=x", "/oauth/sign-out", "/oauth/signed-out"):
        page = await browser.get(path, {name.decode(): value.decode("latin-1")})
        assert page.status < 500
    page = await browser.post("/oauth/consent", {}, {name.decode(): value.decode("latin-1")})
    assert 400 <= page.status < 500
