"""GitHub through a Supabase project, in a whole authgate: to the call, and what stays behind."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.clauses import clause
from tests.endpoints.conftest import OpenGate
from tests.endpoints.gate import Pkce, answer_of, hidden
from tests.endpoints.project import Project, claims, opened_project
from tests.pages.abroad import OCTO, abroad

LINK = re.compile(r'href="([^"]*/oauth/start/github[^"]*)"')


@pytest.fixture(params=["", "/auth"])
async def project(open_gate: OpenGate, request: pytest.FixtureRequest) -> AsyncIterator[Project]:
    """Also below a path of a host."""
    address = {"AUTHGATE_PUBLIC_URL": "http://localhost:8000" + request.param}
    async with opened_project(open_gate, **address) as opened:
        opened.standin.state.provider_people["github"].append(OCTO)
        await opened.gate.app.home.looked_at()
        yield opened


def below(project: Project, path: str) -> str:
    return urlsplit(project.gate.url).path + path


async def back_from_github(http: httpx2.AsyncClient, start: str) -> tuple[str, str]:
    """From our start URL; where the return leads, and Supabase's code in it."""
    away = await http.get(start)
    assert away.status_code == 303, away.text
    back = await abroad(away.headers["location"])
    returned = await http.get(back, headers={"sec-fetch-site": "cross-site"})
    assert returned.status_code == 303, returned.text
    return returned.headers["location"], re.findall(r"[?&]code=([^&]+)", back)[0]


async def register(project: Project) -> dict[str, Any]:
    async with project.gate.http() as http:
        answer = await http.post(
            below(project, "/oauth/register"),
            json={
                "redirect_uris": ["http://localhost:3000/oauth/callback"],
                "token_endpoint_auth_method": "none",
            },
        )
    found: dict[str, Any] = answer.json()
    return found


async def exchange(project: Project, client: dict[str, Any], code: str, pkce: Pkce) -> str:
    async with project.gate.http() as http:
        form = {
            "grant_type": "authorization_code",
            "client_id": client["client_id"],
            "code": code,
            "code_verifier": pkce.verifier,
        }
        answer = await http.post(below(project, "/oauth/token"), data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def through_the_page(project: Project, seen: list[str]) -> str:
    """The access token of a sign-in on the pages."""
    client, pkce = await register(project), Pkce()
    async with project.gate.http() as http:
        asked = project.gate.question(client, pkce)
        begun = await http.get(
            below(project, "/oauth/authorize"), params=asked, headers={"sec-fetch-site": "none"}
        )
        page = await http.get(begun.headers["location"])
        (link,) = LINK.findall(page.text)
        onward, code = await back_from_github(http, unescape(link))
        page = await http.get(onward)
        fields = hidden(page.text, below(project, "/oauth/consent"))
        answer = await http.post(
            below(project, "/oauth/consent"), data={**fields, "decision": "approve"}
        )
    seen += [code, answer_of(answer.headers["location"])["code"]]
    return await exchange(project, client, seen[-1], pkce)


async def through_the_tool(project: Project, seen: list[str]) -> str:
    """The access token of a sign-in with the tools."""
    client, pkce = await register(project), Pkce()
    tools, hand_over = below(project, "/api/mcp"), below(project, "/oauth/hand-over")
    async with project.gate.http() as http:
        asked = project.gate.question(client, pkce, response_type=None)
        opened = await http.post(tools, json={"method": "oauth_authorize", "params": asked})
        challenge = opened.json()["result"]
        onward, code = await back_from_github(http, challenge["providers"]["github"])
        page = await http.get(onward)
        fields = hidden(page.text, hand_over)
        shown = await http.post(hand_over, data={**fields, "decision": "approve"})
        (oauth_code,) = re.findall(r">([0-9a-f]{32})<", shown.text)
        params = {
            "challenge_id": challenge["challenge_id"],
            "provider": "github",
            "oauth_code": oauth_code,
        }
        answer = await http.post(tools, json={"method": "oauth_authenticate", "params": params})
    seen += [code, oauth_code, answer.json()["result"]["code"]]
    return await exchange(project, client, seen[-1], pkce)


@clause("ASVS", "14.2")
async def test_to_the_call_and_nothing_readable_stays(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    tokens = [await through_the_page(project, seen), await through_the_tool(project, seen)]
    octo = project.standin.state.user_by_email(OCTO.email)
    assert octo is not None
    assert [claims(token)["sub"] for token in tokens] == [octo.id] * 2
    await project.gate.app.home.close()
    assert project.standin.state.sessions == {}  # each was signed out right away
    folder = project.gate.settings.sqlite_path.parent
    kept = b"".join(path.read_bytes() for path in folder.glob("*") if path.is_file())
    logged = "".join(capfd.readouterr())
    for secret in (*seen, *tokens):
        assert secret.encode() not in kept
        assert secret not in logged
