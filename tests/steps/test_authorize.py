"""Opening a request: what is kept, what is told here, and what may be sent to the client."""

from __future__ import annotations

from typing import Literal

import pytest

from authgate.protocol import parameters
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason
from authgate.steps.authorize import Asker, Faulty, Opened, authorization_url, open_request
from tests.clauses import clause
from tests.protocol.making import CHALLENGE, ISSUER, OTHER_RESOURCE, RESOURCE, VERIFIER, refused
from tests.steps.making import BROWSER, REDIRECT, World, query_of

HERE = Asker("browser", BROWSER)


async def ask(world: World, asker: Asker = HERE, **changes: str | None) -> Opened | Faulty:
    values: dict[str, str | None] = {
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    asked = parameters.read([(n, v) for n, v in values.items() if v is not None])
    return await open_request(world.parts, asked, asker)


@clause("RFC 6749", "4.1.1")
async def test_a_good_request_waits_under_a_digest_of_its_handle(world: World) -> None:
    client = await world.register()
    opened = await ask(
        world, client_id=client.client_id, scope="mcp:admin", resource=RESOURCE + "/"
    )
    assert isinstance(opened, Opened)
    kept = await world.store.request(digest(opened.handle))
    assert kept == opened.request
    assert kept.scopes == ("mcp:admin",)
    assert kept.resource == RESOURCE
    assert kept.browser_digest == BROWSER
    assert kept.expires_at == world.clock.now + 600
    assert opened.handle not in repr(opened)


@clause("MCP authorization", "A14: a second GET")
async def test_every_call_opens_a_request_of_its_own(world: World) -> None:
    client = await world.register()
    first = await world.open(client, VERIFIER)
    second = await world.open(client, VERIFIER)
    assert first.handle != second.handle
    await world.approve(second)
    assert (await world.approve(first)).code


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": None}, Reason.CLIENT_MISSING),
        ({"client_id": "client_unknown"}, Reason.CLIENT_UNKNOWN),
        ({"client_id": "' OR 1=1 --"}, Reason.CLIENT_UNKNOWN),
        ({"redirect_uri": "https://evil.example/cb"}, Reason.REDIRECT_URI_UNREGISTERED),
        ({"redirect_uri": None}, Reason.REDIRECT_URI_MISSING),
        ({"state": "a\nb"}, Reason.STATE_MALFORMED),
    ],
)
@clause("RFC 6749", "4.1.2.1")
async def test_an_unproven_request_is_told_here(
    world: World, changes: dict[str, str | None], reason: Reason
) -> None:
    client = await world.register()
    with refused(reason):
        await ask(world, **{"client_id": client.client_id, **changes})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": 'a"'}, "invalid_scope"),
        ({"resource": "https://evil.example"}, "invalid_target"),
        ({"prompt": "none"}, "interaction_required"),
    ],
)
@clause("RFC 9207", "2")
async def test_what_is_wrong_with_a_proven_request_may_travel_with_state_and_issuer(
    world: World, changes: dict[str, str | None], error: str
) -> None:
    client = await world.register()
    faulty = await ask(world, **{"client_id": client.client_id, "state": "a b&c", **changes})
    assert isinstance(faulty, Faulty)
    answer = query_of(faulty.answer_url)
    assert (answer["error"], answer["state"], answer["iss"]) == (error, "a b&c", ISSUER)
    assert faulty.answer_url.startswith(REDIRECT + "?")
    assert "code" not in answer


@pytest.mark.parametrize("kind", ["tool", "browser"])
@clause("RFC 6749", "10.12")
async def test_a_tool_wants_a_state_and_a_browser_does_not(
    world: World, kind: Literal["tool", "browser"]
) -> None:
    client = await world.register()
    opened = await ask(world, Asker(kind), client_id=client.client_id, state=None)
    if kind == "browser":
        assert isinstance(opened, Opened)
    else:
        assert isinstance(opened, Faulty)
        assert opened.refusal.reason is Reason.STATE_MISSING


@clause("RFC 6749", "4.1.1")
async def test_the_authorization_url_asks_exactly_the_same_in_a_browser(world: World) -> None:
    client = await world.register()
    opened = await world.open(
        client,
        VERIFIER,
        kind="tool",
        state="a b+c&d=%20",
        scope="mcp:admin offline_access",
        resource=OTHER_RESOURCE,
    )
    asked = query_of(authorization_url(world.parts, opened.request))
    again = await open_request(world.parts, parameters.read(list(asked.items())), HERE)
    assert isinstance(again, Opened)
    for member in ("client_id", "redirect_uri", "state", "code_challenge", "scopes", "resource"):
        assert getattr(again.request, member) == getattr(opened.request, member)
