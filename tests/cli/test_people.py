"""`authgate people …` on the operator's side; what it does to a running server is in test_serve."""

from __future__ import annotations

import os
import pty
import re

import pytest

from tests.cli.conftest import PASSWORD, Operator

FACTS = {"sub", "email", "status", "created_at", "disabled_at"}


def test_a_persons_life(operator: Operator) -> None:
    sub = operator.add("Ada@Example.com")
    assert re.fullmatch(r"ag_[\w-]{22,}", sub)
    (person,) = operator.run("people", "list", "--json").json
    assert set(person) == FACTS
    assert (person["sub"], person["email"]) == (sub, "Ada@Example.com")
    assert (person["status"], person["disabled_at"]) == ("active", None)

    disabled = operator.run("people", "disable", "ada@example.com", "--json").json
    assert disabled["status"] == "disabled"
    assert isinstance(disabled["disabled_at"], int)
    assert "disabled" in operator.run("people", "list").out

    enabled = operator.run("people", "enable", "ADA@example.com", "--json").json
    assert (enabled["status"], enabled["disabled_at"]) == ("active", None)

    assert operator.run("people", "remove", "ada@example.com", "--yes", "--json").json == enabled
    assert operator.run("people", "list", "--json").json == []
    assert operator.add("ada@example.com") != sub  # an identifier is never given out again


def test_for_people_there_are_sentences_and_a_table(operator: Operator) -> None:
    assert "people add" in operator.run("people", "list").out
    done = operator.run("people", "add", "ada@example.com", "--password-stdin", stdin=PASSWORD)
    assert re.fullmatch(r"Added ada@example\.com \(ag_[\w-]+\)\.\n", done.out)
    out = operator.run("people", "list").out
    assert "ada@example.com" in out
    assert "active" in out


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [
        ("ada", PASSWORD, "not an e-mail address"),
        ("ada@example.com\n", PASSWORD, None),
        ("a\u202eda@example.com", PASSWORD, "not an e-mail address"),
        ("ada@example.com", "short", "12 characters"),
        ("ada@example.com", "", "12 characters"),
        ("ada@example.com", "ada@example.com", "must not be"),
        ("ada@example.com", "aaaaaaaaaaaaaaaa", "repeats itself"),
        ("ada@example.com", "first line 123\nsecond line 456", "more than one line"),
        ("ada@example.com", b"\xff\xfe not text at all", "UTF-8"),
        ("ada@example.com", "x1y2z3" * 400, "too long"),
    ],
)
def test_what_cannot_be_added(
    operator: Operator, email: str, password: str | bytes, words: str | None
) -> None:
    done = operator.run("people", "add", email, "--password-stdin", stdin=password)
    if words is None:  # blanks around an address are a slip of the shell, not a mistake
        assert done.code == 0
        return
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert done.err.count("\n") == 1
    assert operator.run("people", "list", "--json").json == []


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_end_does_not_belong_to_the_password(operator: Operator, end: str) -> None:
    typed = operator.run(
        "people", "add", "a@example.com", "--password-stdin", stdin="elevenchars" + end
    )
    assert typed.code == 1
    assert "12 characters" in typed.err


def test_an_address_is_taken_once(operator: Operator) -> None:
    operator.add("ada@example.com")
    again = operator.run("people", "add", "ADA@EXAMPLE.COM", "--password-stdin", stdin=PASSWORD)
    assert again.code == 1
    assert "already" in again.err


@pytest.mark.parametrize("command", ["disable", "enable", "remove", "set-password"])
def test_nobody_there(operator: Operator, command: str) -> None:
    more = {"remove": ["--yes"], "set-password": ["--password-stdin"]}.get(command, [])
    done = operator.run("people", command, "bob@example.com", *more, stdin=PASSWORD)
    assert (done.code, done.out) == (1, "")
    assert "authgate people list" in done.err


def test_removing_asks_and_without_a_terminal_refuses(operator: Operator) -> None:
    operator.add()
    done = operator.run("people", "remove", "ada@example.com", stdin="y\n")
    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert len(operator.run("people", "list", "--json").json) == 1


def test_a_password_is_asked_for_on_a_terminal_only(operator: Operator) -> None:
    done = operator.run("people", "add", "ada@example.com", stdin=PASSWORD)
    assert (done.code, done.out) == (2, "")
    assert "--password-stdin" in done.err


def test_a_new_password(operator: Operator) -> None:
    sub = operator.add()
    done = operator.run(
        "people", "set-password", "ada@example.com", "--password-stdin", "--json", stdin="x" * 11
    )
    assert done.code == 1
    done = operator.run(
        "people", "set-password", "ada@example.com", "--password-stdin", "--json", stdin=PASSWORD
    )
    assert done.json["sub"] == sub


# --- on a terminal --------------------------------------------------------------------------------


class Terminal:
    """A command with a terminal before it, and somebody who reads it and types."""

    def __init__(self, operator: Operator, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = operator.start(
            "authgate", *arguments, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.seen = ""

    def until(self, words: str) -> None:
        while words not in self.seen:
            try:
                self.seen += os.read(self._ours, 4096).decode()
            except OSError:  # the other side is gone
                raise AssertionError(f"{words!r} never came: {self.seen}") from None

    def type(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\n")

    def end(self) -> int:
        try:
            while text := os.read(self._ours, 4096):
                self.seen += text.decode()
        except OSError:
            pass
        os.close(self._ours)
        return self.process.wait(20)


@pytest.mark.parametrize(("second", "code"), [(PASSWORD, 0), (PASSWORD + "x", 1)])
def test_a_terminal_is_asked_twice_and_shows_nothing(
    operator: Operator, second: str, code: int
) -> None:
    terminal = Terminal(operator, "people", "add", "ada@example.com")
    terminal.until("Password for ada@example.com: ")
    terminal.type(PASSWORD)
    terminal.until("once more: ")
    terminal.type(second)
    assert terminal.end() == code, terminal.seen
    assert PASSWORD not in terminal.seen
    assert ("Added" in terminal.seen) == (code == 0)


@pytest.mark.parametrize(("word", "code", "left"), [("n", 1, 1), ("y", 0, 0)])
def test_removing_asks_on_a_terminal(operator: Operator, word: str, code: int, left: int) -> None:
    operator.add()
    terminal = Terminal(operator, "people", "remove", "ada@example.com")
    terminal.until("[y/N]: ")
    terminal.type(word)
    assert terminal.end() == code, terminal.seen
    assert len(operator.run("people", "list", "--json").json) == left


def test_the_password_is_nowhere_in_the_arguments(operator: Operator) -> None:
    """There is no option that would take one."""
    for option in ("--password", "-p"):
        done = operator.run("people", "add", "ada@example.com", option, PASSWORD)
        assert done.code == 2


def test_piped_output_is_json_alone(operator: Operator) -> None:
    """A real process with real pipes: nothing but the document on standard output."""
    operator.add()
    done = operator.spawn("authgate", "people", "list", "--json")
    assert done.code == 0
    assert done.err == ""
    assert [person["email"] for person in done.json] == ["ada@example.com"]
