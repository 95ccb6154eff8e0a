"""What the house tests read: the tracked files, the docs, and what the code says of itself."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "authgate"
TESTS = ROOT / "tests"
DOCS = ROOT / "docs"

# What making and running it leaves behind, for trees without git (an unpacked archive).
_MADE = {"node_modules", "dist", "build", "__pycache__", "htmlcov"}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file of the project, by git where there is git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        names = [ROOT / name for name in listed.stdout.split("\0") if name]
        return tuple(path for path in names if path.is_file())
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not _was_made(path))


def _was_made(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return bool(_MADE & set(parts)) or any(
        part.startswith(".") and part not in (".ci", ".env.example", ".gitignore", ".editorconfig")
        for part in parts
    )


def python_files(folder: Path) -> list[Path]:
    """The Python files below `folder` that belong to the project."""
    return [path for path in tracked_files() if path.suffix == ".py" and folder in path.parents]


def pages() -> list[Path]:
    """The pages people read: README.md and docs/*.md."""
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


@cache
def all_docs() -> str:
    return "\n".join(page.read_text() for page in pages())


@cache
def project() -> dict[str, Any]:
    """The `[project]` table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def package_name(requirement: str) -> str:
    """`psycopg[binary]>=3.3` is about `psycopg`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return match[0]


def first_cells(page: Path) -> list[str]:
    """The first cell of every table row of a page, headings and rulers left out."""
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    cells = [row.split("|")[1].strip() for row in rows]
    return [cell for cell in cells if not set(cell) <= {"-", " "}]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page that says it can be run: `<!-- run -->` or `<!-- run: server -->`.

    Each runs by `bash -eu` in an empty folder, with authgate's commands on the PATH and a data
    folder of its own; `server` wants an authgate that answers at http://localhost:8000.
    """

    page: str
    line: int
    needs: str
    script: str


_BLOCK = re.compile(
    r"^<!-- run(?:: (?P<needs>[a-z]+))? -->\n+```(?:console|bash|sh)\n(?P<script>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def runnable_blocks(pages_: list[Path] | None = None) -> list[Block]:
    found = []
    for page in pages_ or pages():
        text = page.read_text()
        for match in _BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
            found.append(Block(name, line, match["needs"] or "", match["script"]))
    return found


def markers() -> int:
    """How many `<!-- run` comments there are, wherever they stand."""
    return all_docs().count("<!-- run")
