"""What README.md and docs/*.md say can be run, runs: blocks after `<!-- run -->`.

`<!-- run: server -->` wants an authgate that is up; `http://localhost:8000` is replaced by its URL.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.reading import ROOT, Block, markers, runnable_blocks
from tests.live import LiveServer

BLOCKS = runnable_blocks()


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block as a reader would, who has authgate installed and nothing set."""
    scripts = os.pathsep.join((sysconfig.get_path("scripts"), str(Path(sys.executable).parent)))
    shutil.copy(ROOT / ".env.example", folder / ".env.example")
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("\n$ ", "\n").removeprefix("$ ")],
        cwd=folder,
        env={
            "PATH": os.pathsep.join((scripts, os.environ["PATH"])),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "AUTHGATE_DATA_DIR": str(folder / "data"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with LiveServer(host="localhost", people=()) as running:
        yield running


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if not block.needs],
    ids=lambda block: f"{block.page}:{block.line}",
)
def test_it_runs(block: Block, tmp_path: Path) -> None:
    done = run(block.script, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.needs == "server"],
    ids=lambda block: f"{block.page}:{block.line}",
)
def test_it_runs_against_a_server(block: Block, server: LiveServer, tmp_path: Path) -> None:
    script = block.script.replace("http://localhost:8000", server.url)
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"error"' not in done.stdout
    assert done.stdout.strip()


def test_every_marker_stands_before_a_block_we_know_how_to_run() -> None:
    assert len(BLOCKS) == markers() > 0
    assert {block.needs for block in BLOCKS} <= {"", "server"}


def test_the_guides_curl_line_is_in_the_readme_and_run() -> None:
    assert any(b.page == "README.md" and "oauth_register_client" in b.script for b in BLOCKS)


def test_a_block_that_fails_would_be_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- run -->\n```console\nfalse\ntrue\n```\n\n```console\nnot run\n```\n")
    (block,) = runnable_blocks([page])
    assert run(block.script, tmp_path).returncode != 0
