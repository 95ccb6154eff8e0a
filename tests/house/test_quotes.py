"""What the troubles in docs/*.md quote is really said: whoever searches for a sentence finds it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.house.reading import SOURCE, pages, python_files

SHORT = 12
"""Shorter pieces of a sentence with gaps prove nothing."""
LONG = 15
"""And so does a shorter text of ours that the quote goes on from."""


@cache
def said() -> frozenset[str]:
    """Every text of the product, cut where something is put in."""
    found: set[str] = set()
    for path in python_files(SOURCE):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(re.split(r"\{\w*\}", node.value))
    for path in SOURCE.rglob("*.html"):
        found.update(re.split(r"\{[{%#].*?[}%#]\}|<[^>]+>", path.read_text(), flags=re.DOTALL))
    tidy = (" ".join(text.split()).strip(" .") for text in found)
    return frozenset(text for text in tidy if len(text) >= SHORT)


def quoted(page: str) -> list[str]:
    """Sentences in the first column of a table: what somebody sees, and looks up."""
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| ")]
    return [text for row in rows for text in re.findall(r'"([A-Z][^"]{14,})"', row)]


def is_said(quote: str) -> bool:
    """As a whole, as the part of a text before its gap, or piece by piece around "..."."""
    pieces = [piece for part in quote.split("...") if len(piece := part.strip(" .")) >= SHORT]
    return any(
        (len(text) >= LONG and text in quote) or any(piece in text for piece in pieces)
        for text in said()
    )


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_sentence_that_is_quoted_is_said(page: Path) -> None:
    assert [quote for quote in quoted(page.read_text()) if not is_said(quote)] == []


def test_a_sentence_that_nobody_says_would_be_noticed() -> None:
    (known, unknown) = quoted(
        '| "The access token was issued for client_...; this server is ..." | x |\n'
        '| "The moon is not made of cheese." | x |\n'
    )
    assert is_said(known)
    assert not is_said(unknown)
