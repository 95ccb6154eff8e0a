"""Answering a request: by its own browser, once, and remembered only from the page."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.protocol.records import Session
from authgate.steps.consent import approve, deny, load, load_challenge
from authgate.steps.sign_in import begin_session
from tests.clauses import clause
from tests.protocol.making import ISSUER, RESOURCE, VERIFIER, refused
from tests.steps.making import ADDRESS, BROWSER, REDIRECT, World, query_of


async def session_of(world: World) -> Session:
    return (await begin_session(world.parts, world.person, ADDRESS, world.clock.now)).session


@clause("RFC 6749", "4.1.2")
async def test_an_approval_answers_with_code_state_and_issuer(world: World) -> None:
    opened = await world.open(await world.register(), VERIFIER, state="a+b c%20")
    answer = await world.approve(opened)
    assert query_of(answer.redirect_to) == {"code": answer.code, "state": "a+b c%20", "iss": ISSUER}
    code = await world.store.code(digest(answer.code or ""))
    assert code is not None
    assert code.expires_at == world.clock.now + 60
    assert code.person == world.person
    assert str(answer.code) not in repr(answer)


@clause("RFC 9207", "2")
async def test_a_denial_answers_with_state_and_issuer_and_without_a_code(world: World) -> None:
    opened = await world.open(await world.register(), VERIFIER, state=None)
    answer = await deny(world.parts, opened.request, world.person, ADDRESS)
    found = query_of(answer.redirect_to)
    assert (found["error"], found["iss"]) == ("access_denied", ISSUER)
    assert not {"code", "state"} & found.keys()


@pytest.mark.parametrize("kind", ["browser", "tool"])
@clause("ASVS", "2.3")
async def test_a_request_is_answered_once_whoever_asks_again(world: World, kind: str) -> None:
    opened = await world.open(await world.register(), VERIFIER, kind=kind)

    async def answer(yes: bool) -> object:
        try:
            if yes:
                return await world.approve(opened)
            return await deny(world.parts, opened.request, world.person, ADDRESS)
        except Refusal as refusal:
            return refusal.reason

    outcomes = await asyncio.gather(*(answer(number % 2 == 0) for number in range(50)))
    wanted = Reason.CHALLENGE_ANSWERED if kind == "tool" else Reason.INTERACTION_ANSWERED
    assert sum(outcome is wanted for outcome in outcomes) == 49


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("browser", Reason.INTERACTION_EXPIRED), ("tool", Reason.CHALLENGE_UNKNOWN)],
)
@clause("OAuth 2.1", "4.1.1")
async def test_a_request_that_ran_out_gets_no_code(world: World, kind: str, reason: Reason) -> None:
    opened = await world.open(await world.register(), VERIFIER, kind=kind)
    world.clock.now += 600
    with refused(reason):
        await world.approve(opened)
    with refused(reason):
        await deny(world.parts, opened.request, world.person, ADDRESS)


@clause("MCP best practices", "Session Hijacking")
async def test_a_request_belongs_to_the_browser_that_asked(world: World) -> None:
    opened = await world.open(await world.register(), VERIFIER)
    for other in ("c" * 64, "", None):
        with refused(Reason.BROWSER_MISMATCH):
            await load(world.parts, opened.handle, other, None)
    assert (await load(world.parts, opened.handle, BROWSER, None)).step is Step.SIGN_IN


@clause("MCP best practices", "Session Hijacking")
async def test_a_tool_challenge_is_no_browser_request_and_the_other_way_round(
    world: World,
) -> None:
    client = await world.register()
    challenge = await world.open(client, VERIFIER, kind="tool")
    request = await world.open(client, VERIFIER)
    for handle in (challenge.handle, "unknown", "", request.request.request_digest):
        with refused(Reason.INTERACTION_UNKNOWN):
            await load(world.parts, handle, BROWSER, None)
    for handle in (request.handle, "unknown", challenge.request.request_digest):
        with refused(Reason.CHALLENGE_UNKNOWN):
            await load_challenge(world.parts, handle)
    assert await load_challenge(world.parts, challenge.handle) == challenge.request
    await world.approve(challenge)
    with refused(Reason.CHALLENGE_ANSWERED):
        await load_challenge(world.parts, challenge.handle)


@clause("OAuth 2.1", "4.1.1")
async def test_a_client_that_was_removed_meanwhile_gets_nothing(world: World) -> None:
    client = await world.register()
    opened = await world.open(client, VERIFIER)
    challenge = await world.open(client, VERIFIER, kind="tool")
    flow = await world.flow(client)
    audit = (await world.store.audit_events(limit=1))[0]
    await world.store.remove_client(client.client_id, world.clock.now, audit)
    with refused(Reason.CLIENT_UNKNOWN):
        await load(world.parts, opened.handle, BROWSER, None)
    with refused(Reason.CLIENT_UNKNOWN):
        await load_challenge(world.parts, challenge.handle)
    with refused(Reason.CLIENT_UNKNOWN):
        await world.exchange(flow)


@clause("MCP best practices", "Confused Deputy Problem")
async def test_consent_is_remembered_from_the_page_and_for_what_was_shown(world: World) -> None:
    client, session = await world.register(), await session_of(world)

    async def step(**changes: str | None) -> Step:
        opened = await world.open(client, VERIFIER, **changes)
        return (await load(world.parts, opened.handle, BROWSER, session)).step

    assert await step() is Step.CONSENT
    await world.approve(await world.open(client, VERIFIER, kind="tool"), via="password_in_tool")
    assert await step() is Step.CONSENT  # a password in a tool is consent to that challenge alone
    await world.approve(await world.open(client, VERIFIER, scope="mcp:use"))
    assert await step(scope="mcp:use") is Step.APPROVE
    assert await step(scope="mcp:use mcp:admin") is Step.CONSENT
    assert await step(scope="mcp:use", resource="https://files.example.com/mcp") is Step.CONSENT
    assert await step(scope="mcp:use", prompt="consent") is Step.CONSENT
    kept = await world.store.consent(
        world.person.sub, client.client_id, "app.example.net", RESOURCE
    )
    assert kept is not None
    assert kept.scopes == ("mcp:use",)


@clause("MCP best practices", "Confused Deputy Problem")
async def test_another_client_at_the_same_address_is_asked_for_again(world: World) -> None:
    session = await session_of(world)
    await world.flow(await world.register())
    opened = await world.open(await world.register(), VERIFIER)
    assert (await load(world.parts, opened.handle, BROWSER, session)).step is Step.CONSENT


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:5/cb", "HTTP://localhost/cb", "https://localhost/cb", "cursor://x"]
)
@clause("RFC 8252", "8.6")
async def test_a_client_on_the_own_machine_is_asked_every_time(world: World, uri: str) -> None:
    client, session = await world.register(redirect_uris=[uri]), await session_of(world)
    await world.approve(await world.open(client, VERIFIER, redirect_uri=uri))
    again = await world.open(client, VERIFIER, redirect_uri=uri)
    assert (await load(world.parts, again.handle, BROWSER, session)).step is Step.CONSENT


@clause("RFC 6749", "4.1.2")
async def test_the_code_is_bound_to_what_was_asked(world: World) -> None:
    opened = await world.open(await world.register(), VERIFIER, scope="mcp:admin")
    answer = await world.approve(opened)
    code = await world.store.code(digest(answer.code or ""))
    assert code is not None
    for member in ("client_id", "redirect_uri", "code_challenge", "scopes", "resource"):
        assert getattr(code, member) == getattr(opened.request, member)
    assert code.redirect_uri == REDIRECT


@clause("RFC 6749", "4.1.2")
async def test_a_request_nobody_opened_cannot_be_approved(world: World) -> None:
    opened = await world.open(await world.register(), VERIFIER)
    forged = replace(opened.request, request_digest="f" * 64)
    with refused(Reason.INTERACTION_EXPIRED):
        await approve(
            world.parts, forged, world.person, authenticated_at=0, address=ADDRESS, via="page"
        )
