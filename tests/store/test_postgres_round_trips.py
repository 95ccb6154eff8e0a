"""How many round trips each writing step takes on PostgreSQL, counted on the wire.

Each is made twice on a furnished store: by whoever wins, and then by whoever comes too late.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from authgate.protocol.records import UsageRow
from authgate.store.contract import Store
from authgate.store.contract_upkeep import KeysAndTrail
from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from tests.postgres import new_schema, shared
from tests.store.contract.samples import (
    ALICE,
    DAY,
    GRACE,
    LIMIT,
    NOW,
    account,
    api_key,
    audit,
    begin,
    client,
    code,
    consent,
    digest,
    factor,
    grant,
    issue,
    link,
    login,
    request,
    session,
    signing_key,
    token,
    transaction,
)
from tests.store.counting_proxy import Counting, counting_proxy

HANDLE = request().request_digest
AWAY = transaction().transaction_digest
BROWSER = transaction().browser_digest
Step = Callable[[Store], Awaitable[object]]


def _rotate(generation: int, now: int = NOW) -> Step:
    return lambda s: s.rotate_refresh_token(
        token("1", generation).token_digest,
        token("1", generation + 1),
        now + 9,
        now,
        GRACE,
        audit(),
    )


async def _hand_over(s: Store) -> None:
    await s.take_transaction(AWAY, BROWSER, NOW)
    await s.vouch_transaction(AWAY, ALICE)


async def _issued(s: Store) -> None:
    await _hand_over(s)
    await s.issue_hand_over(AWAY, BROWSER, digest("c"), NOW + 9, NOW, audit())


async def _version(s: Store) -> int:
    kept = await s.kept_session("ag_alice")
    assert kept is not None
    return kept.version


_KEPT: dict[str, int] = {}


async def _remember_version(s: Store) -> None:
    _KEPT["version"] = await _version(s)


async def _await_factor(s: Store) -> None:
    await s.await_factor(HANDLE, factor(), NOW)


async def _answered_login(s: Store) -> None:
    await s.deny(login().request_digest, NOW, audit())


# The method, what has to be so before, the step, and its round trips: for who wins, for who comes
# second with the same. None: the second is a fault (a random name that clashes).
TABLE: list[tuple[str, Step | None, Step, int, int | None]] = [
    ("register_client", None, lambda s: s.register_client(client("new"), audit()), 1, None),
    ("remove_client", None, lambda s: s.remove_client("client-1", NOW, audit()), 1, 1),
    ("open_request", None, lambda s: s.open_request(request("new", state="")), 1, None),
    ("approve", None, lambda s: s.approve(HANDLE, code("new"), consent(), NOW, audit()), 1, 2),
    ("approve", None, lambda s: s.approve(HANDLE, code("new"), None, NOW, audit()), 1, 2),
    ("deny", None, lambda s: s.deny(HANDLE, NOW, audit()), 1, 2),
    (
        "reopen_login",
        _answered_login,
        lambda s: s.reopen_login(login().request_digest, NOW, audit()),
        1,
        1,
    ),
    ("await_factor", None, _await_factor, 1, 1),
    ("count_factor_failure", _await_factor, lambda s: s.count_factor_failure(HANDLE, 1), 1, 1),
    ("settle_factor", _await_factor, lambda s: s.settle_factor(HANDLE, "sealed-1"), 1, 1),
    ("count_code_failure", None, lambda s: s.count_code_failure(digest("code-x"), 1), 1, 2),
    ("redeem_code", None, lambda s: _redeem(s, "x"), 1, 2),
    ("rotate_refresh_token", None, _rotate(0), 1, 2),
    # after its window the second is a replay, which is found in the second and ends in the third
    ("rotate_refresh_token", _rotate(0), _rotate(1), 1, 2),
    ("rotate_refresh_token", _rotate(0), _rotate(0, NOW + DAY), 3, 2),
    ("end_grant", None, lambda s: s.end_grant("grant-1", "x", NOW, audit()), 1, 1),
    ("end_grants_of", None, lambda s: s.end_grants_of("ag_alice", "x", NOW, audit()), 1, 1),
    ("open_session", None, lambda s: s.open_session(session("new"), audit()), 1, None),
    ("close_session", None, lambda s: s.close_session(session().session_digest, audit()), 1, 1),
    ("close_sessions_of", None, lambda s: s.close_sessions_of("ag_alice", audit()), 1, 1),
    ("close_sessions_of", None, lambda s: s.close_sessions_of("ag_alice", audit(), NOW), 1, 1),
    ("add_account", None, lambda s: s.add_account(account("ag_b", "b@x"), audit()), 1, 1),
    (
        "set_account_disabled",
        None,
        lambda s: s.set_account_disabled("ag_alice", NOW, NOW, audit()),
        1,
        1,
    ),
    (
        "set_account_password",
        None,
        lambda s: s.set_account_password("ag_alice", "$new", NOW, audit()),
        1,
        1,
    ),
    (
        "rehash_account_password",
        None,
        lambda s: s.rehash_account_password("ag_alice", account().password_hash, "$new"),
        1,
        1,
    ),
    ("remove_account", None, lambda s: s.remove_account("ag_alice", NOW, audit()), 1, 1),
    ("open_transaction", None, lambda s: s.open_transaction(transaction("new")), 1, None),
    ("take_transaction", None, lambda s: s.take_transaction(AWAY, BROWSER, NOW), 1, 1),
    (
        "vouch_transaction",
        lambda s: s.take_transaction(AWAY, BROWSER, NOW),
        lambda s: s.vouch_transaction(AWAY, ALICE),
        1,
        1,
    ),
    (
        "issue_hand_over",
        _hand_over,
        lambda s: s.issue_hand_over(AWAY, BROWSER, digest("c"), NOW + 9, NOW, audit()),
        1,
        1,
    ),
    (
        "take_hand_over",
        _issued,
        lambda s: s.take_hand_over(digest("c"), HANDLE, "github", NOW),
        1,
        1,
    ),
    ("link", None, lambda s: s.link(link(), audit()), 1, 1),
    ("unlink", lambda s: s.link(link(), audit()), lambda s: s.unlink("user_1", audit()), 1, 1),
    ("bar", None, lambda s: s.bar("ag_alice", "x", NOW, audit()), 1, 1),
    ("first_sight", None, lambda s: s.first_sight("event", NOW), 1, 1),
    ("keep_session", None, lambda s: s.keep_session("ag_alice", "new", NOW), 1, 1),
    (
        "hold_kept_session",
        _remember_version,
        lambda s: s.hold_kept_session("ag_alice", _KEPT["version"], NOW, NOW + 9),
        1,
        1,
    ),
    (
        "replace_kept_session",
        _remember_version,
        lambda s: s.replace_kept_session("ag_alice", _KEPT["version"], "new", NOW),
        1,
        1,
    ),
    (
        "drop_kept_session",
        _remember_version,
        lambda s: s.drop_kept_session("ag_alice", _KEPT["version"]),
        1,
        1,
    ),
    ("add_api_key", None, lambda s: s.add_api_key(api_key("new"), audit()), 1, None),
    ("revoke_api_key", None, lambda s: s.revoke_api_key("key_reports", NOW, audit()), 1, 1),
    ("touch_api_key", None, lambda s: s.touch_api_key(api_key().key_digest, 9), 1, 1),
    ("add_usage", None, lambda s: s.add_usage([UsageRow(1, "none", "", 1, 1)]), 1, 1),
    ("record", None, lambda s: s.record(audit()), 1, 1),
    ("add_first_signing_key", None, lambda s: s.add_first_signing_key(signing_key()), 1, 1),
    ("add_signing_key", None, lambda s: s.add_signing_key(signing_key("n"), NOW, audit()), 1, None),
    (
        "supersede_signing_key",
        lambda s: s.add_first_signing_key(signing_key()),
        lambda s: s.supersede_signing_key("key-1", signing_key("n"), NOW, audit()),
        1,
        1,
    ),
    (
        "revoke_signing_key",
        lambda s: s.add_first_signing_key(signing_key()),
        lambda s: s.revoke_signing_key("key-1", NOW, signing_key("n"), NOW, audit()),
        1,
        1,
    ),
    ("forget_signing_keys", None, lambda s: s.forget_signing_keys(NOW), 1, 1),
]

READS = {
    "ping", "client", "clients", "request", "transaction", "consent", "code", "refresh_token",
    "grant", "grants", "session", "link_of", "links_to", "bar_of", "saw", "kept_session",
    "api_key", "api_keys", "usage", "account_by_email", "account", "accounts", "signing_keys",
    "audit_events", "audit_after", "last_audit_number", "clock", "pending",
}  # fmt: skip
# Opening and closing, and the sweep, which takes as many as it has kinds of rows.
OTHERS = {"open", "close", "sweep"}


async def _redeem(s: Store, name: str) -> object:
    return await s.redeem_code(
        digest(f"code-{name}"), grant(name), token(name), NOW, audit(), failure_limit=LIMIT
    )


async def _furnish(s: Store) -> None:
    await s.register_client(client(), audit())
    await s.add_account(account(), audit())
    await s.open_session(session(), audit())
    await s.keep_session("ag_alice", "sealed", NOW)
    await s.add_api_key(api_key(), audit())
    await s.open_request(replace(login(), state=None))
    await s.open_request(request(state="x"))
    await s.open_transaction(transaction())
    await begin(s, "1")
    await issue(s, "x")


@pytest.fixture
async def counted() -> AsyncIterator[tuple[PostgresStore, Counting]]:
    """A store with one connection, and what travels on it."""
    async with counting_proxy(shared().url) as (url, counts):
        store = PostgresStore(PostgresPolicy(url, new_schema(), pool=1))
        await store.open()
        await _furnish(store)
        yield store, counts
        await store.close()


@pytest.mark.parametrize(
    ("method", "before", "step", "first", "second"),
    TABLE,
    ids=[f"{i}-{row[0]}" for i, row in enumerate(TABLE)],
)
async def test_round_trips(
    counted: tuple[PostgresStore, Counting],
    method: str,
    before: Step | None,
    step: Step,
    first: int,
    second: int | None,
) -> None:
    store, counts = counted
    if before is not None:
        await before(store)
    for expected in (first,) if second is None else (first, second):
        syncs, turns = counts.syncs, counts.turns
        await step(store)
        assert (counts.syncs - syncs, counts.turns - turns) == (expected, expected), method


def test_every_writing_method_is_counted() -> None:
    def methods(of: Any) -> set[str]:
        return {name for name, value in vars(of).items() if callable(value) and name[0] != "_"}

    written = (methods(Store) | methods(KeysAndTrail)) - READS - OTHERS
    assert written == {row[0] for row in TABLE}
