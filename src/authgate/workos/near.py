"""Is a URI registered, and if not, which one was probably meant? Strings, never parsed URLs:
WorkOS compares them byte for byte, and what a parser mends is what has to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_URI = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>\[[^\]]*\]|[^/:]*)(?::(?P<port>[^/]*))?(?P<path>.*)"
)

# From the likeliest to the least: what a person types otherwise and means the same.
_SLIPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("in a slash at the end", lambda uri: uri.rstrip("/")),
    ("in capital letters", str.lower),
    ("in blanks around it", str.strip),
    ("in http and https", lambda uri: uri.replace("https://", "http://", 1)),
    ("in localhost and 127.0.0.1", lambda uri: uri.replace("://localhost", "://127.0.0.1", 1)),
)


def registered(uri: str, among: Iterable[str]) -> bool:
    """Is it there, exactly or by a pattern with one `*`?"""
    return any(uri == one or ("*" in one and _pattern(one).fullmatch(uri)) for one in among)


def near_miss(uri: str, among: Iterable[str]) -> tuple[str, str] | None:
    """One of `among` that is nearly `uri`, and in what it differs, in words."""
    candidates = tuple(among)
    for words, alike in _SLIPS:
        for one in candidates:
            if alike(one) == alike(uri):
                return one, words
    ours = _URI.fullmatch(uri)
    for part in ("port", "path"):
        for one in candidates:
            theirs = _URI.fullmatch(one)
            if ours and theirs and _but_for(part, ours) == _but_for(part, theirs):
                return one, f"in the {part}"
    return None


def _but_for(part: str, found: re.Match[str]) -> dict[str, str | None]:
    return {name: text for name, text in found.groupdict().items() if name != part}


def _pattern(uri: str) -> re.Pattern[str]:
    """WorkOS's `*`: a part of one host label, a loopback's port, or a resource's last segment."""
    origin = re.match(r"[^/]*//[^/]*|", uri)
    within = origin.end() if origin else 0
    pieces = [re.escape(uri[:within]).replace(r"\*", "[^./:]+")]
    pieces.append(re.escape(uri[within:]).replace(r"\*", "[^/?#]+"))
    return re.compile("".join(pieces))
