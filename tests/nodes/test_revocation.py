"""What is taken back is refused at once by the node that said so, by all others within a second.

Each node remembers for one second what it read. So a request that begins a second after the answer
to the revocation is never let through, by any node, whatever was asked of it before. That is what
is measured, with every node asked again and again meanwhile, by the moment at which a request
*began*: there is no allowance in it for a busy machine, since one that is late only asks later.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.clients.by_hand import CALLBACK, Hands
from tests.live import ALICE, BOB, Person
from tests.nodes.fleet import Fleet
from tests.nodes.places import Hammer, Line, Tokens, lines, minting

WITHIN = 1.0
LONGER = 1.5  # seconds that it is watched beyond that


async def taken_back(
    fleet: Fleet,
    asked: Callable[[Line], Any],
    take_back: Callable[[], Awaitable[object]],
    *,
    at_once: int | None = None,
) -> Hammer:
    """Ask all nodes while it is taken back, and see that they say no in time and for good.

    `at_once` is the port of the node that was told itself; None where a command did it.
    """
    with lines(fleet) as hammering:
        hammer = Hammer(asked, hammering)
        async with hammer.falling():
            await asyncio.sleep(0.3)
            await take_back()
            done = time.monotonic()
            await asyncio.sleep(WITHIN + LONGER)
        for line in hammering:
            said_yes = [b for b, _, reply in hammer.told[line.port] if reply.status == 200]
            assert said_yes, "never let in: nothing is shown"
            late = [began - done for began in said_yes if began - done > WITHIN]
            assert not late, (line.port, late[:5])
            assert hammer.statuses(done + WITHIN, line.port) == {401}
            if line.port == at_once:
                assert hammer.statuses(done, line.port) == {401}
    return hammer


async def refused_everywhere(at: list[Line], tokens: Tokens) -> None:
    """A refresh reads what is stored now: no node has to wait for a second."""
    for line in at:
        reply = await line.refresh(tokens)
        assert (reply.status, reply.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("told", [0, 1, 2])
async def test_revoked_at_one_node(fleet: Fleet, told: int) -> None:
    """RFC 7009 at any node; the others were asked a moment before, and knew better."""
    async with minting(fleet) as mint:
        with lines(fleet) as at:
            tokens = await at[(told + 1) % 3].tokens(mint)
            form = {"token": tokens.access, "client_id": tokens.client_id}

            async def take_back() -> None:
                assert (await at[told].wire.form("/oauth/revoke", form)).status == 200
                await refused_everywhere(at, tokens)

            await taken_back(
                fleet, lambda line: line.call(tokens.access), take_back, at_once=at[told].port
            )


async def test_a_replayed_code_ends_what_it_bought_everywhere(fleet: Fleet) -> None:
    async with minting(fleet) as mint:
        with lines(fleet) as at:
            client_id = await at[0].register()
            ((code, verifier),) = await mint.codes(client_id, 1)
            form = {"grant_type": "authorization_code", "client_id": client_id, "code": code}
            form["code_verifier"] = verifier
            access = (await at[1].token(**form)).json()["access_token"]

            async def take_back() -> None:
                again = await at[2].token(**form)
                assert (again.status, again.json()["error"]) == (400, "invalid_grant")

            await taken_back(fleet, lambda line: line.call(access), take_back, at_once=at[2].port)


async def test_ended_by_a_command(fleet: Fleet) -> None:
    """`people disconnect`, `people disable`, `clients remove`: another process did it."""
    node = fleet.nodes[1]
    async with minting(fleet) as mint:
        with lines(fleet) as at:
            for command, person in (
                (("people", "disconnect", "--yes", BOB.email), BOB),
                (("people", "disable", BOB.email), BOB),
                (("clients", "remove", "--yes"), ALICE),
            ):
                mint._email = person.email
                tokens = await at[0].tokens(mint)
                given = (*command, tokens.client_id) if person is ALICE else command

                async def take_back(given: tuple[str, ...] = given) -> None:
                    await asyncio.to_thread(node.cli, *given)

                shown = tokens.access
                await taken_back(fleet, lambda line, shown=shown: line.call(shown), take_back)
                for line in at:
                    assert (await line.refresh(tokens)).status in (400, 401)
    node.cli("people", "enable", BOB.email)


async def test_an_api_key_that_is_revoked(fleet: Fleet) -> None:
    """Static keys work while a rollout lets them: nodes of their own, which do."""
    usual = list(fleet.nodes)
    added = await asyncio.to_thread(fleet.add_nodes, 2, {"AUTHGATE_ROLLOUT": "optional"})
    try:
        made = json.loads(added[0].cli("api-keys", "add", "cron", "--json").stdout)
        fleet.nodes = added

        async def take_back() -> None:
            await asyncio.to_thread(added[0].cli, "api-keys", "revoke", "cron", "--yes")

        await taken_back(fleet, lambda line: line.call_with_key(made["key"]), take_back)
    finally:
        fleet.nodes = [*usual, *added]
        for node in added:
            fleet.drop(node)


def test_a_sign_out_at_one_node_is_one_everywhere(fleet: Fleet) -> None:
    """A browser's session is read anew by every request: nobody remembers it."""
    with Hands(fleet) as hands:
        hands.code(hands.registered()["client_id"], CALLBACK)
        browser = hands.browser
        held = {host: dict(jar) for host, jar in browser.cookies.items()}
        page = browser.open(f"{fleet.url}/oauth/sign-out")
        assert not isinstance(page, str)
        assert [form for form in page.forms if form.action.endswith("/oauth/sign-out")]
        browser.submit(page, page.forms[0], None)
        browser.cookies = held  # somebody kept the cookie
        for _ in range(6):  # every node twice
            after = browser.open(f"{fleet.url}/oauth/sign-out")
            assert not isinstance(after, str)
            assert after.url.endswith("/oauth/signed-out")


def test_a_new_person_is_known_everywhere_at_once(fleet: Fleet) -> None:
    """And the other way round: what one node made, the next one finds."""
    person = Person("carol@example.com", "yet another passphrase here")
    fleet.nodes[0].add_person(person)
    with Hands(fleet, person) as hands:
        for _ in range(3):
            tokens = hands.tokens(hands.registered()["client_id"])
            assert hands.whoami(tokens["access_token"])["display"] == person.email
