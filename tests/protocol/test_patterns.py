"""Patterns for names of tools and methods."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.protocol.patterns import is_pattern, matches

LETTERS = st.text(alphabet="ab*/", max_size=8)


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("add", ["add"], ["Add", "add2", "", "ad"]),
        ("*", ["", "a", "a/b", "a\nb"], []),
        ("files_*", ["files_", "files_read"], ["file_read", "my_files_read", "files"]),
        ("*_read", ["_read", "a_read"], ["_reads", "read"]),
        ("a*b*c", ["abc", "a1b2c", "abbcc"], ["acb", "ab", "ac"]),
        ("aa*aa", ["aaaa", "aabaa"], ["aaa", "aa"]),
        ("[a-z]?", ["[a-z]?"], ["ab", "a?"]),
        ("a.c", ["a.c"], ["abc"]),
    ],
)
def test_what_a_pattern_means(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    assert [name for name in fits if not matches(pattern, name)] == []
    assert [name for name in fits_not if matches(pattern, name)] == []


@given(LETTERS, st.text(alphabet="ab/", max_size=10))
def test_it_is_what_the_regular_expression_says(pattern: str, name: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert matches(pattern, name) == bool(re.fullmatch(expression, name, re.DOTALL))


def test_no_pattern_takes_long() -> None:
    began = time.perf_counter()
    assert not matches("a*" * 63 + "b*c", "a" * 100_000 + "c")
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("text", ["add", "*", "files/*", 'a"b', "x" * 128])
def test_what_may_be_written(text: str) -> None:
    assert is_pattern(text)


@pytest.mark.parametrize("text", ["", "a b", "ä", "a\n", "x" * 129])
def test_what_may_not(text: str) -> None:
    assert not is_pattern(text)
