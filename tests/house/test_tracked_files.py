"""Nothing of one machine, and no address of a package registry, is in the project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.reading import ROOT, tracked_files

# Put together here so that this file does not hold what it looks for.
_HOSTS = ("pypi" + ".org", "files.pythonhosted" + ".org", "registry.npmjs" + ".org")
_MORE_HOSTS = ("deb.debian" + ".org", "npmmirror" + ".com", "registry.yarnpkg" + ".com")
FORBIDDEN = {
    "a path of one machine": re.compile(
        r"(?<![\w.:~$}-])/(?:work|root|home/\w+|Users/\w+|tmp/(?!authgate)\w{6,})/\w"
    ),
    "a registry's address": re.compile("|".join(map(re.escape, (*_HOSTS, *_MORE_HOSTS)))),
    "an index option": re.compile(r"--(?:extra-)?index-url|--find-links|PIP_INDEX_URL"),
    "a private key": re.compile(r"BEGIN (?:[A-Z]+ )?PRIVATE" + r" KEY-----\n[A-Za-z0-9+/]{40}"),
}
TEXT = {
    *(".py", ".md", ".toml", ".txt", ".in", ".json", ".js", ".mjs", ".ts", ".css", ".html", ".svg"),
    *(".yml", ".yaml", ".cfg", ".ini", ".sh", ".example", ""),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked_files()
        if path.suffix in TEXT and path != Path(__file__)
        if (match := FORBIDDEN[what].search(path.read_text(errors="replace")))
    ]
    assert not found


def test_nothing_that_running_leaves_behind_is_tracked() -> None:
    left = re.compile(r"(?:^|/)(?:\.env|__pycache__|node_modules|\.venv)(?:/|$)|\.(?:db|pyc|pem)$")
    assert not [path for path in tracked_files() if left.search(path.relative_to(ROOT).as_posix())]
