"""`mcp-authlab` scans the server as MCP clients see it, negatives included; its grade must be A.

Its sign-ins open the browser of the environment (``BROWSER``), which is the scripted one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.conformance.conftest import OTHER_RESOURCE
from tests.live import ALICE, LiveServer
from tests.scripted_browser import browser_environment

# What is allowed to be no pass, each with the reason. Anything else, a skip above all, fails.
ARGUED = {
    "TLS-01": ("warn", "the test runs on loopback, where there is no TLS"),
    "SESS-01": ("skip", "the example server is stateless: there is no session to steal"),
    "SESS-02": ("skip", "the same"),
}


def test_the_scan_gives_grade_a(
    server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {
        **os.environ,
        **browser_environment(ALICE.email, ALICE.password),
        "XDG_CONFIG_HOME": str(tmp_path),
    }

    def lab(*arguments: str) -> str:
        done = subprocess.run(
            [str(Path(sysconfig.get_path("scripts")) / "mcp-authlab"), *arguments, "--no-color"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # --thorough: one sign-in more, for a redirect URI changed at the token endpoint.
    lab("login", server.mcp_url, "--foreign-resource", OTHER_RESOURCE, "--thorough")
    report = json.loads(lab("scan", server.mcp_url, "--fail-under", "A", "--format", "json"))

    checks = report["results"]
    others = {c["id"]: (c["status"], c["message"]) for c in checks if c["status"] != "pass"}
    with capsys.disabled():
        for name, (status, message) in sorted(others.items()):
            print(f"\nmcp-authlab {name}: {status}: {message}", end="")
    assert report["grade"] == "A"
    assert {name: status for name, (status, _) in others.items()} == {
        name: status for name, (status, _) in ARGUED.items()
    }
    assert len(checks) >= 33
