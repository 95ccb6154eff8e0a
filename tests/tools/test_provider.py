"""GitHub and Google through a tool: a URL, a browser, consent there, and our one-time code."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from mcp import Client

from authgate.protocol.errors import Reason, Refusal
from authgate.security.digests import digest
from authgate.steps.parts import Parts
from authgate.tools import ToolsEndpoint
from authgate.tools.catalogue import toolbox
from tests.clauses import clause
from tests.directories.supabase_house import House as Project
from tests.directories.supabase_house import opened_house
from tests.pages import house as pages
from tests.pages.abroad import OCTO, abroad, come_back, parts_of
from tests.pages.house import Browser, House, Page
from tests.tools.asking import post
from tests.tools.flow import ADDRESS, asking, call, exchanging, registered
from tests.tools.serving import Clock, served

HAND_OVER = "/oauth/hand-over"
SESSION = "authgate-session"


@dataclass
class Stage:
    """Our parts over a project, with pages for browsers."""

    parts: Parts
    house: House
    project: Project
    clock: Clock

    async def challenge(self, **metadata: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        client = await registered(self.parts, **metadata)
        asked = asking(client["client_id"])
        return client, dict(await call(self.parts, "oauth_authorize", asked, ADDRESS))

    async def authenticate(self, challenge: dict[str, Any], **given: str) -> dict[str, Any]:
        arguments = {"challenge_id": challenge["challenge_id"], **given}
        return dict(await call(self.parts, "oauth_authenticate", arguments, ADDRESS))

    async def refused(self, challenge: dict[str, Any], **given: str) -> Reason:
        with pytest.raises(Refusal) as caught:
            await self.authenticate(challenge, **given)
        return caught.value.reason


@pytest.fixture
async def stage(parts: Parts) -> AsyncIterator[Stage]:
    clock = parts.clock
    assert isinstance(clock, Clock)
    async with opened_house() as project, parts_of(project, parts) as ours:
        stand_in: Any = clock
        yield Stage(ours, pages.mount(ours, stand_in), project, clock)


@pytest.fixture
def browser(stage: Stage) -> Browser:
    return stage.house.browser()


async def open_url(browser: Browser, url: str) -> Page:
    """As a person opens a URL that a tool gave them."""
    return await browser.get(url.removeprefix("http://localhost:8000"))


async def returned(
    browser: Browser, challenge: dict[str, Any], provider: str = "github", pick: str = "Octo"
) -> Page:
    """From the tool's URL to the page after the provider's return."""
    away = await open_url(browser, challenge["providers"][provider])
    answer = await come_back(browser, await abroad(away.location, pick))
    return await browser.get(answer.location) if answer.status == 303 else answer


async def decide(browser: Browser, page: Page, decision: str = "approve") -> Page:
    return await browser.submit(page.form(HAND_OVER), decision=decision)


def code_on(page: Page) -> str:
    assert page.status == 200, page.text
    (code,) = re.findall(r"<code tabindex=\"0\"[^>]*>([0-9a-f]{32})</code>", page.html)
    return str(code)


async def handed_over(browser: Browser, challenge: dict[str, Any], **where: str) -> str:
    return code_on(await decide(browser, await returned(browser, challenge, **where)))


async def test_from_the_url_to_the_token(stage: Stage, browser: Browser) -> None:
    client, challenge = await stage.challenge(client_name="Agent")
    assert challenge["providers"] == {
        name: f"http://localhost:8000/oauth/start/{name}?challenge={challenge['challenge_id']}"
        for name in ("github", "google")
    }
    page = await returned(browser, challenge)
    assert page.title.startswith("Allow access?")
    for told in ("Agent", "localhost:3000", "mcp:use", OCTO.email, "Did you start this yourself?"):
        assert told in page.text
    code = code_on(await decide(browser, page))
    assert SESSION not in browser.jar
    answered = await stage.authenticate(challenge, provider="github", oauth_code=code)
    assert answered["state"] == "random_state_value"
    assert answered["iss"] == "http://localhost:8000"
    exchange = exchanging(client["client_id"], answered["code"])
    token = await call(stage.parts, "oauth_token", exchange, ADDRESS)
    assert token["access_token"]
    given = [e for e in await stage.parts.store.audit_events() if e.event == "consent.given"]
    assert [e.detail["via"] for e in given] == ["provider"]
    kept = await stage.parts.store.code(digest(answered["code"]))
    assert kept is not None
    assert kept.person.methods == ("github",)
    assert kept.person.sub == given[0].actor


async def test_the_providers_own_code_is_shown_nowhere_and_worth_nothing(
    stage: Stage, browser: Browser
) -> None:
    _, challenge = await stage.challenge()
    away = await open_url(browser, challenge["providers"]["github"])
    back = await abroad(away.location)
    raw = re.findall(r"[?&]code=([^&]+)", back)[0]
    answer = await come_back(browser, back)
    page = await browser.get(answer.location)
    shown = await decide(browser, page)
    for seen in (answer.location, page.html, shown.html):
        assert raw not in seen
    reason = await stage.refused(challenge, provider="github", oauth_code=raw)
    assert reason is Reason.OAUTH_CODE_WRONG


async def test_a_code_is_for_its_challenge_and_provider_alone(
    stage: Stage, browser: Browser
) -> None:
    _, challenge = await stage.challenge()
    _, other = await stage.challenge()
    code = await handed_over(browser, challenge)
    for asked, provider, value in (
        (other, "github", code),
        (challenge, "google", code),
        (challenge, "github", code.upper()),
        (challenge, "github", "0" * 32),
    ):
        reason = await stage.refused(asked, provider=provider, oauth_code=value)
        assert reason is Reason.OAUTH_CODE_WRONG
    assert (await stage.authenticate(challenge, provider="github", oauth_code=f" {code}\n"))["code"]
    reason = await stage.refused(challenge, provider="github", oauth_code=code)
    assert reason is Reason.CHALLENGE_ANSWERED
    theirs = await handed_over(browser, other)
    assert (await stage.authenticate(other, provider="github", oauth_code=theirs))["code"]


async def test_a_code_ends_after_five_minutes(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    code = await handed_over(browser, challenge)
    stage.clock.ahead = 301
    reason = await stage.refused(challenge, provider="github", oauth_code=code)
    assert reason is Reason.OAUTH_CODE_WRONG
    again = await handed_over(browser, challenge)
    assert (await stage.authenticate(challenge, provider="github", oauth_code=again))["code"]


async def test_wrong_codes_are_counted(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    code = await handed_over(browser, challenge)
    for _ in range(10):
        await stage.refused(challenge, provider="github", oauth_code="0" * 32)
    reason = await stage.refused(challenge, provider="github", oauth_code=code)
    assert reason is Reason.SIGN_IN_THROTTLED
    _, other = await stage.challenge()
    code = await handed_over(browser, other)
    assert (await stage.authenticate(other, provider="github", oauth_code=code))["code"]


@clause("RFC 9700", "4.7")
async def test_many_consents_at_once_give_one_code(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    page = await returned(browser, challenge)
    shown = await asyncio.gather(*(decide(browser, page) for _ in range(8)))
    assert [one.status for one in shown].count(200) == 1
    code = next(code_on(one) for one in shown if one.status == 200)
    outcomes = await asyncio.gather(
        *(stage.authenticate(challenge, provider="github", oauth_code=code) for _ in range(8)),
        return_exceptions=True,
    )
    assert len([one for one in outcomes if isinstance(one, dict)]) == 1


@clause("CVE-2026-27124", "consent")
async def test_consent_is_this_browsers_alone(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    away = await open_url(browser, challenge["providers"]["github"])
    back = await abroad(away.location)
    mallory = stage.house.browser()
    await open_url(mallory, challenge["providers"]["github"])  # bound to the same challenge
    assert (await come_back(mallory, back)).status == 403
    answer = await come_back(browser, back)
    assert (await mallory.get(answer.location)).status == 403
    page = await browser.get(answer.location)
    stolen = page.form(HAND_OVER)
    assert (await mallory.submit(stolen, decision="approve")).status == 403
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example", "sec-fetch-site": None},
    ):
        fields = {**stolen.fields, "decision": "approve"}
        assert (await browser.post(HAND_OVER, fields, headers)).status == 403
    forged = {**stolen.fields, "form_token": "x", "decision": "approve"}
    assert (await browser.post(HAND_OVER, forged)).status == 403
    code_on(await decide(browser, page))  # none of this spent anything


async def test_a_no_ends_the_challenge(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    page = await decide(browser, await returned(browser, challenge), "deny")
    assert (page.status, page.title.startswith("Denied")) == (200, True)
    reason = await stage.refused(challenge, provider="github", oauth_code="0" * 32)
    assert reason is Reason.CHALLENGE_ANSWERED
    assert (await open_url(browser, challenge["providers"]["github"])).status == 400


async def test_neither_yes_nor_no(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    page = await returned(browser, challenge)
    assert (await decide(browser, page, "perhaps")).status == 400
    code_on(await decide(browser, page))


async def test_two_browsers_and_one_answer(stage: Stage, browser: Browser) -> None:
    """Whoever opens the URL may come back; the challenge is answered once all the same."""
    _, challenge = await stage.challenge()
    other = stage.house.browser()
    first = await handed_over(browser, challenge)
    second = await handed_over(other, challenge, provider="google", pick="Gina")
    assert (await stage.authenticate(challenge, provider="google", oauth_code=second))["code"]
    reason = await stage.refused(challenge, provider="github", oauth_code=first)
    assert reason is Reason.CHALLENGE_ANSWERED


@pytest.mark.parametrize("path", [HAND_OVER, f"{HAND_OVER}?tx=made-up"])
async def test_there_is_nothing_to_consent_to(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status == 400


async def test_before_the_return_there_is_nothing_to_consent_to(
    stage: Stage, browser: Browser
) -> None:
    _, challenge = await stage.challenge()
    away = await open_url(browser, challenge["providers"]["github"])
    tx = re.findall(r"tx%3D([A-Za-z0-9_-]+)", away.location)[0]
    assert (await browser.get(f"{HAND_OVER}?tx={tx}")).status == 400
    forged = {"request": tx, "form_token": "x", "decision": "approve"}
    assert (await browser.post(HAND_OVER, forged)).status == 400


async def test_what_went_wrong_there_can_be_tried_again(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    page = await returned(browser, challenge, pick="Cancel")
    assert (page.status, "was cancelled there" in page.text) == (403, True)
    ((href, text),) = page.links
    assert text == "Try again with GitHub"
    away = await browser.get(href)
    answer = await come_back(browser, await abroad(away.location))
    code = code_on(await decide(browser, await browser.get(answer.location)))
    assert (await stage.authenticate(challenge, provider="github", oauth_code=code))["code"]


async def test_a_challenge_that_is_over_leads_nowhere(stage: Stage, browser: Browser) -> None:
    _, challenge = await stage.challenge()
    page = await returned(browser, challenge)
    stage.clock.ahead = 601
    assert (await open_url(browser, challenge["providers"]["github"])).status == 400
    assert (await decide(browser, page)).status == 400
    assert (await browser.get("/oauth/start/github?challenge=made-up")).status == 400


@clause("ASVS", "6.3.3")
async def test_a_second_factor_rides_along(stage: Stage, browser: Browser) -> None:
    octo = stage.project.state.add_user(OCTO.email, "a long enough password")
    factor = stage.project.state.add_factor(octo)
    client, challenge = await stage.challenge()
    page = await returned(browser, challenge)
    assert "second factor is still due" in page.text
    code = code_on(await decide(browser, page))
    # Also where tools take no passwords: this code follows none.
    closed = replace(stage.parts.policy, tool_passwords=False)
    shut = replace(stage, parts=replace(stage.parts, policy=closed))
    due = await shut.authenticate(challenge, provider="github", oauth_code=code)
    assert (due["mfa_required"], due["factor"]["kind"]) == (True, "totp")
    assert "code" not in due
    assert 0 < due["expires_in"] <= 300
    wrong = "000000" if factor.code() != "000000" else "111111"
    assert await shut.refused(challenge, mfa_code=wrong) is Reason.FACTOR_WRONG
    answered = await shut.authenticate(challenge, mfa_code=factor.code())
    kept = await stage.parts.store.code(digest(answered["code"]))
    assert kept is not None
    assert kept.person.methods == ("github", "otp", "mfa")
    assert (kept.client_id, kept.person.assurance) == (client["client_id"], 2)
    given = [e for e in await stage.parts.store.audit_events() if e.event == "consent.given"]
    assert [e.detail["via"] for e in given] == ["provider"]


async def test_a_provider_that_is_not_offered(parts: Parts, stage: Stage) -> None:
    _, challenge = await stage.challenge()
    reason = await stage.refused(challenge, provider="gitlab", oauth_code="x")
    assert reason is Reason.PROVIDER_NOT_OFFERED
    assert await stage.refused(challenge, provider="github") is Reason.PARAMETER_MISSING
    client = await registered(parts)
    opened = await call(parts, "oauth_authorize", asking(client["client_id"]), ADDRESS)
    assert opened["providers"] == {}


async def test_the_plain_face(stage: Stage, browser: Browser) -> None:
    endpoint = ToolsEndpoint(toolbox(stage.parts), lambda _: False)
    _, challenge = await stage.challenge()
    code = await handed_over(browser, challenge)

    async def ask(**given: str) -> tuple[int, dict[str, Any]]:
        params = {"challenge_id": challenge["challenge_id"], "provider": "github", **given}
        heard = await post(endpoint, {"method": "oauth_authenticate", "params": params})
        return heard.status, heard.json()

    status, told = await ask(oauth_code="0" * 32)
    assert (status, told["error"]["code"]) == (401, "access_denied")
    assert "challenge stays usable" in told["error"]["hint"]
    status, told = await ask(oauth_code=code)
    assert (status, told["result"]["state"]) == (200, "random_state_value")
    await endpoint.close()


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_mcp_face(stage: Stage, browser: Browser, mode: Any) -> None:
    endpoint = ToolsEndpoint(toolbox(stage.parts), lambda _: False)
    registered_client, _ = await stage.challenge()
    async with served(endpoint) as base, Client(base + "/api/mcp", mode=mode) as client:
        opened = await client.call_tool("oauth_authorize", asking(registered_client["client_id"]))
        challenge = opened.structured_content
        assert challenge is not None
        given = {"challenge_id": challenge["challenge_id"], "provider": "github"}
        wrong = await client.call_tool("oauth_authenticate", {**given, "oauth_code": "x"})
        assert wrong.is_error
        code = await handed_over(browser, challenge)
        right = await client.call_tool("oauth_authenticate", {**given, "oauth_code": code})
        assert right.structured_content is not None
        answered = right.structured_content
        exchange = exchanging(registered_client["client_id"], answered["code"])
        token = await client.call_tool("oauth_token", exchange)
        assert token.structured_content is not None
        assert token.structured_content["access_token"]
    await endpoint.close()
