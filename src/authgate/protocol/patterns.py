"""Patterns that an operator writes for names of tools and methods: `*` stands for anything, or for
nothing, and every other character for itself.

Not `fnmatch`: its `?` and `[...]` mean something in names that nobody meant as a pattern.
"""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


def is_pattern(text: str) -> bool:
    """Can this be a pattern: visible ASCII, of a length that a name has?"""
    return bool(_WRITTEN.fullmatch(text))


def matches(pattern: str, name: str) -> bool:
    """Is `name` one that `pattern` means? Case counts. Linear in both, whatever they are."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True
