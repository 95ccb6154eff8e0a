"""`authgate people disconnect`, `link`, `unlink`: what ends, what stays, what the trail says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from authgate.app import build_core, now
from authgate.protocol.records import Grant, Person, Session
from authgate.settings import load
from authgate.store.sqlite import SqliteStore
from tests.cli.conftest import PASSWORD, Operator
from tests.store.contract import samples

T = TypeVar("T")
WORKOS_ID = "user_01H7ZGXFP5C6BBQY6Z7277ZCT0"
ELSEWHERE = "8f14e45f-ceea-467f-a0e6-2d5b1b7c9f11"


def in_store(operator: Operator, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """What a server does, on the operator's store."""

    async def run() -> T:
        core = build_core(load(operator.folder / "no.env"))
        try:
            await core.store.open()
            return await work(core.store)
        finally:
            await core.close()

    return asyncio.run(run())


def connect(operator: Operator, sub: str, *names: str) -> None:
    """Live connections of a person, and a browser session."""

    async def work(store: SqliteStore) -> None:
        person, begun = Person(sub, "embedded", "shown", ("pwd",), 1), now()
        for name in names:
            issued = samples.code(name, person=person, issued_at=begun, expires_at=begun + 60)
            asked = samples.request(f"for-{name}", created_at=begun, expires_at=begun + 60)
            await store.open_request(asked)
            await store.approve(asked.request_digest, issued, None, begun, samples.audit())
            grant = replace(
                samples.grant(name, person=person), created_at=begun, expires_at=begun + 9_999
            )
            await store.redeem_code(
                issued.code_digest, grant, None, begun, samples.audit(), failure_limit=5
            )
        session = Session(samples.digest(f"session of {sub}"), person, begun, begun + 999)
        assert await store.open_session(session, samples.audit())

    in_store(operator, work)


def left(operator: Operator, sub: str) -> tuple[list[Grant], bool]:
    """The live connections of a person, and whether their browser session lives."""

    async def work(store: SqliteStore) -> tuple[list[Grant], bool]:
        session = await store.session(samples.digest(f"session of {sub}"), now())
        return list(await store.grants(sub=sub, live_at=now())), session is not None

    return in_store(operator, work)


def trail(operator: Operator, event: str) -> list[dict[str, object]]:
    done = operator.run("audit", "tail", "--once", "--json", "--since", "1h", "--event", event)
    return [json.loads(line) for line in done.out.splitlines()]


# --- connections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["address", "sub"])
def test_disconnecting(operator: Operator, by: str) -> None:
    sub, other = operator.add(), operator.add("bob@example.com")
    connect(operator, sub, "1", "2")
    connect(operator, other, "3")
    named = "ADA@example.com" if by == "address" else sub
    done = operator.run("people", "disconnect", named, "--yes")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"Disconnected ada@example.com ({sub}): 2 connections ended, and every browser session.\n"
    )
    assert left(operator, sub) == ([], False)
    grants, session = left(operator, other)
    assert ([grant.grant_id for grant in grants], session) == (["grant-3"], True)
    (told,) = trail(operator, "person.disconnect")
    assert (told["actor"], told["outcome"], told["detail"]) == ("operator", "done", {"sub": sub})
    assert operator.run("people", "list", "--json").json[0]["status"] == "active"


def test_somebody_of_another_directory(operator: Operator) -> None:
    connect(operator, ELSEWHERE, "1")
    done = operator.run("people", "disconnect", ELSEWHERE, "--yes", "--json")
    assert done.json == {"sub": ELSEWHERE, "email": None, "ended": 1}
    assert left(operator, ELSEWHERE) == ([], False)


def test_disconnecting_asks_and_knows_whom(operator: Operator) -> None:
    sub = operator.add()
    connect(operator, sub, "1")
    asked = operator.run("people", "disconnect", "ada@example.com")
    assert (asked.code, asked.out) == (2, "")
    assert "--yes" in asked.err
    for named in ("bob@example.com", "ag_nobody", "", "zwei Wörter", "x" * 300):
        done = operator.run("people", "disconnect", "--yes", "--", named)
        assert (done.code, done.out) == (1, ""), named
        assert done.err.count("\n") == 1
    assert len(left(operator, sub)[0]) == 1
    assert trail(operator, "person.disconnect") == []


# --- a new password -------------------------------------------------------------------------------


def test_a_new_password_says_what_stays(operator: Operator) -> None:
    sub = operator.add()
    set_new = ("people", "set-password", "ada@example.com", "--password-stdin")
    assert "no client of theirs is connected" in operator.run(*set_new, stdin=PASSWORD).out
    connect(operator, sub, "1")
    done = operator.run(*set_new, stdin=PASSWORD)
    assert "1 connection stayed" in done.out
    assert "authgate people disconnect ada@example.com" in done.out
    grants, session = left(operator, sub)
    assert (len(grants), session) == (1, False)
    assert operator.run(*set_new, "--json", stdin=PASSWORD).json["connections"] == 1


@pytest.mark.parametrize("as_json", [True, False])
def test_a_leaked_password(operator: Operator, as_json: bool) -> None:
    sub = operator.add()
    connect(operator, sub, "1", "2")
    more = ["--json"] if as_json else []
    done = operator.run(
        *("people", "set-password", "ada@example.com", "--password-stdin", "--disconnect", *more),
        stdin=PASSWORD,
    )
    assert done.code == 0
    if as_json:
        assert (done.json["sub"], done.json["ended"]) == (sub, 2)
    else:
        assert "2 connections ended" in done.out
    assert left(operator, sub) == ([], False)
    assert len(trail(operator, "person.set_password")) == 1
    assert len(trail(operator, "person.disconnect")) == 1


def test_a_password_that_is_refused_ends_nothing(operator: Operator) -> None:
    sub = operator.add()
    connect(operator, sub, "1")
    done = operator.run(
        *("people", "set-password", "ada@example.com", "--password-stdin", "--disconnect"),
        stdin="short",
    )
    assert done.code == 1
    grants, session = left(operator, sub)
    assert (len(grants), session) == (1, True)


# --- who a WorkOS user is -------------------------------------------------------------------------


def test_linking_by_hand(operator: Operator) -> None:
    sub = operator.add()
    done = operator.run("people", "link", WORKOS_ID, "ada@example.com", "--yes")
    assert done.out == f"{WORKOS_ID} is ada@example.com ({sub}), by the rule: operator.\n"
    again = operator.run("people", "link", WORKOS_ID, sub, "--yes", "--json")
    assert (again.json["workos_id"], again.json["sub"]) == (WORKOS_ID, sub)
    (told,) = trail(operator, "person.linked")
    assert told["actor"] == "operator"
    assert told["detail"] == {"workos": WORKOS_ID, "sub": sub, "how": "operator"}

    taken = operator.run("people", "link", WORKOS_ID, ELSEWHERE, "--yes")
    assert (taken.code, taken.out) == (1, "")
    assert f"linked to {sub}" in taken.err
    assert f"authgate people unlink {WORKOS_ID}" in taken.err


def test_unlinking_by_hand(operator: Operator) -> None:
    assert operator.run("people", "link", WORKOS_ID, ELSEWHERE, "--yes").code == 0
    connect(operator, ELSEWHERE, "1")
    done = operator.run("people", "unlink", WORKOS_ID, "--yes")
    assert f"{WORKOS_ID} is {ELSEWHERE} no more" in done.out
    assert f"authgate people disconnect {ELSEWHERE}" in done.out
    assert len(left(operator, ELSEWHERE)[0]) == 1
    assert in_store(operator, lambda store: store.link_of(WORKOS_ID)) is None
    (told,) = trail(operator, "person.unlinked")
    assert told["detail"] == {"workos": WORKOS_ID, "sub": ELSEWHERE, "reason": "operator"}
    again = operator.run("people", "unlink", WORKOS_ID, "--yes")
    assert (again.code, again.out) == (1, "")
    assert "nobody" in again.err
    assert len(trail(operator, "person.unlinked")) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("link", "01H7", ELSEWHERE, "--yes"), "looks like user_01H"),
        (("link", "user_01H7; --", ELSEWHERE, "--yes"), "looks like user_01H"),
        (("unlink", "ada@example.com", "--yes"), "looks like user_01H"),
        (("link", WORKOS_ID, "bob@example.com", "--yes"), "authgate people list"),
        (("link", WORKOS_ID, "ag_nobody", "--yes"), "authgate people list"),
    ],
)
def test_what_cannot_be_linked(operator: Operator, arguments: tuple[str, ...], words: str) -> None:
    done = operator.run("people", *arguments)
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert in_store(operator, lambda store: store.link_of(WORKOS_ID)) is None


@pytest.mark.parametrize("command", [("link", WORKOS_ID, ELSEWHERE), ("unlink", WORKOS_ID)])
def test_both_ask_first(operator: Operator, command: tuple[str, ...]) -> None:
    done = operator.run("people", *command)
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
