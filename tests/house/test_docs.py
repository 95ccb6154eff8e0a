"""The docs say what the code does: every setting, command, route, error code, table and tool."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer

from authgate.app import build
from authgate.cli.tree import tree
from authgate.protocol.faces import FACES
from authgate.protocol.reasons import Reason
from authgate.settings import Settings, environment_names, secret_files
from authgate.store.schema import metadata
from tests.house.reading import DOCS, ROOT, SOURCE, all_docs, first_cells, pages, python_files

EXAMPLE = (ROOT / ".env.example").read_text()
SETTINGS = sorted(environment_names())


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "settings.md").read_text()
    assert re.search(rf"^#?{name}=", EXAMPLE, re.MULTILINE)
    assert environment_names()[name] in EXAMPLE


def test_no_setting_is_documented_that_does_not_exist() -> None:
    in_example = re.findall(r"^#?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(in_example) == SETTINGS
    shown = {
        name for cell in first_cells(DOCS / "settings.md") for name in re.findall(r"\w+", cell)
    }
    assert {name for name in shown if name.isupper()} == set(SETTINGS)
    # those for tests are no settings; the tests that read them know their names
    named = set(re.findall(r"AUTHGATE_(?!TEST_)[A-Z_]+[A-Z]\b(?!_)", all_docs()))
    # what a stdio program is told in its environment is no setting either
    told = {"AUTHGATE_LIMIT", "AUTHGATE_SUBJECT", "AUTHGATE_CLIENT"}
    assert named <= {*SETTINGS, *secret_files.names(), *told}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_default_in_the_docs_is_the_default(name: str) -> None:
    field = next(f for f in Settings.model_fields.values() if f.validation_alias == name)
    if isinstance(field.default, bool):
        shown = str(field.default).lower()
    elif isinstance(field.default, tuple):
        shown = " ".join(field.default)
    else:
        shown = "" if field.default is None else str(field.default)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    shown = str(extra.get("shown", shown))
    assert re.search(rf"^#?{name}={re.escape(shown)}$", EXAMPLE, re.MULTILINE)
    cell = f"`{shown}`" if shown else "–"
    assert f"| `{name}` | {cell} |" in (DOCS / "settings.md").read_text()


# --- commands -------------------------------------------------------------------------------------


def _commands(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, click.Command]]:
    below = getattr(command, "commands", None)
    if not below:
        return [(" ".join(path), command)]
    return [found for name, each in below.items() for found in _commands(each, (*path, name))]


COMMANDS = dict(_commands(typer.main.get_command(tree()), ("authgate",)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented_and_says_what_it_does(command: str) -> None:
    assert re.search(rf"^\| `{command}[ `]", (DOCS / "commands.md").read_text(), re.MULTILINE)
    assert COMMANDS[command].help


def _typed() -> set[str]:
    """Every `authgate ...` that the docs show as code: inline, and as a line of a block."""
    blocks = "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", all_docs(), re.MULTILINE | re.DOTALL))
    inline = re.findall(r"`authgate ([a-z][^`\n]*)`", all_docs())
    return {*inline, *re.findall(r"^(?:\$ )?authgate ([a-z].*)$", blocks, re.MULTILINE)}


def test_no_command_is_documented_that_does_not_exist() -> None:
    groups = {name.split()[1] for name in COMMANDS if len(name.split()) == 3}
    typed = _typed()
    assert len(typed) > len(COMMANDS)
    for words in (line.split() for line in typed):
        name = " ".join(words[: 2 if words[0] in groups else 1])
        assert f"authgate {name}" in COMMANDS or name in groups, words


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_in_the_docs_exists(command: str) -> None:
    options = {option for each in COMMANDS[command].params for option in each.opts} | {"--help"}
    for line in (DOCS / "commands.md").read_text().splitlines():
        if line.startswith((f"| `{command} ", f"| `{command}`")):
            cell = line.split("|")[1]
            assert set(re.findall(r"--[a-z-]+", cell)) <= options


# --- routes ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every path of an application as it stands by default, and where AuthKit issues."""
    folder = tmp_path_factory.mktemp("house")
    authkit = {
        "AUTHGATE_ISSUER": "authkit",
        "WORKOS_AUTHKIT_DOMAIN": "https://tenant.authkit.example",
        "WORKOS_API_KEY": "sk_test_of_the_house",
        "WORKOS_WEBHOOK_SECRET": "a-webhook-secret-of-the-house",
    }
    found: set[str] = set()
    for chosen in ({}, authkit):
        application = build(Settings(AUTHGATE_DATA_DIR=folder, _env_file=None, **chosen))
        application.core.passwords.close()
        found |= set(application.table)
    return found


def test_every_route_is_documented(table: set[str]) -> None:
    http = (DOCS / "http.md").read_text()
    assert table
    for path in table:
        # one row speaks for a folder of files, and one for all forms of a discovery document
        covered = [path, re.sub(r"/static/.*", "/static/...", path)]
        if "/.well-known/" in path:
            covered.append("/.well-known/" + path.split("/.well-known/")[1].removesuffix("/mcp"))
        assert any(f"`{form}`" in http for form in covered), path


def test_no_route_is_documented_that_does_not_exist(table: set[str]) -> None:
    for cell in first_cells(DOCS / "http.md"):
        for path in re.findall(r"`(/[^`]*)`", cell):
            assert path in table or path.endswith("/..."), path


# --- errors, tables, tools ------------------------------------------------------------------------

CODES = sorted({face.code for face in FACES.values()})


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_is_documented_with_its_statuses(code: str) -> None:
    row = next(
        (
            line
            for line in (DOCS / "http.md").read_text().splitlines()
            if line.startswith("| `") and f"`{code}`" in line.split("|")[1]
        ),
        None,
    )
    assert row is not None
    for status in {face.status for face in FACES.values() if face.code == code}:
        assert str(status) in row


def test_no_error_code_is_documented_that_does_not_exist() -> None:
    lines = (DOCS / "http.md").read_text().splitlines()
    rows = lines[lines.index("| code | status | when |") + 2 :]
    cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    shown = {code for cell in cells for code in re.findall(r"`([a-z_]+)`", cell)}
    assert shown == set(CODES)


def test_every_reason_is_raised_somewhere() -> None:
    table = {SOURCE / "protocol" / name for name in ("reasons.py", "faces.py")}
    said = "\n".join(path.read_text() for path in python_files(SOURCE) if path not in table)
    assert not {reason for reason in Reason if f"Reason.{reason.name}" not in said}


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_table_is_documented(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "operating.md").read_text()


@pytest.mark.parametrize("name", sorted(metadata.tables))
def test_every_column_says_what_it_means(name: str) -> None:
    assert metadata.tables[name].comment
    assert all(column.comment for column in metadata.tables[name].columns)


@pytest.mark.parametrize(
    "name",
    ["oauth_register_client", "oauth_authorize", "oauth_authenticate", "oauth_token"],
)
def test_every_tool_is_documented(name: str) -> None:
    assert f"`{name}`" in (DOCS / "tools.md").read_text()


# --- pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert not [page.name for page in DOCS.glob("*.md") if f"docs/{page.name}" not in readme]
