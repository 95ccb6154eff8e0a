"""`python -m soak` for twenty seconds: sound in peace, not sound when a node is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.house.reading import ROOT

LONGEST = 110.0
KINDS = {
    *("registration", "authorize", "page", "page, remembered", "sign-in", "consent, approve"),
    *("code exchange", "refresh", "refresh, repeated", "refresh, ended", "revocation"),
    *("call, known token", "call, first sight", "call, ended", "introspection", "event stream"),
    *("discovery", "keys"),
}


def soaked(folder: Path, *more: str) -> tuple[int, str, dict[str, Any]]:
    """A short run: its exit code, what it printed, what it found."""
    found = folder / "found.json"
    short = ["--minutes", "0.33", "--rate", "0.4", "--json", str(found)]
    done = subprocess.run(
        [sys.executable, "-m", "soak", *short, *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert found.exists(), done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr, json.loads(found.read_text())


@pytest.mark.timeout(LONGEST + 10)
def test_in_peace_it_is_sound_and_tells_everything(tmp_path: Path) -> None:
    code, said, found = soaked(tmp_path)
    assert (found["errors"], found["broken"]) == (0, []), said
    assert (code, found["sound"]) == (0, True)
    assert found["requests"] > 500
    assert found["counts"].keys() >= KINDS
    assert (found["rotations"], found["restarts"], len(found["keys_that_signed"])) == (1, 1, 2)
    assert len(found["memory"]) == 4  # three nodes, one of them twice
    assert all(each["end"] > 20 for each in found["memory"])
    tables = {each["table"]: each for each in found["tables"]}
    assert tables["grants"]["made"] == tables["grants"]["rows"][1] - tables["grants"]["rows"][0]
    assert tables["refresh_tokens"]["made"] > tables["grants"]["made"] > 0
    assert tables["codes"]["due"] > 0
    assert found["connections"] > 0
    assert found["limit_keys"] > 0
    assert found["database"]["commits"] > 100
    for word in (
        "requests in",
        "memory of the nodes",
        "came due",
        "cores used",
        "bounds",
        "errors",
    ):
        assert word in said
    assert "correct horse" not in said
    assert "eyJ" not in said


@pytest.mark.timeout(LONGEST + 10)
def test_a_node_that_dies_is_an_error(tmp_path: Path) -> None:
    code, said, found = soaked(tmp_path, "--sabotage", "kill")
    assert (code, found["sound"]) == (1, False)
    assert found["errors"] > 0
    assert "node 1: it is gone" in said
