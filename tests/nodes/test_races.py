"""Fifty at once for one code, one refresh token or one consent form, at three nodes: one wins.

Twenty rounds of each, every request on a connection of its own that was opened before.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from tests.clients.by_hand import Hands, verifier_and_challenge
from tests.endpoints.gate import hidden
from tests.faults.traffic import CALLBACK
from tests.faults.wire import FORM, Reply
from tests.nodes.fleet import Fleet
from tests.nodes.places import Line, Tokens, lines, minting

AT_ONCE, ROUNDS = 50, 20


async def crowd(fleet: Fleet) -> list[Line]:
    """Fifty open connections, in turn to each of the nodes."""
    made = [Line(fleet, fleet.nodes[n % len(fleet.nodes)].port) for n in range(AT_ONCE)]
    for reply in await asyncio.gather(*(line.wire.get("/healthz") for line in made)):
        assert reply.status == 200
    return made


async def at_once(made: list[Line], ask: Callable[[Line], Awaitable[Reply]]) -> list[Reply]:
    replies = list(await asyncio.gather(*(ask(line) for line in made)))
    assert all(200 <= reply.status < 500 for reply in replies), Counter(
        (reply.status, reply.lost) for reply in replies
    )
    return replies


async def test_one_code_at_all_nodes_buys_once(fleet: Fleet) -> None:
    """One buys, and all others end it: a code that comes twice may be in a thief's hands."""
    made = await crowd(fleet)
    async with minting(fleet) as mint:
        client_id = await made[0].register()
        for code, verifier in await mint.codes(client_id, ROUNDS):
            form = {"grant_type": "authorization_code", "client_id": client_id, "code": code}
            form["code_verifier"] = verifier
            replies = await at_once(made, lambda line, form=form: line.token(**form))
            assert Counter(reply.status for reply in replies) == {200: 1, 400: AT_ONCE - 1}
            said = {reply.json()["error"] for reply in replies if reply.status == 400}
            assert said == {"invalid_grant"}
    _drop(made)


async def test_one_refresh_token(fleet: Fleet) -> None:
    """All hold the same one, and a lost answer may be asked for again: so all get its successor,
    of which there is one."""
    made = await crowd(fleet)
    async with minting(fleet) as mint:
        with lines(fleet) as (line, *_):
            tokens = await line.tokens(mint)
            for _ in range(ROUNDS):
                replies = await at_once(made, lambda line, held=tokens: line.refresh(held))
                assert {reply.status for reply in replies} == {200}
                (successor,) = {reply.json()["refresh_token"] for reply in replies}
                tokens = Tokens(tokens.client_id, replies[0].json()["access_token"], successor)
            # All of that was no theft, and the grant is alive.
            assert (await line.call(tokens.access)).status == 200
    _drop(made)


async def test_one_consent_form(fleet: Fleet) -> None:
    """A form that is sent fifty times: one code, and none of a request that was answered."""
    made = await crowd(fleet)
    with Hands(fleet) as hands:
        client_id = hands.registered(redirect_uris=[CALLBACK])["client_id"]
        await asyncio.to_thread(hands.code, client_id, CALLBACK)  # signed in from here on
        jar = next(iter(hands.browser.cookies.values()))
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
    headers = {"cookie": cookies, "origin": fleet.url, "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(base_url=fleet.url, trust_env=False) as browser:
        for _ in range(ROUNDS):
            form = await consent_form(browser, client_id, cookies)
            body = urlencode({**form, "decision": "approve"}).encode()
            replies = await at_once(
                made,
                lambda line, body=body: line.wire.ask(
                    "POST", "/oauth/consent", body, {**FORM, **headers}
                ),
            )
            codes = [code for reply in replies for code in _codes(reply)]
            assert len(codes) == 1, Counter(reply.status for reply in replies)
    _drop(made)


async def consent_form(http: httpx2.AsyncClient, client_id: str, cookies: str) -> dict[str, str]:
    """The hidden fields of the form for a new request of somebody who is signed in."""
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "code_challenge": verifier_and_challenge()[1],
        "code_challenge_method": "S256",
        "state": "a-state",
        "prompt": "consent",
    }
    headers: dict[str, Any] = {"sec-fetch-site": "none", "cookie": cookies}
    begun = await http.get("/oauth/authorize", params=asked, headers=headers)
    assert begun.status_code == 303, begun.text
    page = await http.get(begun.headers["location"], headers=headers)
    return hidden(page.text, "/oauth/consent")


def _codes(reply: Reply) -> list[str]:
    return parse_qs(urlsplit(reply.headers.get("location", "")).query).get("code", [])


def _drop(made: list[Line]) -> None:
    for line in made:
        line.drop()
