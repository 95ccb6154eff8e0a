"""Authorization requests and consents: answered once, in time, with all that belongs to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from authgate.protocol.records import Approval, AuthorizationRequest
from authgate.store.contract import Store
from tests.store.contract.samples import (
    ALICE,
    NOW,
    RESOURCE,
    audit,
    code,
    consent,
    factor,
    login,
    request,
)

END = request().expires_at
HANDLE = request().request_digest


@pytest.mark.parametrize(
    "kept",
    [
        request(),
        request(kind="tool", state=None, browser_digest=None, cross_site=False, prompt=()),
        request(state="", scopes=()),
        request(state="x" * 10_000),
        request(factor=factor(failures=3)),
        login(),
    ],
    ids=["browser", "tool", "empty", "long", "factor", "login"],
)
async def test_comes_back_as_it_was(store: Store, kept: AuthorizationRequest) -> None:
    await store.open_request(kept)
    assert await store.request(kept.request_digest) == kept


async def test_unknown(store: Store) -> None:
    assert await store.request("nothing") is None
    assert await store.approve("nothing", code(), None, NOW, audit()) is Approval.EXPIRED
    assert await store.deny("nothing", NOW, audit()) is Approval.EXPIRED
    assert await store.code(code().code_digest) is None


async def test_approval_keeps_the_code_and_what_was_allowed(store: Store) -> None:
    await store.open_request(request())
    got = await store.approve(HANDLE, code(), consent(), NOW + 1, audit("request.approved"))
    assert got is Approval.APPROVED
    assert await store.request(HANDLE) == replace(request(), answered_at=NOW + 1)
    assert await store.code(code().code_digest) == code()
    assert await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE) == consent()
    assert [e.event for e in await store.audit_events()] == ["request.approved"]


@pytest.mark.parametrize("first", ["approve", "deny"])
async def test_answered_once(store: Store, first: str) -> None:
    await store.open_request(request())
    if first == "approve":
        assert await store.approve(HANDLE, code(), None, NOW, audit()) is Approval.APPROVED
    else:
        assert await store.deny(HANDLE, NOW, audit("request.denied")) is Approval.APPROVED
    again = await store.approve(HANDLE, code("2"), consent(), NOW, audit())
    assert again is Approval.ALREADY_ANSWERED
    assert await store.deny(HANDLE, NOW, audit()) is Approval.ALREADY_ANSWERED
    # Answered stays answered, also after its end: the person is told the right thing.
    assert await store.deny(HANDLE, END, audit()) is Approval.ALREADY_ANSWERED
    assert await store.code(code("2").code_digest) is None
    assert await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE) is None
    assert len(await store.audit_events()) == 1


async def test_the_end_is_the_first_moment_too_late(store: Store) -> None:
    await store.open_request(request())
    assert await store.approve(HANDLE, code(), None, END, audit()) is Approval.EXPIRED
    assert await store.deny(HANDLE, END, audit()) is Approval.EXPIRED
    assert await store.approve(HANDLE, code(), None, END - 1, audit()) is Approval.APPROVED


async def test_a_consent_replaces_the_one_before(store: Store) -> None:
    wider = consent(scopes=("mcp:use", "mcp:admin"), granted_at=NOW + 9)
    elsewhere = consent(redirect_host="app.example")
    for name, given in (("1", consent()), ("2", elsewhere), ("3", wider)):
        await store.open_request(request(name))
        got = await store.approve(request(name).request_digest, code(name), given, NOW, audit())
        assert got is Approval.APPROVED
    assert await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE) == wider
    assert await store.consent(ALICE.sub, "client-1", "app.example", RESOURCE) == elsewhere
    for other in (("x", "client-1"), (ALICE.sub, "x")):
        assert await store.consent(*other, "127.0.0.1", RESOURCE) is None
    assert await store.consent(ALICE.sub, "client-1", "127.0.0.1", RESOURCE + "/") is None


async def test_a_login_of_no_client_is_answered_as_any_request(store: Store) -> None:
    asked = login()
    await store.open_request(asked)
    assert await store.await_factor(asked.request_digest, factor(), NOW)
    assert await store.settle_factor(asked.request_digest, factor().sealed)
    assert await store.deny(asked.request_digest, NOW + 1, audit()) is Approval.APPROVED
    assert await store.deny(asked.request_digest, NOW + 1, audit()) is Approval.ALREADY_ANSWERED
    assert await store.request(asked.request_digest) == replace(asked, answered_at=NOW + 1)
    assert "sealed-name" not in repr(asked)


async def test_the_answer_to_a_login_is_taken_back_once(store: Store) -> None:
    asked = login()
    await store.open_request(asked)
    assert not await store.reopen_login(asked.request_digest, NOW, audit("reopened"))
    await store.deny(asked.request_digest, NOW + 1, audit("answered"))
    assert not await store.reopen_login(asked.request_digest, NOW, audit("reopened"))
    again = await asyncio.gather(
        *(store.reopen_login(asked.request_digest, NOW + 1, audit("reopened")) for _ in range(50))
    )
    assert again.count(True) == 1
    assert await store.request(asked.request_digest) == asked
    assert [e.event for e in await store.audit_events()] == ["reopened", "answered"]
    assert await store.deny(asked.request_digest, NOW + 2, audit()) is Approval.APPROVED
    assert not await store.reopen_login(asked.request_digest, NOW + 1, audit())


@pytest.mark.parametrize("kind", ["browser", "tool"])
async def test_no_other_answer_is_taken_back(store: Store, kind: str) -> None:
    await store.open_request(request(kind=kind))
    assert await store.approve(HANDLE, code(), None, NOW, audit()) is Approval.APPROVED
    assert not await store.reopen_login(HANDLE, NOW, audit())
    assert not await store.reopen_login("nothing", NOW, audit())
    assert await store.deny(HANDLE, NOW, audit()) is Approval.ALREADY_ANSWERED
