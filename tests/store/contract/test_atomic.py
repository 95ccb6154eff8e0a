"""A step that fails in its middle leaves nothing behind, harms no neighbour, and can come again.

Each step is run once for each statement that follows its deciding one, with that statement made to
fail. (A fault planted in a table is no `StoreUnavailable`: it must stay loud.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from authgate.protocol.records import UsageRow
from authgate.store.contract import Store
from tests.store.contract.engines import Engine
from tests.store.contract.samples import (
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
    grant,
    issue,
    link,
    login,
    person,
    request,
    session,
    signing_key,
    token,
)

Step = Callable[[Store], Awaitable[object]]

STEPS: dict[str, Step] = {
    "register_client": lambda s: s.register_client(client("new"), audit()),
    "remove_client": lambda s: s.remove_client("client-1", NOW, audit()),
    "approve": lambda s: s.approve(
        request().request_digest, code("new"), consent(scopes=()), NOW, audit()
    ),
    "deny": lambda s: s.deny(request().request_digest, NOW, audit()),
    "redeem": lambda s: s.redeem_code(
        code("unspent").code_digest,
        grant("unspent"),
        token("unspent"),
        NOW,
        audit(),
        failure_limit=LIMIT,
    ),
    "replay_code": lambda s: s.redeem_code(
        code("1").code_digest, grant("1"), token("1", 5), NOW, audit(), failure_limit=LIMIT
    ),
    "rotate": lambda s: s.rotate_refresh_token(
        token("1").token_digest, token("1", 1), NOW + 9, NOW, GRACE, audit()
    ),
    "replay_refresh": lambda s: s.rotate_refresh_token(
        token("2").token_digest, token("2", 1), NOW + 9, NOW + GRACE + 1, GRACE, audit()
    ),
    "end_grant": lambda s: s.end_grant("grant-1", "x", NOW, audit()),
    "end_grants_of": lambda s: s.end_grants_of("ag_alice", "x", NOW, audit()),
    "open_session": lambda s: s.open_session(session("new"), audit()),
    "open_barred_session": lambda s: s.open_session(
        session("bobs", person=person("ag_bob")), audit()
    ),
    "close_sessions_of": lambda s: s.close_sessions_of("ag_alice", audit()),
    "link": lambda s: s.link(link("user_new"), audit()),
    "unlink": lambda s: s.unlink("user_1", audit()),
    "bar": lambda s: s.bar("ag_alice", "x", NOW, audit()),
    "close_session": lambda s: s.close_session(session().session_digest, audit()),
    "add_api_key": lambda s: s.add_api_key(api_key("new"), audit()),
    "revoke_api_key": lambda s: s.revoke_api_key(api_key().key_id, NOW, audit()),
    "reopen_login": lambda s: s.reopen_login(login().request_digest, NOW, audit()),
    "add_signing_key": lambda s: s.add_signing_key(signing_key("new"), NOW, audit()),
    "supersede_signing_key": lambda s: s.supersede_signing_key(
        "key-1", signing_key("new"), NOW, audit()
    ),
    "revoke_signing_key": lambda s: s.revoke_signing_key(
        "key-1", NOW, signing_key("new"), NOW, audit()
    ),
    "add_account": lambda s: s.add_account(account("ag_new", "new@x"), audit()),
    "disable": lambda s: s.set_account_disabled("ag_alice", NOW, NOW, audit()),
    "password": lambda s: s.set_account_password("ag_alice", "$new", NOW, audit()),
    "remove_account": lambda s: s.remove_account("ag_alice", NOW, audit()),
}

# Nothing is told of these: the person did nothing.
SILENT: dict[str, Step] = {
    "keep_session": lambda s: s.keep_session("ag_alice", "sealed-new", NOW),
    # The first row is new; the second is added to, and fails.
    "add_usage": lambda s: s.add_usage(
        [UsageRow(1, "ours", "", 1, 0), UsageRow(1, "none", "", 1, 1)]
    ),
}

FAULTS: list[tuple[str, str, str]] = [
    *((step, "INSERT", "audit_events") for step in STEPS),
    ("remove_client", "UPDATE", "grants"),
    ("remove_client", "UPDATE", "codes"),
    ("remove_client", "DELETE", "consents"),
    ("approve", "INSERT", "codes"),
    ("approve", "UPDATE", "consents"),
    ("redeem", "INSERT", "grants"),
    ("redeem", "INSERT", "refresh_tokens"),
    ("redeem", "UPDATE", "clients"),
    ("replay_code", "UPDATE", "grants"),
    ("rotate", "INSERT", "refresh_tokens"),
    ("rotate", "UPDATE", "grants"),
    ("rotate", "UPDATE", "clients"),
    ("replay_refresh", "UPDATE", "grants"),
    ("end_grants_of", "UPDATE", "codes"),
    ("end_grants_of", "DELETE", "sessions"),
    ("end_grants_of", "INSERT", "bars"),
    ("open_barred_session", "DELETE", "bars"),
    ("bar", "DELETE", "sessions"),
    ("keep_session", "INSERT", "kept_sessions"),
    ("add_usage", "UPDATE", "usage_counts"),
    ("add_signing_key", "INSERT", "signing_keys"),
    ("supersede_signing_key", "INSERT", "signing_keys"),
    ("revoke_signing_key", "INSERT", "signing_keys"),
    ("disable", "UPDATE", "grants"),
    ("disable", "DELETE", "sessions"),
    ("disable", "INSERT", "bars"),
    ("password", "DELETE", "sessions"),
    ("remove_account", "UPDATE", "grants"),
    ("remove_account", "DELETE", "consents"),
    ("remove_account", "INSERT", "bars"),
    ("remove_account", "DELETE", "kept_sessions"),
]


async def _furnish(store: Store) -> None:
    await store.add_account(account(), audit())
    await store.open_session(session(), audit())
    await store.bar("ag_bob", "x", NOW - 1, audit())
    await store.link(link(), audit())
    await store.keep_session("ag_alice", "sealed", NOW)
    await store.add_api_key(api_key(), audit())
    await store.add_usage([UsageRow(1, "none", "", 1, 1)])
    await store.open_request(login())
    await store.deny(login().request_digest, NOW, audit())
    await store.add_first_signing_key(signing_key())
    for name in ("1", "2"):
        await begin(store, name)
    await store.rotate_refresh_token(
        token("2").token_digest, token("2", 1), NOW + 9, NOW, GRACE, audit()
    )
    await issue(store, "unspent")
    await store.open_request(request("consented"))
    await store.approve(
        request("consented").request_digest, code("consented"), consent(), NOW, audit()
    )
    await store.open_request(request())
    # Last, and so not stamped as used yet: the stamp is one more statement that can fail.
    await store.register_client(client(), audit())


@pytest.mark.parametrize(("step", "verb", "table"), FAULTS)
async def test_all_or_nothing(
    engine: Engine, store: Store, step: str, verb: str, table: str
) -> None:
    await _furnish(store)
    before = engine.rows()
    with engine.failing(verb, table):
        with pytest.raises(Exception, match="planted fault"):
            await (STEPS | SILENT)[step](store)
        assert engine.rows() == before
    await (STEPS | SILENT)[step](store)
    assert engine.rows() != before


async def test_a_failing_neighbour_harms_nobody(engine: Engine, store: Store) -> None:
    """Steps that share a transaction are still each their own."""
    await store.register_client(client("taken"), audit())
    steps = [
        store.register_client(client("taken" if i % 5 == 0 else f"c{i}"), audit())
        for i in range(30)
    ]
    answers = await asyncio.gather(*steps, return_exceptions=True)
    assert [i for i, answer in enumerate(answers) if answer is not None] == list(range(0, 30, 5))
    assert len(await store.clients()) == 25
    assert len(await store.audit_events()) == 25
