"""A fresh SQLite file, and other processes that work on it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
StartChild = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "authgate.db"


@pytest.fixture
def child(path: Path) -> Iterator[StartChild]:
    """Start `tests.store.child` with a command; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as stack:

        def start(command: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.store.child", str(path), command],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield start


def heard(process: subprocess.Popen[str]) -> str:
    """The next line the child says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    """Let the child go on."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
