"""`authgate audit …`: what is told, from when, and where it goes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
from pathlib import Path

import pytest

from authgate.cli import audit
from authgate.cli.audit import LATE, MOST, Following
from tests.cli.conftest import Operator

FACTS = {"at", "event", "outcome", "actor", "client_id", "address", "detail"}


def events(out: str) -> list[str]:
    return [json.loads(line)["event"] for line in out.splitlines()]


def planted(operator: Operator, *rows: tuple[int, str, str | None, str | None]) -> None:
    """Events that happened long ago, on an empty trail."""
    assert operator.run("migrate").code == 0
    with sqlite3.connect(operator.folder / "data" / "authgate.db") as db:
        db.executemany(
            "INSERT INTO audit_events (at, event, outcome, actor, client_id, detail) "
            "VALUES (?, ?, 'done', ?, ?, '{\"n\": 1}')",
            rows,
        )
    db.close()


def test_what_an_operator_did_is_told(operator: Operator) -> None:
    operator.add()
    operator.run("keys", "rotate")
    done = operator.run("audit", "tail", "--once", "--json")
    assert events(done.out) == ["person.add", "keys.rotate"]
    assert all(set(json.loads(line)) == FACTS for line in done.out.splitlines())
    told = operator.run("audit", "tail", "--once").out.splitlines()
    assert "person.add done actor=operator" in told[0]


def test_the_tail_is_the_last_ten(operator: Operator) -> None:
    planted(operator, *((k, f"e{k}", None, None) for k in range(1, 31)))
    done = operator.run("audit", "tail", "--once", "--json")
    assert events(done.out) == [f"e{k}" for k in range(21, 31)]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--since", "1970-01-02"), ["b", "c", "d"]),
        (("--since", "1970-01-02T00:00:01"), ["c", "d"]),
        (("--since", "30m"), []),
        (("--since", "1970-01-01", "--event", "c"), ["c"]),
        (("--since", "1970-01-01", "--person", "ag_ada"), ["a", "c"]),
        (("--since", "1970-01-01", "--client", "one"), ["c", "d"]),
        (("--since", "1970-01-01", "--client", "one", "--person", "ag_ada"), ["c"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_asked_for(operator: Operator, options: tuple[str, ...], told: list[str]) -> None:
    planted(
        operator,
        (1, "a", "ag_ada", None),
        (86_400, "b", None, None),
        (86_401, "c", "ag_ada", "one"),
        (86_402, "d", None, "one"),
    )
    assert events(operator.run("audit", "tail", "--once", "--json", *options).out) == told


def test_what_is_written_later_is_told_until_ctrl_c(operator: Operator) -> None:
    operator.run("migrate")
    with operator.start("authgate", "audit", "tail", "--json") as process:
        try:
            operator.add()
            assert process.stdout is not None
            assert events(process.stdout.readline()) == ["person.add"]
            os.kill(process.pid, signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_an_export_is_whole_and_read_in_pages(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 7)
    planted(operator, *((k, f"e{k}", None, None) for k in range(1, 31)))
    every = [f"e{k}" for k in range(1, 31)]
    done = operator.run("audit", "export")
    assert (done.code, events(done.out), done.err) == (0, every, "30 events.\n")
    kept = operator.folder / "trail.jsonl"
    assert operator.run("audit", "export", str(kept)).out == ""
    assert kept.read_text() == done.out
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    again = operator.run("audit", "export", str(kept))
    assert (again.code, again.out) == (1, "")
    assert kept.read_text() == done.out
    part = operator.run(
        *("audit", "export", "--since", "1970-01-01T00:00:05"),
        *("--until", "1970-01-01T00:00:08"),
    )
    assert events(part.out) == ["e5", "e6", "e7"]


@pytest.mark.parametrize("when", ["soon", "7x", "2027-13-01", "", "9999999999999d"])
def test_what_is_no_time(operator: Operator, when: str) -> None:
    done = operator.run("audit", "export", "--since", when)
    assert (done.code, done.out) == (2, "")
    assert "no time" in done.err


def test_what_a_stranger_named_does_not_speak_to_the_terminal(operator: Operator) -> None:
    planted(operator, (1, "e", "\x1b[2J\nfake line", "é"))
    told = operator.run("audit", "tail", "--once").out
    assert told.count("\n") == 1
    assert "\x1b" not in told


def test_a_file_that_cannot_be_written(operator: Operator, tmp_path: Path) -> None:
    done = operator.run("audit", "export", str(tmp_path / "nowhere" / "trail.jsonl"))
    assert done.code == 1
    assert done.err.count("\n") == 1


def test_an_event_that_is_committed_late_is_told_late_and_once() -> None:
    """On PostgreSQL a number is given before the commit, and a greater one may be seen first."""
    following = Following(7)
    assert [following.is_new(number, 100.0) for number in (8, 10)] == [True, True]
    following.forget(100.0 + LATE - 0.1)
    assert following.begin == 7
    assert [following.is_new(number, 109.9) for number in (8, 9, 10)] == [False, True, False]
    following.forget(100.0 + LATE)
    assert following.begin == 10
    assert following.is_new(11, 111.0)
    following.forget(200.0)
    assert following.begin == 11


def test_a_long_trail_is_not_remembered_as_a_whole() -> None:
    following = Following(0)
    assert all(following.is_new(number, 1.0) for number in range(1, 3 * MOST))
    assert 2 * MOST < following.begin < 3 * MOST
    assert not following.is_new(3 * MOST - 1, 1.0)
