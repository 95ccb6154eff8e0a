"""Connections of people whose session at Supabase is kept: a sign-out there ends them here."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import httpx2
import pytest

from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Pkce, answer_of, hidden
from tests.endpoints.project import Project, opened_project, quick

REFRESH = "/token?grant_type=refresh_token"


@pytest.fixture
async def project(open_gate: OpenGate) -> AsyncIterator[Project]:
    """No secret key. Access tokens of Supabase's live so short that each question is a refresh."""
    settings = {"SUPABASE_SECRET_KEY": "", "AUTHGATE_SUPABASE_KEEP_SESSION": "true"}
    async with opened_project(open_gate, quick(access_lasts=20), **settings) as opened:
        yield opened


def a_minute_later(project: Project) -> None:
    """What the directory remembers of people is too old by now."""
    project.gate.app.home.directory._standing._recent._kept.clear()


async def sign_out_everywhere(project: Project) -> None:
    """As the person does in their own app."""
    own = project.standin.access_token(project.ana)
    headers = {"apikey": project.standin.gate.publishable, "authorization": f"Bearer {own}"}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(project.standin.auth_url + "/logout?scope=global", headers=headers)
    assert answer.status_code == 204


async def connected(
    project: Project, http: httpx2.AsyncClient, client: dict[str, Any]
) -> dict[str, Any]:
    """Tokens for a client by way of this browser; the password is typed if it is asked for."""
    pkce = Pkce()
    page = await project.sign_in_page(http, client, pkce)
    if 'type="password"' in page.text:
        page = await project.type_in(http, page)
        page = await http.get(page.headers["location"])
    form = {**hidden(page.text, "/oauth/consent"), "decision": "approve"}
    answer = await http.post("/oauth/consent", data=form)
    code = answer_of(answer.headers["location"])["code"]
    bought = await project.gate.exchange(client, code, pkce)
    assert bought.status_code == 200, bought.text
    tokens: dict[str, Any] = bought.json()
    return tokens


async def next_second() -> None:
    """A sign-in of the very second in which somebody was shut out is refused."""
    await asyncio.sleep(1.05 - time.time() % 1)


@clause("ASVS", "7.4.2")
async def test_a_sign_out_at_supabase_ends_every_connection(project: Project) -> None:
    client, other = await project.gate.register(), await project.gate.register()
    async with project.gate.http() as http:
        first = await connected(project, http, client)
        second = await connected(project, http, other)
        assert project.standin.calls("grant_type=password") == 1
        a_minute_later(project)
        went_on = await project.gate.refresh(client, first["refresh_token"])
        assert went_on.status_code == 200
        assert project.standin.calls(REFRESH) == 1

        await sign_out_everywhere(project)
        a_minute_later(project)
        refused = await project.gate.refresh(client, went_on.json()["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        for token in (first, went_on.json(), second):
            assert (await project.gate.call(token["access_token"])).status_code == 401
        refused = await project.gate.refresh(other, second["refresh_token"])
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

        # The browser session went too: the password is asked for, and all is well again.
        await next_second()
        again = await connected(project, http, client)
        assert project.standin.calls("grant_type=password") == 2
    a_minute_later(project)
    assert (await project.gate.refresh(client, again["refresh_token"])).status_code == 200
    assert (await project.gate.call(again["access_token"])).status_code == 200


@clause("ASVS", "7.4.2")
async def test_a_sign_out_is_seen_at_the_code_too(project: Project) -> None:
    """A browser session of ours buys nothing after it, and does not lead in circles."""
    client = await project.gate.register()
    async with project.gate.http() as http:
        tokens = await connected(project, http, client)
        await sign_out_everywhere(project)
        a_minute_later(project)
        with pytest.raises(AssertionError, match="invalid_grant"):
            await connected(project, http, client)
        assert (await project.gate.call(tokens["access_token"])).status_code == 401
        await next_second()
        await connected(project, http, client)
    assert project.standin.calls("grant_type=password") == 2


@pytest.mark.parametrize("how", ["banned", "deleted", "password changed"])
@clause("ASVS", "7.4.2")
async def test_whoever_leaves_takes_their_connections_along(project: Project, how: str) -> None:
    client = await project.gate.register()
    tokens = await project.tokens(client)
    match how:
        case "banned":
            project.ana.banned_until = time.time() + 3600
        case "deleted":
            project.standin.state.remove(project.ana)
        case _:
            project.standin.state.end_sessions(project.ana)
    a_minute_later(project)
    refused = await project.gate.refresh(client, tokens["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert (await project.gate.call(tokens["access_token"])).status_code == 401


async def test_an_outage_is_bridged_for_the_grace_and_ends_nothing(project: Project) -> None:
    client = await project.gate.register()
    tokens = await project.tokens(client)
    project.standin.fault("/auth/v1/", status=503)
    a_minute_later(project)
    bridged = await project.gate.refresh(client, tokens["refresh_token"])
    assert bridged.status_code == 200
    with closing(sqlite3.connect(project.gate.settings.sqlite_path)) as db, db:
        db.execute("UPDATE grants SET vouched_at = vouched_at - 901")
    a_minute_later(project)
    held = await project.gate.refresh(client, bridged.json()["refresh_token"])
    assert (held.status_code, held.json()["error"]) == (503, "temporarily_unavailable")
    assert 1 <= int(held.headers["retry-after"]) <= 60
    project.standin.clear()
    a_minute_later(project)
    went_on = await project.gate.refresh(client, bridged.json()["refresh_token"])
    assert went_on.status_code == 200
    assert len(project.standin.state.sessions) == 1


async def test_twenty_refreshes_at_once_are_one_at_supabase(project: Project) -> None:
    clients = [await project.gate.register() for _ in range(20)]
    async with project.gate.http() as http:
        tokens = [await connected(project, http, client) for client in clients]
    assert project.standin.calls(REFRESH) == 0
    a_minute_later(project)
    each = zip(clients, tokens, strict=True)
    answers = await asyncio.gather(
        *(project.gate.refresh(client, one["refresh_token"]) for client, one in each)
    )
    assert [answer.status_code for answer in answers] == [200] * 20
    assert project.standin.calls(REFRESH) == 1
    assert project.standin.calls("/user") == 0


async def test_connections_outlast_a_day_without_a_secret_key(project: Project) -> None:
    """The kept session stands by the person in its place."""
    await project.tokens(await project.gate.register())
    (grant,) = await project.gate.core.store.grants(sub=project.ana.id)
    assert grant.expires_at > grant.authenticated_at + 2 * 86_400
    assert project.standin.calls("/admin/") == project.standin.calls("/logout") == 0
