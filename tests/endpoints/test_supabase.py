"""The people of a Supabase project, from the sign-in to the call, and every trouble on the way."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, closing
from typing import Any, Protocol

import httpx2
import pytest

from authgate.directories.supabase import api
from authgate.observe import log
from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Pkce, answer_of
from tests.endpoints.project import ANA, PASSWORD, Project, claims, opened_project, quick
from tests.standins.supabase_state import Options


class Open(Protocol):
    def __call__(
        self, options: Options | None = None, **environment: str
    ) -> AbstractAsyncContextManager[Project]: ...


@pytest.fixture
def project_with(open_gate: OpenGate) -> Open:
    return lambda options=None, **environment: opened_project(open_gate, options, **environment)


@pytest.fixture
async def project(project_with: Open) -> AsyncIterator[Project]:
    async with project_with() as opened:
        yield opened


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Events that the operator has to look at."""
    lines: list[str] = []
    for level in ("warning", "error"):
        monkeypatch.setattr(log, level, lambda event, **fields: lines.append(event))
    return lines


# --- the way through ------------------------------------------------------------------------------


async def test_from_the_page_to_the_call(project: Project) -> None:
    client = await project.gate.register()
    tokens = await project.tokens(client)
    said = claims(tokens["access_token"])
    assert said["sub"] == project.ana.id
    assert (await project.gate.call(tokens["access_token"])).status_code == 200
    again = await project.gate.refresh(client, tokens["refresh_token"])
    assert again.status_code == 200
    assert claims(again.json()["access_token"])["sub"] == project.ana.id


async def test_from_the_tools_to_the_call(project: Project) -> None:
    client, pkce = await project.gate.register(), Pkce()
    asked = project.gate.question(client, pkce, response_type=None)
    opened = (await project.tool("oauth_authorize", **asked)).json()["result"]
    assert set(opened["providers"]) == {"github", "google"}
    answered = await project.tool(
        "oauth_authenticate",
        challenge_id=opened["challenge_id"],
        username=ANA.upper(),
        password=PASSWORD,
    )
    code = answered.json()["result"]["code"]
    bought = await project.tool(
        "oauth_token",
        grant_type="authorization_code",
        code=code,
        client_id=client["client_id"],
        code_verifier=pkce.verifier,
    )
    assert claims(bought.json()["result"]["access_token"])["sub"] == project.ana.id


async def test_no_session_stays_behind_at_supabase(project: Project) -> None:
    await project.tokens(await project.gate.register())
    await project.gate.app.home.close()
    assert project.standin.state.sessions == {}
    assert project.standin.calls("/logout?scope=local") == 1


async def test_a_tokens_good_is_on_one_side_only(project: Project) -> None:
    """Ours opens nothing at Supabase, and theirs nothing here."""
    ours = (await project.tokens(await project.gate.register()))["access_token"]
    theirs = project.standin.access_token(project.ana)
    async with httpx2.AsyncClient(trust_env=False) as http:
        url, key = project.standin.auth_url + "/user", project.standin.gate.publishable
        for token, status in ((ours, 403), (theirs, 200)):
            headers = {"apikey": key, "authorization": f"Bearer {token}"}
            assert (await http.get(url, headers=headers)).status_code == status
    keys = (project.standin.gate.anon, project.standin.gate.secret)
    for token in (theirs, *keys):
        assert (await project.gate.call(token)).status_code == 401
    assert (await project.gate.call(ours)).status_code == 200


async def test_our_own_people_are_out(project: Project) -> None:
    """Alice is in the embedded directory of this very gate."""
    answer = await project.try_page("alice@example.com", "correct horse battery staple")
    assert answer.status_code == 401


# --- what was wrong -------------------------------------------------------------------------------


async def test_all_that_is_wrong_looks_alike(project: Project) -> None:
    state = project.standin.state
    state.add_user("banned@example.com", PASSWORD).banned_until = time.time() + 3600
    state.add_user("new@example.com", PASSWORD, confirmed=False)
    state.add_user("github@example.com")  # has no password
    cases = [
        (ANA, "wrong"),
        ("nobody@example.com", PASSWORD),
        ("banned@example.com", PASSWORD),
        ("banned@example.com", "wrong"),
        ("new@example.com", "wrong"),
        ("github@example.com", PASSWORD),
        ("no address", PASSWORD),
    ]

    async def timed(answering: Any) -> tuple[Any, float]:
        began = time.monotonic()
        return await answering, time.monotonic() - began

    pages = await asyncio.gather(*(timed(project.try_page(*case)) for case in cases))
    tools = await asyncio.gather(*(timed(project.try_tool(*case)) for case in cases))
    seen = {(page.status_code, _told_on(page)) for page, _ in pages}
    assert seen == {(401, "That e-mail address and password do not match an account here.")}
    assert len({answer.text for answer, _ in tools}) == 1
    for _, took in (*pages, *tools):
        assert took >= 1.0


def _told_on(page: httpx2.Response) -> str:
    found = re.search(r"role=\"alert\"[^>]*>(.*?)</(?:div|p)>", page.text, re.DOTALL)
    assert found, page.text
    text = re.sub(r"<[^>]+>", " ", found[1])
    return " ".join(text.split()).partition(" Check")[0]


async def test_a_tool_is_told_under_the_guides_name(project: Project) -> None:
    error = (await project.try_tool(password="wrong")).json()["error"]
    assert error["code"] == "access_denied"
    assert error["message"].startswith("Supabase auth failed: ")
    assert "challenge stays usable" in error["hint"]
    project.standin.fault("/token", status=503)
    error = (await project.try_tool()).json()["error"]
    assert error["code"] == "temporarily_unavailable"
    assert error["message"].startswith("Supabase auth failed: ")


async def test_who_knows_the_password_is_told_that_the_address_is_unconfirmed(
    project: Project,
) -> None:
    project.standin.state.add_user("new@example.com", PASSWORD, confirmed=False)
    page = await project.try_page("new@example.com")
    assert page.status_code == 403
    assert "has not been confirmed" in page.text
    assert 'action="/oauth/sign-in"' in page.text


# --- a project in trouble -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "event"),
    [
        ({"captcha": True}, "supabase.captcha_is_on"),
        ({"email": False}, "supabase.passwords_are_off"),
    ],
)
async def test_a_way_that_the_project_shut(
    project_with: Open, told: list[str], options: dict[str, Any], event: str
) -> None:
    async with project_with(quick(**options)) as project:
        await project.gate.app.home.looked_at()
        if options.get("email", True):
            page = await project.try_page()
            assert page.status_code == 403
            assert "not offered here" in page.text
            _keeps_the_form(page)
        else:
            async with project.gate.http() as http:
                client = await project.gate.register()
                page = await project.sign_in_page(http, client, Pkce())
            assert 'type="password"' not in page.text
            assert "Continue with GitHub" in page.text
        tool = (await project.try_tool()).json()["error"]
        assert (tool["code"], "not offered" in tool["message"]) == ("access_denied", True)
    assert event in told or "supabase.problem" in told


async def test_a_limit_of_theirs_is_a_wait_of_ours(project: Project, told: list[str]) -> None:
    project.standin.fault("/token", status=429, body=b'{"code":"over_request_rate_limit"}')
    page = await project.try_page()
    assert (page.status_code, page.headers["retry-after"]) == (503, "30")
    _keeps_the_form(page)
    tool = await project.try_tool()
    assert (tool.status_code, tool.json()["error"]["retry_after"]) == (503, 30)
    assert told.count("supabase.rate_limited") == 2


async def test_a_wrong_key_of_ours_is_never_a_wrong_password(
    project_with: Open, told: list[str]
) -> None:
    async with project_with(SUPABASE_PUBLISHABLE_KEY="sb_publishable_wrong") as project:
        for password in (PASSWORD, "wrong"):
            page = await project.try_page(password=password)
            assert page.status_code == 503
            _keeps_the_form(page)
        await project.gate.app.home.looked_at()
    assert told.count("supabase.key_refused") >= 2
    assert "supabase.problem" in told


FAULTS: dict[str, dict[str, Any]] = {
    "500": {"status": 500, "body": b'{"code":"unexpected_failure"}'},
    "503 in HTML": {"status": 503, "body": b"<h1>Service Unavailable</h1>"},
    "too slow": {"delay": 1.0},
    "cut": {"cut": True},
    "half": {"half": True},
    "garbage": {"status": 200, "body": b"<html>"},
    "another shape": {"status": 200, "body": b'{"access_token":1}'},
    "nobody": {"status": 200, "body": b'{"access_token":"a.b.c","user":{"id":""}}'},
    "huge": {"huge": True},
    "a new error": {"status": 418, "body": b'{"code":"teapot"}'},
    "a redirect": {"status": 302, "headers": {"location": "http://127.0.0.1:9/"}},
}


@pytest.mark.parametrize("fault", FAULTS)
@clause("ASVS", "16.5.2")
async def test_an_outage_is_a_503_that_keeps_the_form(
    project: Project, told: list[str], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(api, "FIRST_TRY", 0.2)
    project.standin.fault("/token", **FAULTS[fault])
    client = await project.gate.register()
    async with project.gate.http() as http:
        page = await project.sign_in_page(http, client, Pkce())
        answer = await project.type_in(http, page)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        _keeps_the_form(answer)
        assert [event for event in told if event.startswith("supabase.")]
        project.standin.clear()  # and the very same form goes on
        answer = await project.type_in(http, answer)
        assert answer.status_code == 303


def _keeps_the_form(page: httpx2.Response) -> None:
    assert 'action="/oauth/sign-in"' in page.text
    assert ANA in page.text
    assert PASSWORD not in page.text


async def test_an_outage_after_the_sign_in_does_not_break_the_code(project: Project) -> None:
    client, pkce = await project.gate.register(), Pkce()
    asked = project.gate.question(client, pkce, response_type=None)
    opened = (await project.tool("oauth_authorize", **asked)).json()["result"]
    answered = await project.tool(
        "oauth_authenticate",
        challenge_id=opened["challenge_id"],
        username=ANA,
        password=PASSWORD,
    )
    project.standin.fault("/", cut=True)
    code = answered.json()["result"]["code"]
    bought = await project.gate.exchange(client, code, pkce)
    assert bought.status_code == 200


# --- what travels ---------------------------------------------------------------------------------

FOREIGN = {
    "x-jwt-aud": "admin",
    "x-forwarded-for": "203.0.113.99",
    "sb-forwarded-for": "203.0.113.99",
    "user-agent": "Mozilla/5.0 visitor-marker",
    "referer": "https://visitor-marker.example/",
    "x-supabase-api-version": "1999-01-01",
    "authorization": "Bearer visitor-marker",
    "apikey": "visitor-marker",
    "cookie": "visitor-marker=1",
}


@pytest.mark.parametrize("forward", ["false", "true"])
async def test_a_visitors_headers_never_reach_supabase(project_with: Open, forward: str) -> None:
    async with project_with(AUTHGATE_SUPABASE_FORWARD_ADDRESS=forward) as project:
        client = await project.gate.register()
        async with project.gate.http() as http:
            page = await project.sign_in_page(http, client, Pkce())
            jar = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
            foreign = {**FOREIGN, "cookie": f"{FOREIGN['cookie']}; {jar}"}
            answer = await project.type_in(http, page, **foreign)
            assert answer.status_code == 303, answer.text
        for seen in project.standin.gate.seen:
            assert "visitor-marker" not in str(seen)
            assert "203.0.113.99" not in str(seen)
            assert not {"x-jwt-aud", "cookie", "referer", "x-forwarded-for"} & seen.headers.keys()
            assert seen.headers["user-agent"].startswith("authgate/")
        (grant,) = [one for one in project.standin.gate.seen if "grant_type" in one.path]
        # the one address that the trusted proxies tell, where the operator switched it on
        wanted = "127.0.0.1" if forward == "true" else None
        assert grant.headers.get("sb-forwarded-for") == wanted


# --- connections go on, or end --------------------------------------------------------------------


async def test_a_ban_ends_the_connection_at_the_refresh(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await project.gate.register()
    tokens = await project.tokens(client)
    project.ana.banned_until = time.time() + 3600
    _a_minute_later(project)
    refused = await project.gate.refresh(client, tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await project.gate.call(tokens["access_token"])).status_code == 401


async def test_an_outage_ends_no_connection(project_with: Open) -> None:
    async with project_with(AUTHGATE_SUPABASE_OUTAGE_GRACE="600") as project:
        client = await project.gate.register()
        tokens = await project.tokens(client)
        project.standin.fault("/admin/users", status=503)
        _a_minute_later(project)
        bridged = await project.gate.refresh(client, tokens["refresh_token"])
        assert bridged.status_code == 200
        await _vouched(project, 601)
        _a_minute_later(project)
        held = await project.gate.refresh(client, bridged.json()["refresh_token"])
        assert (held.status_code, held.json()["error"]) == (503, "temporarily_unavailable")
        assert 1 <= int(held.headers["retry-after"]) <= 60
        project.standin.clear()
        _a_minute_later(project)
        went_on = await project.gate.refresh(client, bridged.json()["refresh_token"])
        assert went_on.status_code == 200


async def test_without_a_secret_key_connections_last_a_day(project_with: Open) -> None:
    async with project_with(SUPABASE_SECRET_KEY="") as project:
        client = await project.gate.register()
        tokens = await project.tokens(client)
        again = await project.gate.refresh(client, tokens["refresh_token"])
        assert again.status_code == 200
        (grant,) = await project.gate.core.store.grants(sub=project.ana.id)
        assert grant.expires_at == grant.authenticated_at + 86_400
    assert project.standin.calls("/admin/") == 0


def _a_minute_later(project: Project) -> None:
    """What the directory remembers of people is too old by now."""
    project.gate.app.home.directory._standing._recent._kept.clear()


async def _vouched(project: Project, ago: int) -> None:
    """The last word on Ana is this old, as if so much time had passed."""
    with closing(sqlite3.connect(project.gate.settings.sqlite_path)) as db, db:
        changed = db.execute("UPDATE grants SET vouched_at = vouched_at - ?", (ago,))
        assert changed.rowcount == 1


# --- a crowd --------------------------------------------------------------------------------------


async def test_two_hundred_at_once_are_never_mixed_up(project_with: Open) -> None:
    """Every second one through the tools; each asks again afterwards who they are."""
    async with project_with(AUTHGATE_LIMIT_AUTHORIZATION="1000/minute") as project:
        await _crowd(project)


async def _crowd(project: Project) -> None:
    state = project.standin.state
    project.standin.options.known_takes = 0.02
    people = [state.add_user(f"person{n}@example.com", f"the password of {n}") for n in range(200)]
    client = await project.gate.register()

    async def by_tool(email: str, password: str) -> dict[str, Any]:
        pkce = Pkce()
        asked = project.gate.question(client, pkce, response_type=None)
        opened = (await project.tool("oauth_authorize", **asked)).json()["result"]
        answered = await project.tool(
            "oauth_authenticate",
            challenge_id=opened["challenge_id"],
            username=email,
            password=password,
        )
        code = answer_of(answered.json()["result"]["redirect_to"])["code"]
        return (await project.gate.exchange(client, code, pkce)).json()

    async def one(n: int) -> tuple[str, str, str]:
        email, password = people[n].email, f"the password of {n}"
        way = by_tool(email, password) if n % 2 else project.tokens(client, email, password)
        tokens = await way
        again = (await project.gate.refresh(client, tokens["refresh_token"])).json()
        subs = [claims(each["access_token"])["sub"] for each in (tokens, again)]
        (grant,) = await project.gate.core.store.grants(sub=people[n].id)
        return subs[0], subs[1], grant.person.display

    found = await asyncio.gather(*(one(n) for n in range(200)))
    assert found == [(user.id, user.id, user.email) for user in people]
