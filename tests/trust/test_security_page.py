"""docs/security.md names tests; each exists, every promise and every advisory has one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()
NAMED = re.findall(r"`([a-z_/]+\.py)::(\w+)`", PAGE)


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two lines."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert name in names_in(file)


def test_all_35_promises_have_a_test() -> None:
    promises = rows("The promises")
    assert [row[0] for row in promises] == [str(number) for number in range(1, 36)]
    assert all("::test_" in row[3] for row in promises)


def test_every_hole_of_others_has_a_test() -> None:
    holes = rows("Holes of others, tried here")
    assert len(holes) > 20
    assert all("::test_" in row[2] for row in holes)


def test_what_is_told_by_its_docstring_is_in_the_table() -> None:
    """An advisory named in a test of this folder is on the page, too."""
    told = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        text = file.read_text()
        told |= set(re.findall(r"CVE-\d{4}-\d+|GHSA(?:-[a-z0-9]{4}){3}", text))
    assert not {name for name in told if name not in PAGE}
