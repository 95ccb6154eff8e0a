"""`authgate store copy`: where from and where to, what it says, and what it never says."""

from __future__ import annotations

import os
import pty
import sqlite3
from contextlib import closing

import pytest

from authgate.store.schema import metadata
from tests import postgres
from tests.cli.conftest import Done, Operator
from tests.live import reserved_port
from tests.store.grown import grow

FACTS = {
    "source",
    "target",
    "rows",
    "copied",
    "seconds",
    "resumed",
    "left_out",
    "servers_connected",
    "secret_key",
    "tables",
}
SECRET = "hunter2-of-the-database"


@pytest.fixture
def lived(operator: Operator) -> Operator:
    """An operator whose store has a person and a signing key."""
    operator.add()
    assert operator.run("keys", "list").code == 0
    return operator


def with_password() -> str:
    return postgres.shared().url.replace("authgate@", f"authgate:{SECRET}@")


def to_postgres(operator: Operator, schema: str, *more: str) -> Done:
    return operator.run(
        "store", "copy", "--to", postgres.shared().url, "--to-schema", schema, *more
    )


def test_a_copy_told_to_programs(lived: Operator) -> None:
    schema = postgres.new_schema()
    done = to_postgres(lived, schema, "--json")
    assert done.code == 0, done.err
    found = done.json
    assert set(found) == FACTS
    assert set(found["tables"]) == set(metadata.tables)
    assert found["tables"]["accounts"]["rows"] == 1
    assert len(found["tables"]["accounts"]["sha256"]) == 64
    assert found["rows"] == found["copied"] == sum(t["rows"] for t in found["tables"].values())
    assert (found["resumed"], found["left_out"], found["secret_key"]) == (False, {}, "opens")
    assert schema in found["target"]
    again = to_postgres(lived, schema)
    assert (again.code, again.out) == (1, "")
    assert "not empty" in again.err


def test_a_copy_told_to_people(lived: Operator) -> None:
    done = lived.run("store", "copy", "--to", "sqlite:elsewhere.db")
    assert done.code == 0, done.err
    for table in metadata.tables:
        assert table in done.out
        assert f"{table}: " in done.err  # a line a table
    assert "every count and digest is the same" in done.out
    assert "Warning" not in done.err
    back = lived.run("store", "copy", "--from", "sqlite:///elsewhere.db", "--to", "sqlite:b.db")
    assert back.code == 0, back.err
    with closing(sqlite3.connect("b.db")) as db:
        assert db.execute("SELECT email FROM accounts").fetchall() == [("ada@example.com",)]


def test_an_address_in_a_file(lived: Operator) -> None:
    address, schema = lived.folder / "new-store", postgres.new_schema()
    address.write_text(with_password() + "\n")
    done = lived.run("store", "copy", "--to", "@new-store", "--to-schema", schema)
    assert done.code == 0, done.err
    assert SECRET not in done.out + done.err
    back = lived.run(
        "store", "copy", "--from", f"@{address}", "--from-schema", schema, "--to", "sqlite:c.db"
    )
    assert back.code == 0, back.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Name --from or --to"),
        (("--to", "mysql://db/authgate"), "--to: write sqlite:///PATH"),
        (("--to", "sqlite:"), "--to: write the path of a file"),
        (("--from", "@missing"), "--from: the file missing cannot be read"),
        (("--to", "sqlite:data/authgate.db"), "the same"),
        (("--to", f"postgresql://me:{SECRET}@db/authgate"), "--to @FILE"),
        (("--to", f"postgresql://me@db/authgate?password={SECRET}"), "--to @FILE"),
        (("--to", f"postgres://me:{SECRET}@[db/authgate"), "--to @FILE"),
        (("--to", "postgresql://me@db/x?nothing=such"), "take the parameter 'nothing' out"),
        (("--to", "postgresql://db/x", "--to-schema", 'a"b'), "letters, digits"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_wrong_address_is_wrong_usage(
    lived: Operator, arguments: tuple[str, ...], says: str
) -> None:
    done = lived.run("store", "copy", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert SECRET not in done.err


def test_a_broken_address_in_a_file_is_not_repeated(lived: Operator) -> None:
    (lived.folder / "broken").write_text(f"postgresql://me:{SECRET}@db:port of {SECRET}/x")
    done = lived.run("store", "copy", "--to", "@broken")
    assert (done.code, done.out) == (2, "")
    assert SECRET not in done.err


def test_nobody_there(lived: Operator) -> None:
    with reserved_port() as held:
        port = held.getsockname()[1]
        done = lived.run("store", "copy", "--to", f"postgresql://me@127.0.0.1:{port}/authgate")
    assert (done.code, done.out) == (1, "")
    assert f"127.0.0.1:{port}/authgate cannot be reached" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("state", ["missing", "does not open"])
def test_the_secret_key_has_to_go_along(lived: Operator, state: str) -> None:
    key = lived.folder / "data" / "secret.key"
    if state == "missing":
        key.unlink()
    else:
        key.write_text("another secret, of 48 characters and more or less so\n")
    done = lived.run("store", "copy", "--to", "sqlite:d.db", "--json")
    assert done.code == 0
    assert done.json["secret_key"] == state
    assert "Warning: the signing keys need the secret key" in done.err
    assert key.exists() == (state != "missing")  # none is made


def test_rows_that_postgresql_cannot_keep(lived: Operator) -> None:
    with closing(sqlite3.connect(lived.folder / "data" / "authgate.db")) as db, db:
        db.execute("INSERT INTO bars VALUES ('nul', ?, 1)", ("a\0b",))
    schema = postgres.new_schema()
    done = to_postgres(lived, schema)
    assert (done.code, done.out) == (1, "")
    assert "1 in bars" in done.err
    left = to_postgres(lived, schema, "--without-nul", "--json")
    assert left.code == 0
    assert left.json["left_out"] == {"bars": 1}
    assert "Left out: 1 row of bars" in left.err


def test_an_older_store_is_migrated_first(lived: Operator) -> None:
    with closing(sqlite3.connect(lived.folder / "data" / "authgate.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '0005'")
    done = lived.run("store", "copy", "--to", "sqlite:e.db")
    assert (done.code, done.out) == (1, "")
    assert "run authgate migrate on it first" in done.err


def test_a_bar_on_a_terminal(operator: Operator) -> None:
    """With a line for each table that is done; standard output stays for the answer."""
    grow(operator.folder / "old.db", {"grants": 4_000})
    master, slave = pty.openpty()
    with operator.start(
        *("authgate", "store", "copy", "--from", "sqlite:old.db", "--to", "sqlite:new.db"),
        "--json",
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = _all_of(master)
        assert process.stdout is not None
        assert '"rows"' in process.stdout.read()
    assert process.returncode == 0
    assert "grants: 4,011 rows, " in shown
    assert "rows/s" in shown
    assert "\x1b[" in shown


def _all_of(terminal: int) -> str:
    parts = []
    try:
        while some := os.read(terminal, 65_536):
            parts.append(some)
    except OSError:
        pass  # Linux's way to say that nobody writes any more
    finally:
        os.close(terminal)
    return b"".join(parts).decode()
