"""Sweeping: each kind to the second of its boundary, in batches, and nothing that is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authgate.protocol.records import Approval, Redemption, Rotation
from authgate.store.contract import Store, Swept
from tests.store.contract.samples import (
    DAY,
    HOUR,
    NOW,
    audit,
    begin,
    client,
    code,
    consent,
    issue,
    login,
    redeem,
    request,
    session,
    token,
)

TTL = 3_600


async def sweep(store: Store, now: int, batch: int = 500) -> Swept:
    return await store.sweep(now, access_ttl=TTL, batch=batch)


async def test_nothing_to_sweep(store: Store) -> None:
    assert await sweep(store, NOW + 10_000 * DAY) == Swept()


@pytest.mark.parametrize("answered", [False, True])
async def test_requests_go_ten_minutes_after_their_end(store: Store, answered: bool) -> None:
    await store.open_request(request())
    if answered:
        await store.deny(request().request_digest, NOW, audit())
    end = request().expires_at
    assert await sweep(store, end + 599) == Swept()
    assert await sweep(store, end + 600) == Swept(requests=1)
    assert await store.request(request().request_digest) is None


async def test_sessions_go_an_hour_after_their_end(store: Store) -> None:
    await store.open_session(session(), audit())
    end = session().expires_at
    assert await sweep(store, end + HOUR - 1) == Swept()
    assert await sweep(store, end + HOUR) == Swept(sessions=1)


async def test_a_kept_session_goes_when_nobody_is_left_to_ask_about(store: Store) -> None:
    await begin(store, expires_at=NOW + 100 * DAY)
    (grant,) = await store.grants(client_id="client-1")
    for sub in (grant.person.sub, "ag_gone"):
        await store.keep_session(sub, "sealed", NOW)
    assert await sweep(store, NOW + 90 * DAY - 1) == Swept(codes=1)
    assert (await sweep(store, NOW + 90 * DAY)).kept_sessions == 1
    assert await store.kept_session("ag_gone") is None
    assert await store.kept_session(grant.person.sub) is not None
    assert (await sweep(store, NOW + 100 * DAY)).kept_sessions == 1


async def test_an_unspent_code_goes_after_an_hour(store: Store) -> None:
    await issue(store)
    end = code().expires_at
    assert await sweep(store, end + HOUR - 1) == Swept()
    assert await store.code(code().code_digest) == code()
    assert await sweep(store, end + HOUR) == Swept(codes=1)
    assert await store.code(code().code_digest) is None


async def test_a_redeemed_code_goes_after_30_days(store: Store) -> None:
    await issue(store)
    assert await redeem(store, expires_at=NOW + 90 * DAY) is Redemption.REDEEMED
    end = code().expires_at
    assert await sweep(store, end + 30 * DAY - 1) == Swept()
    assert await redeem(store, now=end + 30 * DAY - 1) is Redemption.REPLAYED
    assert (await sweep(store, end + 30 * DAY)).codes == 1
    assert await redeem(store, now=end + 30 * DAY) is Redemption.EXPIRED


@pytest.mark.parametrize("how", ["expired", "revoked"])
async def test_a_grant_goes_30_days_and_a_token_lifetime_after_it_ended(
    store: Store, how: str
) -> None:
    end = NOW + 10 * DAY
    await begin(store, expires_at=end if how == "expired" else NOW + 300 * DAY)
    if how == "revoked":
        assert await store.end_grant("grant-1", "x", end, audit())
    late = end + 30 * DAY + TTL
    kept = await sweep(store, late)
    assert (kept.grants, kept.refresh_tokens) == (0, 0)
    assert await store.refresh_token(token().token_digest) is not None
    gone = await sweep(store, late + 1)
    assert (gone.grants, gone.refresh_tokens) == (1, 1)
    assert await store.grant("grant-1") is None
    assert await store.refresh_token(token().token_digest) is None


async def test_a_used_token_is_kept_as_long_as_its_grant_lives(store: Store) -> None:
    await begin(store, expires_at=NOW + 900 * DAY)
    got = await store.rotate_refresh_token(
        token().token_digest, token("1", 1), NOW + 900 * DAY, NOW, 60, audit()
    )
    assert got.rotation is Rotation.ROTATED
    assert (await sweep(store, NOW + 800 * DAY)).refresh_tokens == 0
    replay = await store.rotate_refresh_token(
        token().token_digest, token("1", 1), NOW, NOW + 800 * DAY, 60, audit()
    )
    assert replay.rotation is Rotation.REPLAYED


async def test_a_client_that_was_never_used_goes_after_a_day(store: Store) -> None:
    await store.register_client(client(), audit())
    assert await sweep(store, NOW + DAY - 1) == Swept()
    assert await sweep(store, NOW + DAY) == Swept(clients=1)
    assert await store.client("client-1") is None


async def test_a_used_client_goes_after_90_days_without_use(store: Store) -> None:
    await store.register_client(client(), audit())
    await store.open_request(request())
    await store.approve(request().request_digest, code(), consent(), NOW, audit())
    assert await redeem(store, expires_at=NOW + DAY) is Redemption.REDEEMED
    assert (await sweep(store, NOW + 90 * DAY - 1)).clients == 0
    assert (await sweep(store, NOW + 90 * DAY)).clients == 1
    assert await store.consent("ag_alice", "client-1", "127.0.0.1", consent().resource) is None


async def test_a_live_grant_keeps_its_client(store: Store) -> None:
    await store.register_client(client(), audit())
    await begin(store, expires_at=NOW + 200 * DAY)
    assert (await sweep(store, NOW + 200 * DAY - 1)).clients == 0
    assert (await sweep(store, NOW + 200 * DAY)).clients == 1


async def test_a_revoked_grant_does_not(store: Store) -> None:
    await store.register_client(client(), audit())
    await begin(store, expires_at=NOW + 200 * DAY)
    await store.end_grant("grant-1", "x", NOW, audit())
    assert (await sweep(store, NOW + 90 * DAY)).clients == 1


async def test_an_open_request_keeps_its_client(store: Store) -> None:
    await store.register_client(client(), audit())
    await store.open_request(request(expires_at=NOW + DAY + 600))
    assert (await sweep(store, NOW + DAY + 599)).clients == 0
    assert (await sweep(store, NOW + DAY + 600)).clients == 1


async def test_an_answered_request_does_not_but_its_code_does(store: Store) -> None:
    await store.register_client(client(), audit())
    await store.open_request(request(expires_at=NOW + 2 * DAY))
    soon = code(expires_at=NOW + DAY + 60)
    got = await store.approve(request().request_digest, soon, None, NOW + DAY, audit())
    assert got is Approval.APPROVED
    assert (await sweep(store, NOW + DAY + 59)).clients == 0
    assert (await sweep(store, NOW + DAY + 60)).clients == 1


async def test_a_login_of_no_client_keeps_none(store: Store) -> None:
    await store.register_client(client(), audit())
    await store.open_request(login(expires_at=NOW + 2 * DAY))
    assert await sweep(store, NOW + DAY) == Swept(clients=1)
    assert not await store.remove_client("", NOW, audit())
    assert await store.request(login().request_digest) is not None
    assert await sweep(store, NOW + 2 * DAY + 600) == Swept(requests=1)


async def test_an_operators_client_stays(store: Store) -> None:
    await store.register_client(client(self_registered=False), audit())
    assert await sweep(store, NOW + 900 * DAY) == Swept()


async def test_no_sweep_removes_more_than_a_batch_of_anything(store: Store) -> None:
    for i in range(5):
        await store.register_client(client(f"client-{i}"), audit())
        await begin(store, str(i), expires_at=NOW + DAY)
        await issue(store, f"unspent-{i}")
        await store.open_request(request(str(i)))
        await store.open_session(session(str(i)), audit())
    seen = []
    while (swept := await sweep(store, NOW + 1_000 * DAY, batch=2)).total:
        assert max(swept.requests, swept.codes, swept.sessions, swept.clients) <= 2
        assert max(swept.grants, swept.refresh_tokens) <= 2
        seen.append(swept)
    assert sum(s.codes for s in seen) == 10
    assert sum(s.grants for s in seen) == 5
    assert sum(s.refresh_tokens for s in seen) == 5
    assert sum(s.clients for s in seen) == 5
    assert sum(s.sessions for s in seen) == 5


async def test_a_grant_waits_for_the_last_of_its_tokens(store: Store) -> None:
    await begin(store, expires_at=NOW + DAY)
    for k in range(4):
        got = await store.rotate_refresh_token(
            token("1", k).token_digest, token("1", k + 1), NOW + DAY, NOW, 60, audit()
        )
        assert got.rotation is Rotation.ROTATED
    steps = [await sweep(store, NOW + 100 * DAY, batch=2) for _ in range(3)]
    assert [(s.refresh_tokens, s.grants) for s in steps] == [(2, 0), (2, 0), (1, 1)]


async def test_the_trail_goes_after_its_days_oldest_first_and_in_batches(store: Store) -> None:
    for k in range(5):
        await store.record(replace(audit(f"e{k}"), at=NOW + k))
    end = NOW + 30 * DAY
    assert await sweep(store, NOW + 10_000 * DAY) == Swept()  # 0 days: for ever
    for now, gone in ((end - 1, 0), (end, 1), (end + 9, 2), (end + 9, 2), (end + 9, 0)):
        swept = await store.sweep(now, access_ttl=TTL, audit_days=30, batch=2)
        assert swept == Swept(audit=gone)
    assert not await store.audit_events()


async def test_an_event_of_a_clock_ahead_only_delays(store: Store) -> None:
    await store.record(replace(audit("ahead"), at=NOW + DAY))
    await store.record(audit("now"))
    at = NOW + 30 * DAY
    assert await store.sweep(at, access_ttl=TTL, audit_days=30, batch=1) == Swept()
    both = await store.sweep(at + DAY, access_ttl=TTL, audit_days=30, batch=2)
    assert both == Swept(audit=2)
