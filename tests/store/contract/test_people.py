"""Browser sessions, accounts of the embedded directory, signing keys, and the audit trail."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authgate.protocol.records import Approval, AuditEvent, Redemption
from authgate.store.contract import Store
from tests.store.contract.samples import (
    ALICE,
    NOW,
    RESOURCE,
    account,
    audit,
    begin,
    code,
    consent,
    issue,
    redeem,
    request,
    session,
    signing_key,
)

SESSION = session().session_digest


async def test_a_session_until_its_end(store: Store) -> None:
    await store.open_session(session(), audit("session.opened"))
    assert await store.session(SESSION, NOW) == session()
    assert await store.session(SESSION, session().expires_at - 1) == session()
    assert await store.session(SESSION, session().expires_at) is None
    assert await store.session("nothing", NOW) is None


async def test_a_session_is_closed_once(store: Store) -> None:
    await store.open_session(session(), audit())
    assert await store.close_session(SESSION, audit("session.closed"))
    assert await store.session(SESSION, NOW) is None
    assert not await store.close_session(SESSION, audit("again"))
    assert [e.event for e in await store.audit_events()] == ["session.closed", "test.event"]


async def test_an_account_by_its_address_and_by_its_sub(store: Store) -> None:
    assert await store.add_account(account(), audit("account.added"))
    assert await store.account("ag_alice") == account()
    assert await store.account_by_email("alice@example.com") == account()
    assert await store.account_by_email("Alice@Example.com") is None
    assert await store.account("ag_nobody") is None


async def test_an_address_is_taken_once(store: Store) -> None:
    assert await store.add_account(account(), audit())
    assert not await store.add_account(account("ag_other", "ALICE@example.com"), audit())
    assert await store.account("ag_other") is None
    assert len(await store.audit_events()) == 1
    with pytest.raises(Exception, match="accounts"):
        await store.add_account(account("ag_alice", "new@example.com"), audit())


async def test_accounts_by_address(store: Store) -> None:
    for sub, email in (("ag_1", "c@x"), ("ag_2", "A@x"), ("ag_3", "b@x")):
        await store.add_account(account(sub, email), audit())
    assert [a.sub for a in await store.accounts()] == ["ag_2", "ag_3", "ag_1"]


async def _signed_in(store: Store) -> None:
    await store.add_account(account(), audit())
    await store.open_session(session(), audit())
    await begin(store)
    await issue(store, "unspent")
    await store.open_request(request())
    got = await store.approve(request().request_digest, code("c"), consent(), NOW, audit())
    assert got is Approval.APPROVED


async def _is_out(store: Store, reason: str) -> None:
    found = await store.grant("grant-1")
    assert found is not None
    assert (found.revoked_at, found.revoked_reason) == (NOW + 1, reason)
    assert await store.session(SESSION, NOW) is None
    assert await redeem(store, "unspent", now=NOW + 1) is Redemption.EXPIRED


async def test_disabling_sends_the_person_away(store: Store) -> None:
    await _signed_in(store)
    assert await store.set_account_disabled("ag_alice", NOW + 1, NOW + 1, audit("off"))
    await _is_out(store, "account_disabled")
    assert await store.account("ag_alice") == account(disabled_at=NOW + 1)
    assert (await store.audit_events(limit=1))[0].event == "off"
    assert await store.set_account_disabled("ag_alice", None, NOW + 2, audit("on"))
    assert await store.account("ag_alice") == account()
    remembered = await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE)
    assert remembered == consent()


async def test_enabling_ends_nothing(store: Store) -> None:
    await _signed_in(store)
    assert await store.set_account_disabled("ag_alice", None, NOW + 1, audit())
    assert await store.session(SESSION, NOW) is not None
    found = await store.grant("grant-1")
    assert found is not None
    assert found.revoked_at is None


async def test_a_new_password_ends_sessions_and_not_grants(store: Store) -> None:
    await _signed_in(store)
    assert await store.set_account_password("ag_alice", "$new", NOW + 1, audit("password"))
    assert await store.account("ag_alice") == account(password_hash="$new")
    assert await store.session(SESSION, NOW) is None
    found = await store.grant("grant-1")
    assert found is not None
    assert found.revoked_at is None
    assert (await store.audit_events(limit=1))[0].event == "password"


async def test_a_better_hash_of_the_same_password_ends_nothing(store: Store) -> None:
    await _signed_in(store)
    events = await store.audit_events()
    old = account().password_hash
    assert await store.rehash_account_password("ag_alice", old, "$better")
    assert not await store.rehash_account_password("ag_alice", old, "$late")
    assert not await store.rehash_account_password("ag_nobody", old, "$x")
    assert await store.account("ag_alice") == account(password_hash="$better")
    assert await store.session(SESSION, NOW) is not None
    assert await store.audit_events() == events


async def test_removal_forgets_the_person(store: Store) -> None:
    await _signed_in(store)
    assert await store.remove_account("ag_alice", NOW + 1, audit("removed"))
    await _is_out(store, "account_removed")
    assert await store.account("ag_alice") is None
    assert await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE) is None
    assert (await store.audit_events(limit=1))[0].event == "removed"
    assert await store.add_account(account("ag_new"), audit())


async def test_no_such_account(store: Store) -> None:
    assert not await store.set_account_disabled("ag_nobody", NOW, NOW, audit())
    assert not await store.set_account_password("ag_nobody", "x", NOW, audit())
    assert not await store.remove_account("ag_nobody", NOW, audit())
    assert list(await store.audit_events()) == []


async def test_the_first_key_is_kept_only_if_there_is_none(store: Store) -> None:
    await asyncio.gather(*(store.add_first_signing_key(signing_key(f"k{i}")) for i in range(5)))
    kept = await store.signing_keys()
    assert len(kept) == 1
    assert kept[0] == signing_key(kept[0].kid)
    await store.add_first_signing_key(signing_key("late"))
    assert await store.signing_keys() == kept


async def test_a_new_key_retires_those_without_an_end(store: Store) -> None:
    await store.add_first_signing_key(signing_key("1"))
    second = signing_key("2", created_at=NOW + 1)
    third = signing_key("3", created_at=NOW + 2)
    await store.add_signing_key(second, NOW + 100, audit("key.added"))
    await store.add_signing_key(third, NOW + 200, audit())
    first = signing_key("1", retires_at=NOW + 100)
    second = replace(second, retires_at=NOW + 200)
    assert list(await store.signing_keys()) == [first, second, third]
    assert (await store.audit_events())[-1].event == "key.added"
    assert await store.forget_signing_keys(NOW + 99) == 0
    assert await store.forget_signing_keys(NOW + 100) == 1
    assert list(await store.signing_keys()) == [second, third]


async def test_a_revoked_key_ends_now_and_its_replacement_stays(store: Store) -> None:
    await store.add_first_signing_key(signing_key("1"))
    second = signing_key("2", created_at=NOW + 1)
    assert await store.supersede_signing_key("1", second, NOW + 500, audit())
    assert not await store.supersede_signing_key("1", signing_key("x"), NOW + 900, audit())
    assert not await store.supersede_signing_key("nobody", signing_key("x"), NOW, audit())
    third = signing_key("3", created_at=NOW + 2)
    assert await store.revoke_signing_key("2", NOW + 5, third, NOW + 100, audit("key.revoked"))
    assert not await store.revoke_signing_key("2", NOW + 5, signing_key("x"), NOW, audit())
    first = signing_key("1", retires_at=NOW + 100)
    assert list(await store.signing_keys()) == [first, replace(second, retires_at=NOW + 5), third]
    assert (await store.audit_events())[0].event == "key.revoked"
    assert await store.revoke_signing_key("1", NOW + 6, None, NOW + 100, audit())
    assert (await store.signing_keys())[0].retires_at == NOW + 6
    assert (await store.signing_keys())[-1] == third
    assert len(await store.audit_events()) == 3


async def test_the_trail_is_read_on_from_a_number(store: Store) -> None:
    assert await store.last_audit_number() == 0
    for k in range(7):
        await store.record(AuditEvent(NOW + k, f"e{k}", "ok"))
    everything = {"since": 0, "until": 2**62}
    read: list[tuple[int, AuditEvent]] = []
    while page := await store.audit_after(read[-1][0] if read else 0, limit=3, **everything):
        read += page
    assert [event.event for _, event in read] == [f"e{k}" for k in range(7)]
    assert read[-1][0] == await store.last_audit_number()
    part = await store.audit_after(0, since=NOW + 2, until=NOW + 5, limit=100)
    assert [event.event for _, event in part] == ["e2", "e3", "e4"]
    assert part == read[2:5]


async def test_the_trail_is_told_newest_first(store: Store) -> None:
    full = AuditEvent(NOW, "a", "refused", "ag_alice", "client-1", "::1", {"why": ["x"], "n": 1})
    await store.record(full)
    await store.record(AuditEvent(NOW - 9, "b", "ok"))
    assert list(await store.audit_events()) == [AuditEvent(NOW - 9, "b", "ok"), full]
    assert [e.event for e in await store.audit_events(limit=1)] == ["b"]
