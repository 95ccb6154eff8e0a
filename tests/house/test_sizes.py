"""Rooms introduce themselves, and none grows beyond what one screen of thought can hold."""

from __future__ import annotations

import ast

import pytest

from tests.house.reading import SOURCE, TESTS, python_files

LIMIT = 500
# Longer ones, each with the reason it is not two modules.
LONGER = {
    "protocol/faces.py": "one table; two would need a rule which reason is in which",
    "store/postgres_sql.py": "written from the statements by a program, and read by nobody",
    "store/sqlite_sql.py": "written from the statements by a program, and read by nobody",
    "store/migrations/versions/0001_first.py": "a migration is one file, never edited again",
}
MODULES = sorted(path.relative_to(SOURCE).as_posix() for path in python_files(SOURCE))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    text = (SOURCE / module).read_text()
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    assert len(docstring.split()) >= (8 if module.endswith("__init__.py") else 3)


def test_no_module_is_longer_than_it_can_argue_for() -> None:
    sizes = {module: len((SOURCE / module).read_text().splitlines()) for module in MODULES}
    too_long = {module: size for module, size in sizes.items() if size > LIMIT}
    assert too_long.keys() <= LONGER.keys(), too_long
    gone = LONGER.keys() - sizes.keys()
    assert not gone, f"argued for, but not there: {gone}"


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    found = {
        f"{path.relative_to(TESTS).as_posix()}:{node.lineno}"
        for path in python_files(TESTS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and _is_excuse(node)
    }
    assert not found


def _is_excuse(node: ast.Attribute) -> bool:
    """`pytest.skip`, `pytest.mark.skipif`, `pytest.importorskip` and their like."""
    names = {"skip", "skipif", "xfail", "importorskip"}
    whole = ast.unparse(node)
    return node.attr in names and whole.startswith(("pytest.", "unittest."))


def test_no_import_is_relative() -> None:
    for path in python_files(SOURCE):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.ImportFrom) or node.level == 0, path
