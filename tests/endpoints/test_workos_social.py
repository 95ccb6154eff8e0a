"""GitHub, Google and the hosted page through WorkOS, in a whole authgate: to the call and back."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from authgate.observe import log
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.environment import (
    EXCHANGE,
    GINA,
    OCTO,
    Environment,
    link_to,
    opened_environment,
    opened_with_project,
)
from tests.endpoints.gate import Pkce, hidden
from tests.endpoints.project import claims
from tests.standins.supabase_state import totp
from tests.standins.workos import Person

PASSWORD = "a long enough password"


@pytest.fixture
async def alone(open_gate: OpenGate) -> AsyncIterator[Environment]:
    async with opened_environment(open_gate) as opened:
        yield opened


@pytest.fixture
async def both(open_gate: OpenGate) -> AsyncIterator[Environment]:
    async with opened_with_project(open_gate) as opened:
        yield opened


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged, from debug on."""
    lines: list[str] = []
    for level in ("debug", "info", "warning", "error"):
        monkeypatch.setattr(log, level, lambda event, **fields: lines.append(f"{event} {fields}"))
    return lines


def at_home(both: Environment, person: Person = OCTO, **details: Any) -> Any:
    """Somebody of the project with that account at its provider."""
    user = both.project.state.add_user(person.email, PASSWORD, **details)
    provider = person.provider.removesuffix("OAuth").lower()
    both.project.state.add_identity(user, provider, person.id, person.email, True)
    return user


async def asked(environment: Environment, http: Any) -> Any:
    """The sign-in page of a fresh request in this browser."""
    return await environment.sign_in_page(http, await environment.register(), Pkce())


# --- to the call ----------------------------------------------------------------------------------


@clause("ASVS", "14.2")
@pytest.mark.parametrize("path", ["", "/auth"])
async def test_to_the_call_and_nothing_readable_stays(
    open_gate: OpenGate, capfd: pytest.CaptureFixture[str], path: str
) -> None:
    """Through the pages and through the tool, to one and the same person of Supabase's."""
    public = {"AUTHGATE_PUBLIC_URL": "http://localhost:8000" + path, "LOG_LEVEL": "DEBUG"}
    async with opened_with_project(open_gate, **public) as both:
        octo = at_home(both)
        client, seen = await both.register(), []
        tokens = await both.tokens(client)
        pkce = Pkce()
        challenge = await both.challenge(client, pkce)
        async with both.gate.http() as http:
            back = await both.away(http, challenge["providers"]["github"])
            oauth_code = await both.hand_over(http, await both.returned(http, back))
        seen += [parse_qs(urlsplit(back).query)["code"][0], oauth_code]
        given = {"provider": "github", "oauth_code": oauth_code}
        answer = await both.tool(
            "oauth_authenticate", challenge_id=challenge["challenge_id"], **given
        )
        bought = await both.exchange(client, answer["result"]["code"], pkce)
        assert {claims(one["access_token"])["sub"] for one in (tokens, bought)} == {octo.id}
        if not path:
            assert (await both.gate.call(bought["access_token"])).status_code == 200
        await both.gate.app.home.close()
        assert all(one.ended for one in both.standin.state.sessions.values())
        assert len(both.standin.state.sessions) == 2
        folder = both.gate.settings.sqlite_path.parent
        kept = b"".join(one.read_bytes() for one in folder.glob("*") if one.is_file())
    logged = "".join(capfd.readouterr())
    seen += [answer["result"]["code"], bought["access_token"], both.standin.api_key]
    for secret in seen:
        assert secret.encode() not in kept
        assert secret not in logged


@pytest.mark.parametrize(
    ("name", "pick", "person"),
    [("GitHub", "Octo", OCTO), ("Google", "Gina", GINA), ("single sign-on", "Gina", GINA)],
)
async def test_each_provider_is_a_button(
    both: Environment, name: str, pick: str, person: Person
) -> None:
    user = at_home(both, person)
    tokens = await both.tokens(await both.register(), name, pick)
    assert claims(tokens["access_token"])["sub"] == user.id


async def test_only_what_is_chosen_is_offered(open_gate: OpenGate) -> None:
    chosen = {"AUTHGATE_SOCIAL": "workos"}
    async with opened_environment(open_gate, **chosen) as environment:
        async with environment.gate.http() as http:
            page = (await asked(environment, http)).text
        buttons = re.findall(r">Continue with ([^<]+)<", page)
        assert buttons == ["GitHub", "Google", "single sign-on"]
        assert 'type="password"' in page  # of our own people


async def test_a_provider_that_is_not_chosen(
    open_gate: OpenGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened_environment(open_gate) as environment:
        directory: Any = environment.gate.app.home.social
        directory.policy = replace(directory.policy, providers=("google",))
        async with environment.gate.http() as http:
            page = await asked(environment, http)
            assert re.findall(r">Continue with ([^<]+)<", page.text) == ["Google"]
            start = link_to(page.text, "Google").replace("google", "authkit")
            refused = await http.get(start)
        assert refused.status_code == 400
        assert "Signing in with single sign-on is not offered here" in refused.text


# --- without Supabase: WorkOS's own people --------------------------------------------------------


async def test_without_supabase_they_are_workos_s_own(alone: Environment) -> None:
    client = await alone.register()
    tokens = await alone.tokens(client)
    sub = alone.user().id
    assert claims(tokens["access_token"])["sub"] == sub
    assert sub.startswith("user_")
    assert (await alone.gate.call(tokens["access_token"])).status_code == 200
    again = await alone.refresh(client, tokens)
    assert claims(again["access_token"])["sub"] == sub


@clause("ASVS 5.0", "7.4.2")
async def test_who_is_deleted_there_is_disconnected_here(alone: Environment) -> None:
    client = await alone.register()
    tokens = await alone.tokens(client)
    alone.standin.delete_user(alone.user())
    directory: Any = alone.gate.app.home.social
    directory._standing._kept.clear()  # the minute for which a sign-in counts
    refused = await alone.refresh(client, tokens)
    assert refused["error"] == "invalid_grant"
    assert (await alone.gate.call(tokens["access_token"])).status_code == 401


async def test_an_outage_there_disconnects_nobody(alone: Environment) -> None:
    client = await alone.register()
    tokens = await alone.tokens(client)
    directory: Any = alone.gate.app.home.social
    directory._standing._kept.clear()
    alone.standin.fail("/user_management/users/*", status=500, times=2)
    assert "access_token" in await alone.refresh(client, tokens)


# --- linking, and when it is refused --------------------------------------------------------------


async def test_who_leaves_supabase_is_disconnected(both: Environment) -> None:
    """A linked person is the project's: whether they are still good is asked there."""
    octo = at_home(both)
    client = await both.register()
    tokens = await both.tokens(client)
    octo.banned_until = time.time() + 3600
    directory: Any = both.gate.app.home.directory
    directory._standing._recent._kept.clear()
    assert (await both.refresh(client, tokens))["error"] == "invalid_grant"
    async with both.gate.http() as http:
        page = await asked(both, http)
        refused = await both.there_and_back(http, page, "GitHub")
    assert refused.status_code == 403


async def test_nobody_at_home_is_told_what_to_do(both: Environment) -> None:
    """In the same words where the address is known here and where it is not."""
    sentences = set()
    for known in (False, True):
        if known:
            both.project.state.add_user(OCTO.email, PASSWORD)
        async with both.gate.http() as http:
            page = await asked(both, http)
            refused = await both.there_and_back(http, page, "GitHub")
            assert refused.status_code == 403
            assert "whose account here that sign-in with GitHub belongs to" in refused.text
            assert "Sign in with your password instead" in refused.text
            (onward,) = re.findall(r'href="([^"]*/oauth/continue[^"]*)"', refused.text)
            form = await http.get(onward.replace("&amp;", "&"))
            assert 'type="password"' in form.text
        sentences.add(re.sub(r"(request|ref)[=:][^\"&<\s]+", "", refused.text))
    assert len(sentences) == 1


async def test_linking_by_address_has_to_be_switched_on(open_gate: OpenGate) -> None:
    async with opened_with_project(open_gate, AUTHGATE_LINK_VERIFIED_EMAIL="true") as both:
        octo = both.project.state.add_user(OCTO.email, PASSWORD)
        tokens = await both.tokens(await both.register())
        assert claims(tokens["access_token"])["sub"] == octo.id


@clause("ASVS 5.0", "6.3.3")
async def test_a_second_factor_at_home_is_not_gone_round(both: Environment) -> None:
    octo = at_home(both)
    factor = both.project.state.add_factor(octo)
    client, pkce = await both.register(), Pkce()
    async with both.gate.http() as http:
        page = await both.sign_in_page(http, client, pkce)
        refused = await both.there_and_back(http, page, "GitHub")
        assert refused.status_code == 403
        assert "Your account asks for a second factor" in refused.text
        assert "Sign in with your password and your code instead" in refused.text
        (onward,) = re.findall(r'href="([^"]*/oauth/continue[^"]*)"', refused.text)
        page = await http.get(onward.replace("&amp;", "&"))
        form = {**hidden(page.text, "/oauth/sign-in"), "username": OCTO.email}
        typed = await http.post("/oauth/sign-in", data={**form, "password": PASSWORD})
        page = await http.get(typed.headers["location"])
        coded = {**hidden(page.text, "/oauth/factor"), "code": factor.code()}
        done = await http.post("/oauth/factor", data=coded)
        code = await both.consent(http, await http.get(done.headers["location"]))
    assert claims((await both.exchange(client, code, pkce))["access_token"])["sub"] == octo.id


async def test_where_everybody_needs_a_second_factor(open_gate: OpenGate) -> None:
    strict = {"AUTHGATE_REQUIRE_SECOND_FACTOR": "true"}
    async with opened_with_project(open_gate, **strict) as both:
        at_home(both)
        async with both.gate.http() as http:
            refused = await both.there_and_back(http, await asked(both, http), "GitHub")
        assert "Sign in with your password and your code instead" in refused.text


async def test_a_tool_s_person_is_told_on_the_page(both: Environment) -> None:
    challenge = await both.challenge(await both.register(), Pkce())
    async with both.gate.http() as http:
        back = await both.away(http, challenge["providers"]["github"])
        refused = await both.returned(http, back)
    assert refused.status_code == 403
    assert "Try again with GitHub" in refused.text


# --- this browser, this sign-in, once -------------------------------------------------------------


@clause("RFC 9700", "4.7.1")
async def test_a_return_counts_in_the_browser_that_was_sent(both: Environment) -> None:
    """Login CSRF: somebody is made to open the return of another's sign-in."""
    at_home(both)
    async with both.gate.http() as mine, both.gate.http() as other:
        back = await both.away(mine, link_to((await asked(both, mine)).text, "GitHub"))
        await asked(both, other)
        refused = await both.returned(other, back)
        assert refused.status_code == 403
        assert "started in another browser" in refused.text
        assert (await both.returned(both.gate.http(), back)).status_code == 403
        assert not both.standin.called(EXCHANGE)
        assert (await both.returned(mine, back)).status_code == 303


async def test_a_return_counts_once(both: Environment) -> None:
    at_home(both)
    async with both.gate.http() as http:
        back = await both.away(http, link_to((await asked(both, http)).text, "GitHub"))
        assert (await both.returned(http, back)).status_code == 303
        again = await both.returned(http, back)
    assert again.status_code == 400
    assert len(both.standin.called(EXCHANGE)) == 1


@pytest.mark.parametrize("state", [None, "", "made up", "x" * 3000])
async def test_a_state_of_nobody_s(both: Environment, state: str | None) -> None:
    query = {"code": "c"} | ({"state": state} if state is not None else {})
    async with both.gate.http() as http:
        await asked(both, http)
        refused = await both.returned(http, f"{both.callback}?{urlencode(query)}")
    assert refused.status_code == 400
    assert not both.standin.called(EXCHANGE)


@clause("RFC 7636", "4.6")
async def test_another_s_code_is_worth_nothing_with_my_state(both: Environment) -> None:
    """Code injection: the state is right, the code was made for another verifier."""
    at_home(both)
    async with both.gate.http() as mine, both.gate.http() as other:
        theirs = await both.away(other, link_to((await asked(both, other)).text, "GitHub"))
        back = await both.away(mine, link_to((await asked(both, mine)).text, "GitHub"))
        stolen = parse_qs(urlsplit(theirs).query)["code"][0]
        state = parse_qs(urlsplit(back).query)["state"][0]
        query = urlencode({"code": stolen, "state": state})
        refused = await both.returned(mine, f"{both.callback}?{query}")
    assert refused.status_code == 403
    assert "took too long or was interrupted" in refused.text


async def test_cancelled_there(both: Environment) -> None:
    async with both.gate.http() as http:
        page = await asked(both, http)
        refused = await both.there_and_back(http, page, "GitHub", "Cancel")
    assert refused.status_code == 403
    assert "was cancelled there" in refused.text
    assert "Access denied" not in refused.text  # their words


async def test_the_provider_s_own_code_is_worth_nothing_to_a_tool(both: Environment) -> None:
    """The guide says `github_oauth_code`; ours replaces it, since anybody may be talked into
    pasting one of theirs."""
    at_home(both)
    challenge = await both.challenge(await both.register(), Pkce())
    async with both.gate.http() as http:
        back = await both.away(http, challenge["providers"]["github"])
    own = parse_qs(urlsplit(back).query)["code"][0]
    given = {"challenge_id": challenge["challenge_id"], "provider": "github", "oauth_code": own}
    refused = (await both.tool("oauth_authenticate", **given))["error"]
    assert refused["code"] == "access_denied"
    assert "use the code our page shows" in refused["hint"]
    assert not both.standin.called(EXCHANGE)


# --- steps in between -----------------------------------------------------------------------------


async def test_an_address_is_verified_on_the_code_page(open_gate: OpenGate) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_environment(open_gate, octo) as alone:
        client, pkce = await alone.register(), Pkce()
        async with alone.gate.http() as http:
            page = await alone.sign_in_page(http, client, pkce)
            back = await alone.there_and_back(http, page, "GitHub")
            page = await http.get(back.headers["location"])
            assert "Code from the message in your mailbox (…@example.com)" in page.text
            code = alone.standin.state.mails[OCTO.email]
            wrong = "000000" if code != "000000" else "111111"
            form = hidden(page.text, "/oauth/factor")
            again = await http.post("/oauth/factor", data={**form, "code": wrong})
            assert (again.status_code, "not right" in again.text) == (401, True)
            form = hidden(again.text, "/oauth/factor")
            done = await http.post("/oauth/factor", data={**form, "code": code})
            assert done.status_code == 303, done.text
            bought = await alone.consent(http, await http.get(done.headers["location"]))
        tokens = await alone.exchange(client, bought, pkce)
        assert claims(tokens["access_token"])["sub"] == alone.user().id


async def test_a_verified_address_that_is_nobody_s_at_home(open_gate: OpenGate) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_with_project(open_gate, octo) as both, both.gate.http() as http:
        back = await both.there_and_back(http, await asked(both, http), "GitHub")
        page = await http.get(back.headers["location"])
        code = both.standin.state.mails[OCTO.email]
        form = {**hidden(page.text, "/oauth/factor"), "code": code}
        refused = await http.post("/oauth/factor", data=form)
        assert refused.status_code == 403
        assert "whose account here that sign-in with GitHub belongs to" in refused.text
        assert 'type="password"' in refused.text  # the form on which the person can go on


async def test_a_tool_asks_for_the_code_of_the_message(open_gate: OpenGate) -> None:
    octo = replace(OCTO, email_verification_required=True)
    async with opened_with_project(open_gate, octo) as both:
        user = at_home(both)
        client, pkce = await both.register(), Pkce()
        challenge = await both.challenge(client, pkce)
        async with both.gate.http() as http:
            back = await both.away(http, challenge["providers"]["github"])
            oauth_code = await both.hand_over(http, await both.returned(http, back))
        named = {"challenge_id": challenge["challenge_id"]}
        due = await both.tool(
            "oauth_authenticate", **named, provider="github", oauth_code=oauth_code
        )
        assert due["result"]["mfa_required"] is True
        assert due["result"]["factor"] == {"kind": "email", "hint": "@example.com"}
        code = both.standin.state.mails[OCTO.email]
        done = await both.tool("oauth_authenticate", **named, mfa_code=code)
        tokens = await both.exchange(client, done["result"]["code"], pkce)
        assert claims(tokens["access_token"])["sub"] == user.id


async def test_an_authenticator_at_workos(open_gate: OpenGate) -> None:
    octo = replace(OCTO, mfa_challenge=True)
    async with opened_environment(open_gate, octo) as alone, alone.gate.http() as http:
        client, pkce = await alone.register(), Pkce()
        page = await alone.sign_in_page(http, client, pkce)
        back = await alone.there_and_back(http, page, "GitHub")
        page = await http.get(back.headers["location"])
        assert "Code from your authenticator app" in page.text
        (factor,) = alone.standin.state.factors.values()
        form = hidden(page.text, "/oauth/factor")
        code = totp(factor.secret, time.time())
        done = await http.post("/oauth/factor", data={**form, "code": code})
        bought = await alone.consent(http, await http.get(done.headers["location"]))
        tokens = await alone.exchange(client, bought, pkce)
        assert claims(tokens["access_token"])["sub"] == alone.user().id


@pytest.mark.parametrize(
    ("asks", "sentence"),
    [
        ("sso_required", "organization of that account does not allow signing in with GitHub"),
        ("mfa_enrollment", "asks for a second factor, and this account has none"),
    ],
)
async def test_what_cannot_be_done_here_is_said(
    open_gate: OpenGate, asks: str, sentence: str
) -> None:
    async with opened_environment(open_gate, replace(OCTO, **{asks: True})) as alone:
        async with alone.gate.http() as http:
            refused = await alone.there_and_back(http, await asked(alone, http), "GitHub")
        assert refused.status_code == 403
        assert sentence in refused.text


# --- trouble --------------------------------------------------------------------------------------


async def test_an_outage_on_the_way_back(both: Environment) -> None:
    at_home(both)
    async with both.gate.http() as http:
        page = await asked(both, http)
        both.standin.fail(EXCHANGE, status=503)
        refused = await both.there_and_back(http, page, "GitHub")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert (await both.there_and_back(http, page, "GitHub")).status_code == 303


@pytest.mark.parametrize("knob", ["api_key", "client_id"])
async def test_a_wrong_key_or_client_id_is_the_operators(
    both: Environment, told: list[str], knob: str
) -> None:
    """The guide's "WorkOS API error": the page blames nobody, the log says what to check."""
    at_home(both)
    async with both.gate.http() as http:
        back = await both.away(http, link_to((await asked(both, http)).text, "GitHub"))
        setattr(both.standin, knob, "another")
        refused = await both.returned(http, back)
    assert refused.status_code == 503
    assert both.gate.settings.workos_client_id not in refused.text
    assert any("WORKOS_CLIENT_ID" in line and "fix" in line for line in told)


async def test_the_environment_is_looked_at_after_the_start(
    open_gate: OpenGate, told: list[str]
) -> None:
    async with opened_environment(open_gate) as alone:
        alone.standin.redirect_uris.clear()
        await alone.gate.app.home.looked_at()
    assert any("/oauth/callback" in line for line in told if line.startswith("workos."))
    assert alone.standin.api_key not in str(told)


async def test_an_environment_that_is_not_there_keeps_nobody_from_starting(
    open_gate: OpenGate,
) -> None:
    nowhere = {"WORKOS_API_URL": "http://127.0.0.1:9"}
    async with opened_environment(open_gate, **nowhere) as alone, alone.gate.http() as http:
        page = await asked(alone, http)
        assert (await http.get(link_to(page.text, "GitHub"))).status_code == 303
