"""People are asked for again: who is gone ends, who cannot be asked for is believed for a while."""

from __future__ import annotations

from typing import Any

import pytest

from authgate.directories.contract import Gone, StillGood, Unavailable
from authgate.observe import log
from authgate.protocol.errors import Reason
from authgate.protocol.records import Grant
from authgate.steps.sign_in import begin_session, find_session
from tests.clauses import clause
from tests.protocol.making import refused
from tests.steps.making import Registered, World, with_directory

GRACE, DAY = 900, 86_400


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the operator's log says from here on."""
    lines: list[tuple[str, dict[str, Any]]] = []
    for level in ("warning", "error"):
        monkeypatch.setattr(log, level, lambda event, **fields: lines.append((event, fields)))
    return lines


async def grant_of(world: World, tokens: dict[str, Any]) -> Grant:
    claims = world.parts.issuer.verify_any_time(tokens["access_token"])
    found = await world.store.grant(claims.grant_id)
    assert found is not None
    return found


async def connected(world: World) -> tuple[Registered, dict[str, Any]]:
    """A client whose person was vouched for at this moment."""
    with_directory(world, StillGood(world.person))
    client, tokens = await world.connected()
    assert (await grant_of(world, tokens)).vouched_at == world.clock.now
    return client, tokens


@clause("ASVS", "16.5.2")
async def test_an_outage_is_bridged_from_the_last_word_and_not_from_the_last_refresh(
    world: World, told: list[tuple[str, dict[str, Any]]]
) -> None:
    client, tokens = await connected(world)
    began = world.clock.now
    with_directory(world, Unavailable(7))
    for age in (1, 300, 600, GRACE):
        world.clock.now = began + age
        tokens = await world.refresh(client, tokens["refresh_token"])
        assert (await grant_of(world, tokens)).vouched_at == began
    assert [fields["left"] for _, fields in told] == [GRACE - 1, GRACE - 300, GRACE - 600, 0]
    counts = [fields["count"] for _, fields in told]
    assert counts == list(range(counts[0], counts[0] + 4))

    world.clock.now = began + GRACE + 1
    for _ in range(3):
        with refused(Reason.RECHECK_UNAVAILABLE) as caught:
            await world.refresh(client, tokens["refresh_token"])
        assert (caught.value.code, caught.value.face.status) == ("temporarily_unavailable", 503)
        assert caught.value.retry_after == 7
    assert told[-1][0] == "recheck.refused"

    with_directory(world, StillGood(world.person))  # nothing was spent: the same token goes on
    tokens = await world.refresh(client, tokens["refresh_token"])
    assert (await grant_of(world, tokens)).vouched_at == world.clock.now
    assert await world.revoked_reason(tokens["access_token"]) is None


@clause("ASVS", "7.4.2")
async def test_who_left_during_the_outage_is_gone_after_it(world: World) -> None:
    client, tokens = await connected(world)
    with_directory(world, Unavailable())
    tokens = await world.refresh(client, tokens["refresh_token"])
    with_directory(world, Gone())
    with refused(Reason.GRANT_ENDED):
        await world.refresh(client, tokens["refresh_token"])
    assert await world.revoked_reason(tokens["access_token"]) == "person_gone"


@pytest.mark.parametrize("at", ["refresh", "code"])
@clause("ASVS", "7.4.2")
async def test_who_is_gone_loses_all_that_was_granted_and_every_browser_session(
    world: World, at: str
) -> None:
    """Or they would walk from a session that is left to a code, in circles, with no password asked
    that would mend it; and their other clients would go on for as long as those do not refresh."""
    client, tokens = await connected(world)
    _, others = await connected(world)
    browser = await begin_session(world.parts, world.person, "192.0.2.1", world.clock.now)
    flow = await world.flow()
    with_directory(world, Gone())
    with refused(Reason.GRANT_ENDED):
        if at == "refresh":
            await world.refresh(client, tokens["refresh_token"])
        else:
            await world.exchange(flow)
    for each in (tokens, others):
        assert await world.revoked_reason(each["access_token"]) == "person_gone"
    assert await find_session(world.parts, browser.cookie) is None
    with_directory(world, StillGood(world.person))
    with refused(Reason.CODE_EXPIRED):
        await world.exchange(flow)
    assert await world.connected()  # whoever signs in anew is here again


@clause("ASVS", "6.3.3")
async def test_a_connection_of_one_factor_ends_where_two_are_demanded_by_now(
    world: World,
) -> None:
    """As a browser session steps up: a demand of everybody has no exception for the early ones."""
    client, tokens = await connected(world)
    flow = await world.flow()
    world.with_policy(required_assurance=2)
    with refused(Reason.GRANT_ENDED) as caught:
        await world.refresh(client, tokens["refresh_token"])
    assert caught.value.code == "invalid_grant"
    assert await world.revoked_reason(tokens["access_token"])
    with refused(Reason.GRANT_ENDED):
        await world.exchange(flow)


async def test_an_outage_right_after_the_sign_in_does_not_break_the_code(world: World) -> None:
    flow = await world.flow()
    signed_in = world.clock.now
    world.clock.now += 50
    with_directory(world, Unavailable())
    tokens = await world.exchange(flow)
    assert (await grant_of(world, tokens)).vouched_at == signed_in
    world.clock.now = signed_in + GRACE + 1
    with refused(Reason.RECHECK_UNAVAILABLE):
        await world.refresh(flow.client, tokens["refresh_token"])


async def test_a_code_of_an_old_sign_in_waits_for_the_directory(world: World) -> None:
    """A browser session lasts for hours; an outage must not be the time to use one up."""
    world.with_policy(code_ttl=2 * GRACE)
    flow = await world.flow()
    world.clock.now += GRACE + 1
    with_directory(world, Unavailable())
    for _ in range(2):
        with refused(Reason.RECHECK_UNAVAILABLE):
            await world.exchange(flow)
    with_directory(world, StillGood(world.person))
    assert await world.exchange(flow)


async def test_without_grace_an_outage_stops_everything_and_ends_nothing(world: World) -> None:
    client, tokens = await connected(world)
    world.with_policy(outage_grace=0)
    world.clock.now += 1
    with_directory(world, Unavailable())
    with refused(Reason.RECHECK_UNAVAILABLE) as caught:
        await world.refresh(client, tokens["refresh_token"])
    assert caught.value.retry_after
    assert await world.revoked_reason(tokens["access_token"]) is None


async def test_people_who_cannot_be_rechecked_end_a_day_after_they_signed_in(
    world: World, told: list[tuple[str, dict[str, Any]]]
) -> None:
    with_directory(world, Unavailable(), can_recheck=False)
    client, tokens = await world.connected()
    signed_in = world.clock.now
    for hours in (1, 12, 23):
        world.clock.now = signed_in + hours * 3600
        tokens = await world.refresh(client, tokens["refresh_token"])
        assert (await grant_of(world, tokens)).expires_at <= signed_in + DAY
    world.clock.now = signed_in + DAY
    with refused(Reason.REFRESH_EXPIRED) as caught:
        await world.refresh(client, tokens["refresh_token"])
    assert caught.value.code == "invalid_grant"
    assert told == []  # this is how it is set up and no outage


async def test_taking_the_key_away_ends_the_longer_ones_too(world: World) -> None:
    client, tokens = await connected(world)
    assert (await grant_of(world, tokens)).expires_at > world.clock.now + 2 * DAY
    world.clock.now += DAY
    with_directory(world, Unavailable(), can_recheck=False)
    with refused(Reason.REFRESH_EXPIRED):
        await world.refresh(client, tokens["refresh_token"])
