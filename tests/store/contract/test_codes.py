"""Codes: redeemed once and in time; a replay ends the grant; wrong verifiers are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authgate.protocol.records import Redemption
from authgate.store.contract import Store
from tests.store.contract.samples import (
    LIMIT,
    NOW,
    audit,
    client,
    code,
    digest,
    grant,
    issue,
    redeem,
    token,
)


@pytest.mark.parametrize(
    "kept", [code(), code(scopes=(), person=replace(code().person, methods=()))]
)
async def test_comes_back_as_issued(store: Store, kept: object) -> None:
    await issue(store, scopes=kept.scopes, person=kept.person)
    assert await store.code(code().code_digest) == kept


async def test_redemption_begins_the_grant(store: Store) -> None:
    await store.register_client(client(), audit())
    await issue(store)
    assert await redeem(store, now=NOW + 3) is Redemption.REDEEMED
    assert await store.code(code().code_digest) == replace(code(), redeemed_at=NOW + 3)
    assert await store.grant("grant-1") == grant()
    assert await store.refresh_token(token().token_digest) == (token(), grant())
    found = await store.client("client-1")
    assert found is not None
    assert found.last_used_at == NOW + 3
    assert (await store.audit_events(limit=1))[0] == audit("code.redeemed")


async def test_a_grant_without_refresh_token(store: Store) -> None:
    await issue(store)
    got = await store.redeem_code(
        code().code_digest, grant(), None, NOW, audit(), failure_limit=LIMIT
    )
    assert got is Redemption.REDEEMED
    assert await store.grant("grant-1") == grant()
    assert await store.refresh_token(token().token_digest) is None


async def test_a_replay_ends_the_grant_and_is_told(store: Store) -> None:
    await issue(store)
    assert await redeem(store) is Redemption.REDEEMED
    stolen = token("1", 9)
    assert await redeem(store, now=NOW + 7, refresh=stolen) is Redemption.REPLAYED
    ended = replace(grant(), revoked_at=NOW + 7, revoked_reason="code_replayed")
    assert await store.grant("grant-1") == ended
    assert await store.refresh_token(stolen.token_digest) is None
    assert (await store.audit_events(limit=1))[0] == audit("code.redeemed", "replayed")
    # Long after the code's own end it is still a replay, and the first ending is the one told.
    assert await redeem(store, now=NOW + 5_000) is Redemption.REPLAYED
    assert await store.grant("grant-1") == ended


async def test_the_end_is_the_first_moment_too_late(store: Store) -> None:
    await issue(store)
    assert await redeem(store, now=code().expires_at) is Redemption.EXPIRED
    assert await store.grant("grant-1") is None
    assert await redeem(store, now=code().expires_at - 1) is Redemption.REDEEMED


async def test_unknown(store: Store) -> None:
    assert await store.code("nothing") is None
    assert await redeem(store, "nothing") is Redemption.EXPIRED
    assert await store.grant("grant-nothing") is None
    assert await store.refresh_token("nothing") is None


async def test_wrong_verifiers_are_counted_up_to_the_limit(store: Store) -> None:
    await issue(store)
    counted = [await store.count_code_failure(code().code_digest, LIMIT) for _ in range(7)]
    assert counted == [1, 2, 3, 4, 5, 5, 5]
    found = await store.code(code().code_digest)
    assert found is not None
    assert found.failures == LIMIT
    assert await redeem(store) is Redemption.SPENT
    assert await store.grant("grant-1") is None


async def test_one_try_left_is_a_try(store: Store) -> None:
    await issue(store)
    for _ in range(LIMIT - 1):
        await store.count_code_failure(code().code_digest, LIMIT)
    assert await redeem(store) is Redemption.REDEEMED


async def test_an_unknown_code_has_no_tries(store: Store) -> None:
    assert await store.count_code_failure(digest("nothing"), LIMIT) == LIMIT


async def test_nothing_is_audited_for_a_code_that_ran_out(store: Store) -> None:
    await issue(store)
    before = len(await store.audit_events())
    await redeem(store, now=code().expires_at)
    assert len(await store.audit_events()) == before
