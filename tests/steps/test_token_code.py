"""The code exchange: every refusal, every replay, and one winner of fifty."""

from __future__ import annotations

import asyncio

import pytest

from authgate.directories.contract import Gone, Unavailable
from authgate.protocol.digests import digest
from authgate.protocol.errors import Reason, Refusal
from authgate.steps.token import token
from tests.clauses import clause
from tests.protocol.making import OTHER_RESOURCE, RESOURCE, refused
from tests.steps.making import Flow, World, with_directory

WRONG = "w" * 43


@pytest.mark.parametrize("method", ["none", "client_secret_post", "client_secret_basic"])
@clause("RFC 6749", "5.1")
async def test_a_code_buys_tokens_for_the_one_resource(world: World, method: str) -> None:
    flow = await world.flow(await world.register(method), scope="mcp:use")
    answer = await world.exchange(flow)
    assert answer.keys() == {
        *("access_token", "token_type", "expires_in", "scope", "refresh_token"),
    }
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert answer["scope"] == "mcp:use"
    claims = world.parts.issuer.verify(answer["access_token"], RESOURCE, world.clock.now)
    assert claims.sub == world.person.sub
    assert claims.client_id == flow.client.client_id
    assert claims.audience == RESOURCE
    assert claims.scopes == ("mcp:use",)
    with refused(Reason.TOKEN_AUDIENCE):
        world.parts.issuer.verify(answer["access_token"], OTHER_RESOURCE, world.clock.now)
    grant = await world.store.grant(claims.grant_id)
    assert grant is not None
    assert grant.person == world.person
    assert grant.expires_at == world.clock.now + world.parts.policy.refresh_token_ttl


@clause("OAuth 2.1", "1.3.2")
async def test_no_refresh_token_for_a_client_that_did_not_register_for_it(world: World) -> None:
    client = await world.register(grant_types=["authorization_code"])
    _, answer = await world.connected(client, scope="mcp:use offline_access")
    assert "refresh_token" not in answer
    with refused(Reason.CLIENT_GRANT_NOT_ALLOWED):
        await world.refresh(client, "whatever")


@pytest.mark.parametrize("changes", [{"redirect_uri": None}, {"resource": RESOURCE + "/"}])
@clause("OAuth 2.1", "10.2")
async def test_redirect_uri_may_be_left_out_and_resource_be_named(
    world: World, changes: dict[str, str | None]
) -> None:
    assert await world.exchange(await world.flow(), **changes)


@pytest.mark.parametrize(
    ("changes", "reason", "code"),
    [
        ({"grant_type": None}, Reason.GRANT_TYPE_MISSING, "invalid_request"),
        ({"grant_type": "password"}, Reason.GRANT_TYPE_UNKNOWN, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, Reason.GRANT_TYPE_UNKNOWN, "unsupported_grant_type"),
        ({"code": None}, Reason.PARAMETER_MISSING, "invalid_request"),
        ({"code": "unknown"}, Reason.CODE_UNKNOWN, "invalid_grant"),
        ({"code_verifier": None}, Reason.PKCE_VERIFIER_MISSING, "invalid_grant"),
        ({"code_verifier": "short"}, Reason.PKCE_VERIFIER_MALFORMED, "invalid_grant"),
        ({"code_verifier": WRONG}, Reason.PKCE_FAILED, "invalid_grant"),
        ({"redirect_uri": "https://app.example.net/"}, Reason.CODE_REDIRECT_URI, "invalid_grant"),
        ({"resource": OTHER_RESOURCE}, Reason.RESOURCE_BEYOND_GRANT, "invalid_target"),
        ({"client_id": "client_unknown"}, Reason.CLIENT_UNKNOWN, "invalid_client"),
        ({"client_id": None}, Reason.CLIENT_MISSING, "invalid_client"),
        ({"client_secret": "x"}, Reason.CLIENT_AUTH_METHOD, "invalid_client"),
    ],
)
@clause("RFC 6749", "5.2")
async def test_every_refusal_has_its_code_and_spends_nothing(
    world: World, changes: dict[str, str | None], reason: Reason, code: str
) -> None:
    flow = await world.flow()
    with refused(reason) as caught:
        await world.exchange(flow, **changes)
    assert caught.value.code == code
    assert await world.exchange(flow)


@clause("RFC 6749", "3.2")
async def test_a_repeated_parameter_is_refused_before_anything_else(world: World) -> None:
    flow = await world.flow()
    for pair in (("code", flow.code), ("client_id", "x"), ("unknown", "1")):
        with refused(Reason.REQUEST_REPEATED):
            await world.exchange(flow, pair, ("unknown", "2"))
    with refused(Reason.RESOURCE_REPEATED):
        await world.exchange(flow, ("resource", RESOURCE), ("resource", RESOURCE))
    assert await world.exchange(flow)


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
@clause("RFC 6749", "3.2.1")
async def test_a_confidential_client_must_authenticate(world: World, method: str) -> None:
    flow = await world.flow(await world.register(method))
    client_id = flow.client.client_id
    with refused(Reason.CLIENT_AUTH_METHOD):
        await token(
            world.parts, None, flow.client.form(client_id=client_id, client_secret=None), ""
        )
    with refused(Reason.CLIENT_SECRET_WRONG):
        client = await world.register(method)
        stolen = type(client)(client_id, client.secret, method)
        await world.exchange(Flow(stolen, flow.code, flow.verifier))
    assert await world.exchange(flow)


@clause("RFC 6749", "4.1.2")
async def test_a_code_expires_after_a_minute(world: World) -> None:
    flow = await world.flow()
    world.clock.now += 60
    with refused(Reason.CODE_EXPIRED):
        await world.exchange(flow)


@clause("RFC 7636", "4.6")
async def test_after_five_wrong_verifiers_the_right_one_comes_too_late(world: World) -> None:
    flow = await world.flow()
    for _ in range(5):
        with refused(Reason.PKCE_FAILED):
            await world.exchange(flow, code_verifier=WRONG)
    for verifier in (flow.verifier, WRONG):
        with refused(Reason.CODE_SPENT):
            await world.exchange(flow, code_verifier=verifier)
    other = await world.flow()
    for _ in range(4):
        with refused(Reason.PKCE_FAILED):
            await world.exchange(other, code_verifier=WRONG)
    assert await world.exchange(other)


@clause("RFC 9700", "4.5")
async def test_other_mistakes_do_not_use_up_the_tries(world: World) -> None:
    flow, stranger = await world.flow(), await world.register()
    for _ in range(9):
        with refused(Reason.CODE_REDIRECT_URI):
            await world.exchange(flow, redirect_uri="https://evil.example", code_verifier=WRONG)
        with refused(Reason.CODE_FOREIGN):
            await world.exchange(Flow(stranger, flow.code, WRONG))
    assert await world.exchange(flow)


@clause("RFC 6749", "4.1.2")
async def test_a_replay_ends_the_grant_and_every_token_of_it(world: World) -> None:
    flow = await world.flow()
    answer = await world.exchange(flow)
    again = await world.refresh(flow.client, answer["refresh_token"])
    world.clock.now += 3600 * 24 * 7  # long after the code expired
    with refused(Reason.CODE_REPLAYED) as caught:
        await world.exchange(flow)
    assert caught.value.code == "invalid_grant"
    assert await world.revoked_reason(answer["access_token"]) == "code_replayed"
    with refused(Reason.GRANT_ENDED):
        await world.refresh(flow.client, again["refresh_token"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code_verifier": WRONG}, Reason.PKCE_FAILED),
        ({"code_verifier": None}, Reason.PKCE_VERIFIER_MISSING),
        ({"redirect_uri": "https://evil.example"}, Reason.CODE_REDIRECT_URI),
        ({"resource": OTHER_RESOURCE}, Reason.RESOURCE_BEYOND_GRANT),
    ],
)
@clause("OAuth 2.1", "4.1.3")
async def test_showing_a_used_code_ends_nothing_unless_all_else_is_right(
    world: World, changes: dict[str, str | None], reason: Reason
) -> None:
    flow = await world.flow()
    answer = await world.exchange(flow)
    with refused(reason):
        await world.exchange(flow, **changes)
    with refused(Reason.CODE_FOREIGN):
        await world.exchange(Flow(await world.register(), flow.code, flow.verifier))
    assert await world.revoked_reason(answer["access_token"]) is None
    assert await world.refresh(flow.client, answer["refresh_token"])


@clause("RFC 6749", "4.1.3")
async def test_of_fifty_at_once_one_wins(world: World) -> None:
    flow = await world.flow()

    async def try_it() -> str | Reason:
        try:
            return str((await world.exchange(flow))["access_token"])
        except Refusal as refusal:
            return refusal.reason

    outcomes = await asyncio.gather(*(try_it() for _ in range(50)))
    winners = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(winners) == 1
    assert outcomes.count(Reason.CODE_REPLAYED) == 49
    # the others were replays: what the winner got is dead from the next request on
    assert await world.revoked_reason(winners[0]) == "code_replayed"


@clause("RFC 7636", "4.6")
async def test_of_fifty_wrong_verifiers_at_once_no_more_than_five_count(world: World) -> None:
    flow = await world.flow()

    async def guess(number: int) -> Reason:
        with pytest.raises(Refusal) as caught:
            await world.exchange(flow, code_verifier=f"{number:043d}")
        return caught.value.reason

    outcomes = await asyncio.gather(*(guess(number) for number in range(50)))
    assert set(outcomes) <= {Reason.PKCE_FAILED, Reason.CODE_SPENT}
    code = await world.store.code(digest(flow.code))
    assert code is not None
    assert code.failures == 5
    with refused(Reason.CODE_SPENT):
        await world.exchange(flow)


@clause("OAuth 2.1", "4.1.3")
async def test_a_person_who_is_disabled_takes_the_unspent_code_along(world: World) -> None:
    flow = await world.flow()
    audit = (await world.store.audit_events(limit=1))[0]
    world.clock.now += 1
    await world.store.set_account_disabled(
        world.person.sub, world.clock.now, world.clock.now, audit
    )
    with refused(Reason.CODE_EXPIRED):
        await world.exchange(flow)


@clause("ASVS", "7.4.2")
async def test_a_person_who_left_a_directory_elsewhere_gets_no_first_token(world: World) -> None:
    flow = await world.flow()
    with_directory(world, Gone())
    with refused(Reason.GRANT_ENDED):
        await world.exchange(flow)
    with_directory(world, Unavailable())  # and an outage does not bring it back
    with refused(Reason.CODE_EXPIRED):
        await world.exchange(flow)


@clause("OAuth 2.1", "4.1.3")
async def test_a_replay_ends_the_grant_even_if_the_person_left(world: World) -> None:
    flow = await world.flow()
    answer = await world.exchange(flow)
    with_directory(world, Gone())
    with refused(Reason.CODE_REPLAYED):
        await world.exchange(flow)
    assert await world.revoked_reason(answer["access_token"]) == "code_replayed"


@clause("RFC 6749", "5.2")
async def test_wrong_secrets_are_braked_per_client_and_address(world: World) -> None:
    client = await world.register("client_secret_post")
    flow = await world.flow(client)
    for _ in range(60):
        with refused(Reason.CLIENT_SECRET_WRONG):
            await world.exchange(flow, client_secret="wrong")
    with refused(Reason.THROTTLED) as caught:
        await world.exchange(flow)
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 60
    # nobody is locked out from elsewhere, and no other client from here
    other = await world.flow(await world.register("client_secret_post"))
    assert await world.exchange(other)
    form = client.form(grant_type="authorization_code", code=flow.code, code_verifier=flow.verifier)
    assert await token(world.parts, None, form, "198.51.100.9")
