"""The judge of a soak is judged: each wrong answer and each broken bound is found."""

from __future__ import annotations

import dataclasses

import pytest

from soak.book import Act, Book, Wanted
from soak.processes import Taken
from soak.verdict import FILES, LIMIT_KEYS, Growth, Verdict
from soak.watch import Look
from soak.wire import Reply

WANTED = Wanted(200, b"yes")
NODE = (1, 4711)


@pytest.mark.parametrize(
    ("reply", "errors"),
    [
        (Reply(200, body=b"yes"), 0),
        (Reply(200, body=b"no"), 1),
        (Reply(503, body=b"temporarily_unavailable"), 1),
        (Reply(401, body=b"yes"), 1),
        (Reply(lost="cut"), 1),
    ],
)
async def test_an_answer_that_is_not_the_one_that_is_due_is_an_error(
    reply: Reply, errors: int
) -> None:
    async def answer() -> Reply:
        return reply

    book = Book()
    given = await book.answered("refresh", answer(), WANTED)
    assert (book.errors, given is None) == (errors, bool(errors))
    assert [act.right for act in book.acts] == [not errors]
    assert len(book.examples) == errors


async def test_an_example_shows_no_token() -> None:
    async def answer() -> Reply:
        return Reply(200, body=b'{"refresh_token": "very-secret"}')

    book = Book()
    await book.answered("refresh", answer(), Wanted(200, b'"access_token"'))
    assert "very-secret" not in book.examples[0]


def look(at: float, mib: float = 100.0, files: int = 20, **more: int) -> Look:
    held = {"connections": 9, "limit_keys": 9, "bytes": 1, **more}
    return Look(at, {NODE: Taken(mib, files, at)}, **held, cpu={"PostgreSQL": at / 2})


def verdict(looks: list[Look], **more: object) -> Verdict:
    counted = {"commits": 1, "rollbacks": 0, "deadlocks": 0, "wal": 1}
    found = Verdict(600, 1, 1, Book(), looks, database=counted, most_connections=12)
    return dataclasses.replace(found, **more)


STILL = [look(at) for at in range(0, 600, 5)]


def test_what_holds_still_is_sound() -> None:
    found = verdict(STILL, growth=[Growth("grants", (1, 4), 3, (1, 2))])
    assert (found.broken, found.sound) == ([], True)
    assert found.cores() == pytest.approx({"PostgreSQL": 0.5, "nodes": 1.0})


def test_a_password_that_is_hashed_is_no_leak() -> None:
    hashing = [look(at, 164 if at > 500 and at % 10 else 100) for at in range(0, 600, 5)]
    assert verdict(hashing).sound


def test_a_start_that_fills_caches_is_no_leak() -> None:
    assert verdict([look(at, min(100, 40 + at)) for at in range(0, 600, 5)]).sound


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (verdict([look(at, 100 + at / 20) for at in range(0, 600, 5)]), "memory"),
        (verdict([*STILL, look(600, files=20 + FILES + 1)]), "open files"),
        (verdict([*STILL, look(600, limit_keys=LIMIT_KEYS + 1)]), "Redis"),
        (verdict([*STILL, look(600, connections=13)]), "connections"),
        (verdict(STILL, growth=[Growth("codes", (1, 5), 3, (1, 2))]), "rows of codes: 1"),
        (verdict(STILL, growth=[Growth("codes", (1, 3), 3, (1, 2))]), "rows of codes: 1 that"),
        (verdict(STILL, overdue={"sessions": 3}), "sweep of sessions"),
        (verdict(STILL, database={"deadlocks": 1}), "deadlocks"),
        (verdict(STILL, database={"rollbacks": 1}), "rollbacks"),
    ],
)
def test_what_grows_without_a_bound_is_found(found: Verdict, says: str) -> None:
    assert not found.sound
    assert [what for what in found.broken if what.startswith(says) or says in what]
    assert len(found.broken) == 1


def test_latency_is_compared_between_the_first_and_the_last_fifth() -> None:
    book = Book()
    book.acts += [Act("call", at, 0.001 if at < 300 else 0.004, "200", True) for at in range(600)]
    assert verdict(STILL, book=book).drift("call") == pytest.approx((1, 1, 4, 4))
