"""No request needs the node of the one before it: three nodes, and each step lands on another.

nginx goes round and writes down where it went, so that the proof is in its log and not in our hope.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from tests.clients.by_hand import CALLBACK, Hands, basic, verifier_and_challenge
from tests.clients.test_python_sdk import Application, whoami
from tests.endpoints.gate import answer_of, hidden
from tests.endpoints.project import ANA, PASSWORD, quick
from tests.live import ALICE, BOB, Person
from tests.nodes.fleet import Fleet, Went
from tests.pages.abroad import OCTO, abroad
from tests.standins.running import running
from tests.standins.supabase import SupabaseStandin

LINK = re.compile(r'href="([^"]*/oauth/start/github[^"]*)"')


@contextmanager
def each_elsewhere(
    fleet: Fleet, *, nodes: int = 3, one_by_one: bool = True
) -> Iterator[list[Went]]:
    """What went through nginx in this block, which must have gone round these many nodes."""
    before = len(fleet.went())
    found: list[Went] = []
    yield found
    found += fleet.went()[before:]
    asked = [went.ports for went in found]
    assert all(len(ports) == 1 for ports in asked), found
    assert len(set(asked)) == nodes, found
    if one_by_one:
        assert not [pair for pair in pairwise(found) if pair[0].ports == pair[1].ports]


def paths(went: list[Went]) -> set[str]:
    return {one.path for one in went}


def test_a_flow_by_hand(fleet: Fleet) -> None:
    """Discovery, registration, the pages, the code, the call, a refresh, introspection, the end."""
    with each_elsewhere(fleet) as went, Hands(fleet) as hands:
        asked = hands.http.post("/mcp", json={})
        assert asked.status_code == 401
        about = hands.http.get("/.well-known/oauth-protected-resource/mcp").json()
        assert about["authorization_servers"] == [fleet.url]
        meta = hands.http.get("/.well-known/oauth-authorization-server").json()
        assert meta["issuer"] == fleet.url
        client = hands.registered(token_endpoint_auth_method="client_secret_basic")
        proof = basic(client["client_id"], client["client_secret"])
        code, verifier = hands.code(client["client_id"])
        form = {"code": code, "code_verifier": verifier, "redirect_uri": CALLBACK}
        got = hands.token(headers=proof, grant_type="authorization_code", **form)
        assert got.status_code == 200, got.text
        assert hands.whoami(got.json()["access_token"])["display"] == ALICE.email
        renewed = {"grant_type": "refresh_token", "refresh_token": got.json()["refresh_token"]}
        got = hands.token(headers=proof, **renewed)
        assert got.status_code == 200, got.text
        access = got.json()["access_token"]
        assert hands.whoami(access)["display"] == ALICE.email
        for token in (access, got.json()["refresh_token"]):
            told = hands.http.post("/oauth/introspect", data={"token": token}, headers=proof)
            assert told.json()["active"] is True
        again = hands.token(headers=proof, grant_type="authorization_code", **form)
        assert again.json()["error"] == "invalid_grant"
        # A second application finds the person signed in already, wherever it asks.
        other = hands.registered()
        hands.tokens(other["client_id"])
        end = {"token": got.json()["refresh_token"]}
        assert hands.http.post("/oauth/revoke", data=end, headers=proof).status_code == 200
        told = hands.http.post("/oauth/introspect", data=end, headers=proof)
        assert told.json() == {"active": False}
    assert {"/oauth/sign-in", "/oauth/consent", "/oauth/token", "/mcp"} <= paths(went)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_flow_by_the_official_client(fleet: Fleet, mode: str) -> None:
    """The `mcp` package, as applications use it; the older protocol has sessions, too."""
    with each_elsewhere(fleet, one_by_one=False) as went:
        application = Application(fleet, BOB)
        async with application.connected(mode) as client:
            assert len((await client.list_tools()).tools) == 3
            for _ in range(6):
                assert await whoami(client) == BOB.email
        assert application.visits == 1
    # Where it keeps a stream open beside its calls, two requests in a row may be at one node.
    calls = [one.ports for one in went if (one.method, one.path) == ("POST", "/mcp")]
    assert len(set(calls)) == 3
    assert {one.status for one in went} <= {200, 201, 202, 302, 303, 401, 404, 405}


def test_a_flow_by_the_four_tools(fleet: Fleet) -> None:
    with each_elsewhere(fleet) as went, Hands(fleet) as hands:
        client_id = tool(
            hands,
            "oauth_register_client",
            client_data={
                "redirect_uris": [CALLBACK],
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
            },
        )["client_id"]
        for _ in range(2):
            code, verifier = by_tools(hands, client_id, ALICE)
            form = {"code": code, "code_verifier": verifier, "redirect_uri": CALLBACK}
            form |= {"grant_type": "authorization_code", "client_id": client_id}
            got = tool(hands, "oauth_token", **form)
            renewed = {"grant_type": "refresh_token", "client_id": client_id}
            got = tool(hands, "oauth_token", **renewed, refresh_token=got["refresh_token"])
            assert hands.whoami(got["access_token"])["display"] == ALICE.email
    assert paths(went) == {"/api/mcp", "/mcp"}


def tool(hands: Hands, method: str, **params: Any) -> dict[str, str]:
    answer = hands.http.post("/api/mcp", json={"method": method, "params": params})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()["result"]
    return found


def by_tools(hands: Hands, client_id: str, person: Person) -> tuple[str, str]:
    """A code with its verifier."""
    verifier, challenge = verifier_and_challenge()
    opened = tool(
        hands,
        "oauth_authorize",
        client_id=client_id,
        redirect_uri=CALLBACK,
        state="a-state",
        code_challenge=challenge,
        code_challenge_method="S256",
    )
    signed_in = tool(
        hands,
        "oauth_authenticate",
        challenge_id=opened["challenge_id"],
        username=person.email,
        password=person.password,
    )
    return signed_in["code"], verifier


# --- people of a Supabase project -----------------------------------------------------------------


@pytest.fixture(scope="module")
def supabase() -> Iterator[SupabaseStandin]:
    with running(quick()) as standin:
        standin.state.add_user(ANA, PASSWORD)
        standin.state.provider_people["github"].append(OCTO)
        yield standin


@pytest.fixture(scope="module")
def at_supabase(fleet: Fleet, supabase: SupabaseStandin) -> Iterator[Fleet]:
    """Two nodes more on the same database, which know the project; nginx goes round these alone."""
    env = {
        "SUPABASE_URL": supabase.url,
        "SUPABASE_PUBLISHABLE_KEY": supabase.gate.publishable,
        "SUPABASE_SECRET_KEY": supabase.gate.secret,
    }
    usual = list(fleet.nodes)
    added = fleet.add_nodes(2, env=env)
    fleet.serve_only_by(added)
    yield fleet
    fleet.serve_only_by(usual)
    for node in added:
        node.assert_quiet()
        fleet.drop(node)


def test_a_password_and_a_second_factor(at_supabase: Fleet, supabase: SupabaseStandin) -> None:
    """What waits between the two is in the database, sealed, and any node goes on with it."""
    tess = supabase.state.add_user("tess@example.com", PASSWORD)
    factor = supabase.state.add_factor(tess)
    with (
        each_elsewhere(at_supabase, nodes=2) as went,
        Hands(at_supabase, Person(tess.email, PASSWORD)) as hands,
    ):
        hands.browser.code = factor.code
        tokens = hands.tokens(hands.registered()["client_id"])
        assert hands.whoami(tokens["access_token"])["display"] == tess.email
    assert "/oauth/factor" in paths(went)


async def test_a_sign_in_with_github(at_supabase: Fleet) -> None:
    """There and back: the node that sent the browser away is not the one it comes back to."""
    verifier, challenge = verifier_and_challenge()
    with each_elsewhere(at_supabase, nodes=2) as went, Hands(at_supabase) as hands:
        client_id = hands.registered()["client_id"]
        asked = hands.authorize_url(client_id, challenge)
        async with httpx2.AsyncClient(base_url=at_supabase.url, trust_env=False) as browser:
            begun = await browser.get(asked, headers={"sec-fetch-site": "none"})
            page = await browser.get(begun.headers["location"])
            (link,) = LINK.findall(page.text)
            away = await browser.get(unescape(link))
            back = await abroad(away.headers["location"])
            returned = await browser.get(back, headers={"sec-fetch-site": "cross-site"})
            assert returned.status_code == 303, returned.text
            page = await browser.get(returned.headers["location"])
            form = {**hidden(page.text, "/oauth/consent"), "decision": "approve"}
            given = await browser.post("/oauth/consent", data=form)
        code = answer_of(given.headers["location"])["code"]
        got = hands.exchange(client_id, code, verifier, redirect_uri=CALLBACK)
        assert got.status_code == 200, got.text
        assert hands.whoami(got.json()["access_token"])["display"] == OCTO.email
    assert {"/oauth/start/github", "/oauth/callback"} <= paths(went)
