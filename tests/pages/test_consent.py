from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from authgate.security.digests import digest
from tests.clauses import clause
from tests.pages.house import ADA, LOOPBACK_URI, WEB_URI, Browser, House, client

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE clients; --",
    "</title></bdi><h1>Verified by the operator</h1>",
    "{{ 7 * 7 }} {% include 'base.html' %}",
    "שלום עולם",
    "a" * 120,
    "&lt;b&gt; &amp; &#x3C;",
]


def approvals(folder: Path) -> int:
    with sqlite3.connect(folder / "0.sqlite3") as db:
        return int(db.execute("SELECT count(*) FROM codes").fetchone()[0])


@clause("MCP best practices", "Confused Deputy: Consent UI")
async def test_the_page_says_who_asks_for_what_and_where_the_answer_goes(
    house: House, browser: Browser
) -> None:
    asking = await house.register(
        client(
            name="Claude",
            metadata={
                "client_uri": "https://claude.example/about",
                "logo_uri": "https://claude.example/logo.png",
            },
        )
    )
    page = await browser.consent_page(asking, scope="mcp:use files:write offline_access")
    assert page.status == 200
    assert "It calls itself Claude not verified" in page.text
    assert "Website it names claude.example not verified" in page.text
    assert "Your answer goes to client.example" in page.text
    assert "On the server http://localhost:8000/mcp" in page.text
    assert f"Signed in as {ADA} Not you? Use another account" in page.text
    assert "Use the tools of this server on your behalf mcp:use" in page.text
    assert "Stay connected when you are away offline_access" in page.text
    assert "files:write" in page.text
    assert "Did you start this yourself?" in page.text
    assert page.form("/oauth/consent").buttons == [("decision", "deny"), ("decision", "approve")]
    assert "autofocus" not in page.html  # an Enter too many must not allow anything
    # nothing that a client names is fetched or can be followed
    assert "logo.png" not in page.html
    assert page.links == []


async def test_a_client_without_a_name_is_called_by_its_id(house: House, browser: Browser) -> None:
    page = await browser.consent_page(await house.register(client(name=None)))
    assert "It has no name, only the id client-1" in page.text


@pytest.mark.parametrize("name", [" ", "a\u202eb", "a\u200bb", "a\x07b", "a\u2028b"])
async def test_a_name_that_could_fool_the_eye_is_not_shown(
    house: House, browser: Browser, name: str
) -> None:
    """Registration refuses such names; an operator's or an older client may still have one."""
    page = await browser.consent_page(await house.register(client(name=name)))
    assert "only the id client-1" in page.text
    assert name.strip() == "" or name not in page.html


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_only_text(house: House, browser: Browser, name: str) -> None:
    asking = await house.register(client(name=name))
    sign_in = await browser.start(asking)
    consent = await browser.sign_in(sign_in)
    for page in (sign_in, consent):
        assert " ".join(name.split()) in page.text
        assert not {"script", "style", "iframe"} & set(page.tags)
        assert page.tags.count("h1") == 1
        assert page.tags.count("img") == 1
        assert not [key for key, _ in page.attributes if key.startswith("on") or key == "style"]


@pytest.mark.parametrize(
    "home",
    [
        "javascript:alert(1)",
        "https://good.example\\@evil.example",
        "https://g\u043e\u043ed.example",
        7,
        "https://",
        "ftp://x",
    ],
)
async def test_a_home_page_that_could_fool_the_eye_is_left_out(
    house: House, browser: Browser, home: object
) -> None:
    page = await browser.consent_page(await house.register(client(metadata={"client_uri": home})))
    assert "Website it names" not in page.text
    assert "javascript" not in page.html


@clause("RFC 8252", "8.6")
async def test_a_loopback_destination_comes_with_a_warning(house: House, browser: Browser) -> None:
    asking = await house.register(client(redirect_uris=(LOOPBACK_URI, "http://127.0.0.1/")))
    page = await browser.consent_page(asking)
    assert "Your answer goes to localhost:33418 a program on this computer" in page.text
    assert "Any program on this computer could receive the answer." in page.text
    assert "Only continue if you started this yourself" in page.text
    assert ("aria-describedby", "question warning") in page.attributes


@clause("RFC 8252", "8.4")
async def test_a_private_use_destination_comes_with_a_warning(
    house: House, browser: Browser
) -> None:
    uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    page = await browser.consent_page(await house.register(client(redirect_uris=(uri,))))
    assert "Your answer goes to cursor:" in page.text
    assert "Any app that has claimed cursor: links on this device could receive" in page.text
    answer = await browser.decide(page, "approve")
    assert answer.location.startswith(uri + "?code=")


async def test_a_web_destination_has_no_warning(house: House, browser: Browser) -> None:
    page = await browser.consent_page(await house.register(client()))
    assert "could receive the answer" not in page.text


@clause("RFC 6749", "4.1.2.1")
async def test_denying_tells_the_client_and_remembers_nothing(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    asking = await house.register(client())
    answer = await browser.decide(await browser.consent_page(asking), "deny")
    assert answer.location.startswith(WEB_URI + "?error=access_denied")
    assert answer.answer["state"] == "a state / with+marks"
    assert answer.answer["iss"] == "http://localhost:8000"
    assert approvals(tmp_path) == 0
    assert (await browser.start(asking)).title.startswith("Allow access?")


@pytest.mark.parametrize("decision", ["", "yes", "Approve", "approve deny"])
async def test_any_other_decision_decides_nothing(
    house: House, browser: Browser, tmp_path: Path, decision: str
) -> None:
    page = await browser.consent_page(await house.register(client()))
    answer = await browser.decide(page, decision)
    assert answer.status == 400
    assert approvals(tmp_path) == 0
    assert "code" in (await browser.decide(page, "approve")).answer


@clause("RFC 9700", "4.7")
async def test_twenty_double_clicks_give_exactly_one_code(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    page = await browser.consent_page(await house.register(client()))
    answers = await asyncio.gather(*(browser.decide(page, "approve") for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [303] + [400] * 19
    (winner,) = [answer for answer in answers if answer.status == 303]
    for answer in answers:
        assert answer is winner or "already answered" in answer.text
    assert approvals(tmp_path) == 1
    assert await house.parts.store.code(digest(winner.answer["code"]))


async def test_approve_and_deny_at_once_give_one_answer(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    page = await browser.consent_page(await house.register(client()))
    both = ["approve", "deny"] * 5
    answers = await asyncio.gather(*(browser.decide(page, decision) for decision in both))
    (winner,) = [answer for answer in answers if answer.status == 303]
    assert approvals(tmp_path) == ("code" in winner.answer)


async def test_a_form_left_open_for_too_long_has_expired(house: House, browser: Browser) -> None:
    page = await browser.consent_page(await house.register(client()))
    house.clock.ahead = 601
    answer = await browser.decide(page, "approve")
    assert answer.status == 400
    assert answer.title.startswith("Error: Please start again")


async def test_a_session_that_ended_meanwhile_leads_back_to_the_sign_in_form(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    """Ended on the server (the account was disabled, say), so the cookie is still there."""
    page = await browser.consent_page(await house.register(client()))
    session = await house.parts.store.session(digest(browser.jar["authgate-session"]), 0)
    assert session is not None
    with sqlite3.connect(tmp_path / "0.sqlite3") as db:
        db.execute("DELETE FROM sessions")
    answer = await browser.decide(page, "approve")
    assert (await browser.get(answer.location)).title.startswith("Sign in")
    assert approvals(tmp_path) == 0


async def test_the_trail_says_how_consent_was_given(house: House, browser: Browser) -> None:
    asking = await house.register(client())
    browser.address = "192.0.2.7"
    await browser.decide(await browser.consent_page(asking), "approve")
    await browser.start(asking)
    events = await house.parts.store.audit_events(limit=2)
    assert [(e.event, e.detail["via"], e.address) for e in events] == [
        ("consent.given", "remembered", "192.0.2.7"),
        ("consent.given", "page", "192.0.2.7"),
    ]
