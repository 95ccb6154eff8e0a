"""`oauth4webapi` as referee: statuses, members, claims and errors of every endpoint, to the letter.

The rules stand in `node/referee.mjs`; most of them are the library's own, which refuses what does
not conform.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.clients.node_client import node_person
from tests.clients.node_env import NODE_FOLDER, node_binary
from tests.live import ALICE, LiveServer

CHAPTERS = ("discovery", "none", "client_secret_basic", "client_secret_post", "errors")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_referee_finds_no_foul(chapter: str, server: LiveServer) -> None:
    judge(chapter, server)


@pytest.mark.parametrize("chapter", ["discovery", "none"])
def test_nor_wherever_else_the_server_is(chapter: str, elsewhere: LiveServer) -> None:
    judge(chapter, elsewhere)


def judge(chapter: str, server: LiveServer) -> None:
    done = subprocess.run(
        [node_binary(), NODE_FOLDER / "referee.mjs", chapter, server.url, server.mcp_url],
        env=node_person(ALICE),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    rulings = [json.loads(line) for line in done.stdout.splitlines()]
    assert [ruling for ruling in rulings if not ruling["holds"]] == []
    assert done.returncode == 0, done.stderr
    assert len(rulings) >= 8
