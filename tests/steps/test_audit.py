"""The audit trail: every step is in it, and no secret is, in any form."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple
from pathlib import Path

from authgate.protocol.digests import digest
from authgate.protocol.errors import Refusal
from authgate.protocol.records import Person
from authgate.steps.consent import deny
from authgate.steps.revoke import introspect, revoke
from authgate.steps.sign_in import begin_session, end_session, with_password
from tests.clauses import clause
from tests.protocol.making import VERIFIER
from tests.steps.making import ADDRESS, EMAIL, PASSWORD, World, opened_world


async def everything(world: World) -> None:
    """One of every step, the refused ones too."""
    for method in ("none", "client_secret_post", "client_secret_basic"):
        client, first = await world.connected(await world.register(method))
        second = await world.refresh(client, first["refresh_token"])
        await world.refresh(client, second["refresh_token"])
        await _refused(world.refresh(client, first["refresh_token"]))
        client, first = await world.connected(client)
        if method != "none":
            form = client.form(token=first["access_token"])
            await introspect(world.parts, client.header, form, ADDRESS)
        await revoke(world.parts, client.header, client.form(token=first["access_token"]), ADDRESS)
    flow = await world.flow()
    await _refused(world.exchange(flow, code_verifier=VERIFIER))
    await world.exchange(flow)
    await _refused(world.exchange(flow))
    confidential = await world.register("client_secret_post")
    await _refused(world.exchange(await world.flow(confidential), client_secret="a wrong secret"))
    opened = await world.open(await world.register(), VERIFIER)
    await deny(world.parts, opened.request, world.person, ADDRESS)
    asked = opened.request
    person = await with_password(world.parts, asked, EMAIL, PASSWORD, ADDRESS)
    assert isinstance(person, Person)
    await _refused(with_password(world.parts, asked, EMAIL, "a wrong password", ADDRESS))
    session = await begin_session(world.parts, person, ADDRESS, world.clock.now)
    world.secrets |= {session.cookie, "a wrong secret", "a wrong password"}
    await end_session(world.parts, session.session, ADDRESS)


async def _refused(awaitable: object) -> None:
    try:
        await awaitable
    except Refusal:
        return
    raise AssertionError("this was to be refused")


@clause("ASVS", "16.3")
async def test_every_step_is_in_the_trail_with_who_where_and_how_it_ended(world: World) -> None:
    await everything(world)
    events = await world.store.audit_events(limit=1000)
    assert {(event.event, event.outcome) for event in events} == {
        ("person.add", "done"),
        ("client.registered", "done"),
        ("client.authentication", "refused"),
        ("consent.given", "done"),
        ("consent.denied", "done"),
        ("token.issued", "done"),
        ("token.issued", "replayed"),
        ("token.refreshed", "done"),
        ("token.refreshed", "replayed"),
        ("token.revoked", "done"),
        ("person.sign_in", "done"),
        ("person.sign_in", "refused"),
        ("person.sign_out", "done"),
    }
    for event in events:
        assert event.at == world.clock.now
        if event.actor != "operator":
            assert event.address == ADDRESS
        if event.event.startswith(("token.", "consent.", "client.")):
            assert event.client_id
        if event.event.startswith("consent."):
            assert event.actor == world.person.sub
    given = [event for event in events if event.event == "consent.given"]
    assert {event.detail["via"] for event in given} == {"page"}


@clause("ASVS", "16.2.5")
async def test_no_secret_and_no_digest_of_one_is_in_the_trail(world: World) -> None:
    await everything(world)
    told = [str(astuple(event)) for event in await world.store.audit_events(limit=1000)]
    assert len(told) > 20
    assert len(world.secrets) > 40
    for secret in world.secrets:
        for form in (secret, digest(secret), secret.split(".")[-1], secret.rpartition(".")[0]):
            assert not form or not any(form in line for line in told)
    assert not any(EMAIL.casefold() in line.casefold() for line in told)


@clause("ASVS", "11.4")
async def test_no_secret_is_anywhere_in_the_database_as_it_is(tmp_path: Path) -> None:
    async with opened_world(tmp_path / "a.db") as world:
        await everything(world)
        secrets = world.secrets
        async with opened_world(tmp_path / "a.db"):
            pass
    with sqlite3.connect(tmp_path / "a.db") as database:
        kept = "\n".join(database.iterdump())
    database.close()
    assert "client_secret_basic" in kept
    # the verifier of RFC 7636 was tried and refused: nothing keeps it either
    for secret in secrets - {""}:
        assert secret not in kept
