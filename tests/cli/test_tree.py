"""What all commands have in common: help, usage, settings, an empty store, and how they say no."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from authgate import __version__
from authgate.store.migrations import HEAD
from tests import postgres
from tests.cli.conftest import Operator

COMMANDS = [
    ("serve",),
    ("demo",),
    ("doctor",),
    ("migrate",),
    *(("people", name) for name in ("add", "list", "disable", "enable", "remove", "set-password")),
    *(("people", name) for name in ("disconnect", "link", "unlink")),
    *(("clients", name) for name in ("list", "show", "remove")),
    *(("keys", name) for name in ("list", "rotate", "revoke", "import")),
    *(("api-keys", name) for name in ("add", "list", "revoke")),
    *(("audit", name) for name in ("tail", "export")),
    ("rollout",),
    ("store", "copy"),
]
READING = [
    ("people", "list"),
    ("clients", "list"),
    ("keys", "list"),
    ("api-keys", "list"),
    ("rollout",),
    ("migrate",),
    ("doctor",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(operator: Operator, command: tuple[str, ...]) -> None:
    done = operator.run(*command, "--help")
    assert done.code == 0
    assert "authgate " + " ".join(command) in done.out.split("Example", 1)[1]
    assert operator.run(*command, "-h").out == done.out


def test_ctrl_c_while_the_command_is_imported_is_no_stack_trace(tmp_path: Path) -> None:
    # typer is among the first that is imported: in its place comes what Ctrl+C raises there.
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from authgate.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_groups_name_their_commands(operator: Operator) -> None:
    assert operator.run("--version").out == f"authgate {__version__}\n"
    whole = operator.run("--help").out
    for command in COMMANDS:
        assert command[0] in whole
        if command[1:]:
            assert command[1] in operator.run(command[0], "--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("people", "add"),
        ("people", "lsit"),
        ("serve", "--port", "many"),
        ("serve", "--port", "70000"),
        ("serve", "--workers", "0"),
        ("keys", "import", "missing.pem"),
        ("people", "list", "--env-file", "missing.env"),
        ("people", "add", "ada@example.com", "a-password-as-argument"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(operator: Operator, arguments: tuple[str, ...]) -> None:
    done = operator.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err
    assert not (operator.folder / "data").exists()


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_wrong_settings_are_2_and_told_together(
    operator: Operator, command: tuple[str, ...]
) -> None:
    (operator.folder / ".env").write_text("AUTHGATE_CODE_TTL=soon\nAUTHGATE_WORKERS=3\n")
    done = operator.run(*command)
    assert (done.code, done.out) == (2, "")
    assert "2 settings are wrong" in done.err
    assert "AUTHGATE_CODE_TTL: write a whole number." in done.err
    assert "AUTHGATE_WORKERS: there is no such setting" in done.err
    assert not (operator.folder / "data").exists()


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_an_empty_store_is_made_first(operator: Operator, command: tuple[str, ...]) -> None:
    first = operator.run(*command, "--json")
    assert (first.code, first.err) == (0, "")
    assert isinstance(first.json, list | dict)
    assert (operator.folder / "data" / "authgate.db").is_file()
    assert operator.run(*command, "--json").json == first.json
    assert operator.run(*command).code == 0


def test_migrate_names_the_store(operator: Operator) -> None:
    assert operator.run("migrate", "--json").json == {
        "store": str(operator.folder / "data" / "authgate.db"),
        "revision": HEAD,
    }


def test_the_env_file_decides_where(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AUTHGATE_DATA_DIR")
    (operator.folder / "production").write_text(f"AUTHGATE_DATA_DIR={operator.folder}/elsewhere\n")
    done = operator.run("migrate", "--json", "--env-file", "production")
    assert done.json["store"] == f"{operator.folder}/elsewhere/authgate.db"


def test_a_folder_that_cannot_be(operator: Operator) -> None:
    (operator.folder / "data").write_text("a file where the folder should be")
    done = operator.run("people", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "writable" in done.err


def test_a_store_that_cannot_be(operator: Operator) -> None:
    (operator.folder / "data").mkdir()
    (operator.folder / "data" / "authgate.db").write_bytes(b"This is no database. " * 99)
    done = operator.run("people", "list")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "AUTHGATE_DATA_DIR" in done.err


def test_a_database_in_trouble_is_no_folder_in_trouble(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = postgres.new_schema()
    monkeypatch.setenv("AUTHGATE_DATABASE_URL", postgres.shared().url)
    monkeypatch.setenv("AUTHGATE_DATABASE_SCHEMA", schema)
    assert operator.run("migrate").code == 0
    with psycopg.connect(postgres.shared().url) as held:
        held.execute(f"LOCK TABLE {schema}.accounts".encode())
        done = operator.run("people", "list")
    assert done.code == 1
    assert "AUTHGATE_DATABASE_URL" in done.err
    assert "AUTHGATE_DATA_DIR" not in done.err


def test_a_newer_store_is_left_alone(operator: Operator) -> None:
    import sqlite3

    assert operator.run("migrate").code == 0
    with sqlite3.connect(operator.folder / "data" / "authgate.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    tries = [operator.run("people", "list"), operator.spawn("authgate.server", "--port", "0")]
    for done in tries:
        assert (done.code, done.out) == (1, "")
        assert "newer version" in done.err


def test_serving_imports_nothing_it_does_not_need(operator: Operator) -> None:
    """The MCP SDK alone would double the cold start (the numbers are in `make bench`)."""
    heavy = {
        "mcp",
        "alembic",
        "sqlalchemy",
        "workos",
        "httpx2",
        "aiohttp",
        "authgate.cli.demo_walk",
    }
    code = "import sys, authgate.cli.serving; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=operator.env,
        cwd=operator.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) & heavy == set()


def test_a_locale_without_our_characters(operator: Operator) -> None:
    operator.env |= {"PYTHONIOENCODING": "ascii"}
    operator.add("zoë@example.com")
    table = operator.spawn("authgate", "people", "list")
    assert (table.code, table.err) == (0, "")
    assert "zo?@example.com" in table.out
    listed = operator.spawn("authgate", "people", "list", "--json")
    assert listed.json[0]["email"] == "zoë@example.com"


def test_the_ways_to_call_it(operator: Operator) -> None:
    assert operator.spawn("authgate", "--version").out == f"authgate {__version__}\n"
    done = operator.spawn("authgate.server", "--help")
    for option in ("--host", "--port", "--workers", "--env-file"):
        assert option in done.out
    script = Path(sys.executable).with_name("authgate")
    out = subprocess.run([script, "--version"], capture_output=True, text=True, check=True).stdout
    assert out == f"authgate {__version__}\n"


def test_migrate_check_changes_nothing_and_says_what_would_run(operator: Operator) -> None:
    looked = operator.run("migrate", "--check")
    assert looked.code == 1
    assert "authgate migrate would run: 0001, 0002" in looked.out
    assert operator.run("migrate", "--check", "--json").json["pending"][-1] == HEAD
    assert not (operator.folder / "data" / "authgate.db").exists()
    operator.run("migrate")
    done = operator.run("migrate", "--check")
    assert (done.code, "nothing to do" in done.out) == (0, True)
    assert operator.run("migrate", "--check", "--json").json["pending"] == []
