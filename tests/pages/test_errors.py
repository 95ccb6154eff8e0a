from __future__ import annotations

from string import Formatter

import pytest

from authgate.pages import errors
from authgate.pages.site import PublicUrl
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.faces import FACES
from authgate.steps.authorize import Faulty
from authgate.store.contract import StoreUnavailable
from tests.clauses import clause
from tests.pages.house import ISSUER, WEB_URI, Browser, House, Page, ask_path, client

FIELDS = {
    name: "some"
    for face in FACES.values()
    for text in (face.sentence, face.hint)
    for _, name, _, _ in Formatter().parse(text)
    if name and name != "retry_after"
}


def page_of(refusal: Refusal) -> Page:
    answer = errors.refusal_page(refusal, PublicUrl.of(ISSUER))
    return Page(answer.status, [(k.decode(), v.decode()) for k, v in answer.headers], answer.body)


@pytest.mark.parametrize("reason", FACES, ids=lambda reason: reason.value)
def test_every_refusal_has_a_page(reason: Reason) -> None:
    refusal = Refusal(reason, retry_after=9, **FIELDS)
    page = page_of(refusal)
    assert page.status == refusal.face.status
    assert page.title.startswith("Error: ")
    assert page.tags.count("h1") == 1
    assert refusal.sentence in page.text
    assert refusal.hint in page.text
    assert refusal.code in page.text
    assert page.headers["retry-after"] == "9"
    assert "{" not in page.text


def test_fields_of_a_refusal_are_escaped() -> None:
    page = page_of(Refusal(Reason.REQUEST_REPEATED, name="<script>alert(1)</script>"))
    assert "script" not in page.tags


async def test_an_address_that_does_not_exist(browser: Browser) -> None:
    page = await browser.get("/nothing/<here>")
    assert page.status == 404
    assert page.title == "Error: Page not found – localhost:8000"
    assert "here" not in page.text.replace("There is nothing", "")


@pytest.mark.parametrize("path", ["/oauth/sign-in", "/oauth/consent"])
async def test_a_form_address_opened_by_hand_is_405(browser: Browser, path: str) -> None:
    page = await browser.get(path)
    assert page.status == 405
    assert "POST" in page.headers["allow"]
    assert page.title.startswith("Error: That does not work here")


async def test_a_form_that_is_too_large_is_413(browser: Browser) -> None:
    page = await browser.post("/oauth/sign-in", b"password=" + b"x" * 70_000)
    assert page.status == 413
    assert page.title.startswith("Error: That was too large")


async def test_a_store_that_is_away_is_503_and_can_be_tried_again(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = await house.register(client())
    page = await browser.start(asking)

    async def away(*_: object) -> None:
        raise StoreUnavailable("secret-internal-detail-8841")

    with monkeypatch.context() as patched:
        patched.setattr(house.parts.store, "request", away)
        trouble = await browser.submit(page.form("/oauth/sign-in"), username="a", password="b")
    assert trouble.status == 503
    assert int(trouble.headers["retry-after"]) > 0
    assert "8841" not in trouble.html
    assert trouble.set_cookies == []
    assert (await browser.sign_in(page)).status == 200


async def test_a_fault_of_ours_is_500_without_a_word_of_detail(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("secret-internal-detail-8841")

    monkeypatch.setattr(house.parts.store, "request", broken)
    page = await browser.get("/oauth/continue?request=x")
    assert page.status == 500
    assert page.title == "Error: Something went wrong – localhost:8000"
    assert "8841" not in page.html
    assert "Traceback" not in page.html
    assert page.headers["x-request-id"]


@clause("RFC 6749", "4.1.2.1")
@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": None},
        {"state": "bad\nstate"},
    ],
)
async def test_an_unproven_address_gets_a_page_without_a_way_out(
    house: House, browser: Browser, changes: dict[str, str | None]
) -> None:
    page = await browser.get(ask_path(await house.register(client()), **changes))
    assert 400 <= page.status < 500
    assert page.title.startswith("Error: ")
    assert page.links == []
    assert "evil.example" not in page.html


def faulty(uri: str) -> Page:
    refusal = Refusal(Reason.PKCE_MISSING)
    answer = errors.faulty_answer(
        Faulty(
            refusal, client(redirect_uris=(uri,)), uri, f"{uri}?error=invalid_request&state=%22"
        ),
        ISSUER,
    )
    return Page(answer.status, [(k.decode(), v.decode()) for k, v in answer.headers], answer.body)


@clause("RFC 9700", "4.11.2")
def test_a_faulty_request_gets_a_link_and_no_redirect() -> None:
    page = faulty(WEB_URI)
    assert page.status == 400
    assert "location" not in page.headers
    assert page.links == [
        (f"{WEB_URI}?error=invalid_request&state=%22", "Return to client.example")
    ]
    assert ("rel", "noreferrer") in page.attributes
    assert "PKCE is required" in page.text


@pytest.mark.parametrize("scheme", ["javascript", "JavaScript", "data", "vbscript", "blob"])
def test_a_link_never_runs_anything(scheme: str) -> None:
    assert faulty(f"{scheme}:alert(1)//").links == []
