"""`authgate api-keys …`: shown once, kept as a digest, and what is refused."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest

from tests.cli.conftest import Operator

FACTS = {
    "key_id",
    "name",
    "sub",
    "scope",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
}
EXISTING = "an-existing-key-of-the-upstream"


def rows(operator: Operator, table: str) -> str:
    with sqlite3.connect(operator.folder / "data" / "authgate.db") as db:
        return str(db.execute(f"SELECT * FROM {table}").fetchall())


def test_a_key_is_shown_once(operator: Operator) -> None:
    done = operator.run("api-keys", "add", "reports")
    said, value = done.out.splitlines()
    assert value.startswith("agk_")
    assert len(value) == 47
    assert "never again" in said
    (listed,) = operator.run("api-keys", "list", "--json").json
    assert set(listed) == FACTS
    assert (listed["name"], listed["scope"], listed["revoked_at"]) == ("reports", "mcp:use", None)
    for command in (("api-keys", "list"), ("api-keys", "list", "--json"), ("rollout", "--json")):
        assert value not in operator.run(*command).out
    assert value not in rows(operator, "api_keys") + rows(operator, "audit_events")
    assert "api_key.add" in rows(operator, "audit_events")


def test_everything_said_of_a_key(operator: Operator) -> None:
    operator.folder.joinpath(".env").write_text("AUTHGATE_SCOPES=mcp:use mcp:admin mcp:more\n")
    options = ("--sub", "robot:1", "--scope", "mcp:admin", "--scope", "mcp:use mcp:admin")
    made = operator.run("api-keys", "add", "x", *options, "--expires", "2099-03-31", "--json").json
    assert set(made) == FACTS | {"key"}
    assert (made["sub"], made["scope"]) == ("robot:1", "mcp:admin mcp:use")
    assert time.gmtime(made["expires_at"])[:4] == (2099, 4, 1, 0)
    everything = operator.run("api-keys", "add", "y", "--json").json
    assert everything["scope"] == "mcp:use mcp:admin mcp:more"
    out = operator.run("api-keys", "list").out
    assert "works until 2099" in out
    assert "robot:1" in out


def test_an_existing_key_comes_by_standard_input(operator: Operator) -> None:
    done = operator.run("api-keys", "add", "old", "--existing-stdin", stdin=EXISTING + "\n")
    assert done.code == 0
    assert EXISTING not in done.out + done.err
    again = operator.run("api-keys", "add", "new", "--existing-stdin", stdin=EXISTING)
    assert (again.code, again.out) == (1, "")
    assert "here already" in again.err
    made = operator.run("api-keys", "add", "n", "--existing-stdin", "--json", stdin="x" * 20)
    assert set(made.json) == FACTS
    assert EXISTING not in rows(operator, "api_keys")


@pytest.mark.parametrize(
    "key", ["", "too-few", "a key with spaces in it", "ä" * 30, "x" * 1025, b"\xff" * 40], ids=repr
)
def test_what_is_no_key(operator: Operator, key: str | bytes) -> None:
    done = operator.run("api-keys", "add", "x", "--existing-stdin", stdin=key)
    assert (done.code, done.out) == (2, "")
    assert "visible ASCII" in done.err
    if isinstance(key, str) and key:
        assert key not in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--expires", "soon"), "2027-03-31"),
        (("--expires", "2020-01-01"), "over already"),
        (("--expires", "9999-12-31"), "2027-03-31"),
        (("--scope", "mcp:root"), "AUTHGATE_SCOPES has: mcp:use"),
        (("--sub", "a\x1b[2Jb"), "printable"),
        (("--sub", ""), "printable"),
    ],
    ids=str,
)
def test_what_is_wrong_usage(operator: Operator, options: tuple[str, str], said: str) -> None:
    done = operator.run("api-keys", "add", "x", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert operator.run("api-keys", "list", "--json").json == []


def test_revoking(operator: Operator) -> None:
    first = operator.run("api-keys", "add", "reports", "--json").json
    second = operator.run("api-keys", "add", "reports", "--json").json
    twice = operator.run("api-keys", "revoke", "reports", "--yes")
    assert twice.code == 1
    assert "2 keys are called" in twice.err
    nobody = operator.run("api-keys", "revoke", "reports")
    assert nobody.code != 0  # there is no terminal to ask on
    gone = operator.run("api-keys", "revoke", first["key_id"], "--yes", "--json").json
    assert gone["revoked_at"]
    assert "revoked before" in operator.run("api-keys", "revoke", first["key_id"], "--yes").err
    assert operator.run("api-keys", "revoke", "reports", "--yes").out.startswith("Revoked the key")
    assert "no such API key" in operator.run("api-keys", "revoke", "reports", "--yes").err
    listed = operator.run("api-keys", "list", "--json").json
    assert {key["key_id"] for key in listed} == {first["key_id"], second["key_id"]}
    assert all(key["revoked_at"] for key in listed)
    assert json.loads(json.dumps(listed)) == listed
    assert "api_key.revoke" in rows(operator, "audit_events")


def test_an_empty_list_says_so(operator: Operator) -> None:
    assert operator.run("api-keys", "list").out == "There is no API key.\n"
