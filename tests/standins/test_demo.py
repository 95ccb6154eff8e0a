"""`make demo-supabase`: every person's walk comes through, and nothing secret is shown."""

from __future__ import annotations

import subprocess
import sys

from tests.standins.demo import PASSWORD, PEOPLE


def test_everybody_comes_through() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.standins.demo", "--once"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Done: 13 steps, each as it must be") == len(PEOPLE)
    assert "page “Enter your code" in done.stdout
    assert "page “Sign in to GitHub (stand-in)”" in done.stdout
    assert done.stdout.count("→ POST /oauth/sign-in") == len(PEOPLE) - 1  # GitHub takes no password
    for email in ("ana@example.com", "gil@example.com", "tess@example.com"):
        assert f"whoami: {email}" in done.stdout
    for secret in (PASSWORD, "sb_secret_", "sb_publishable_"):
        assert secret not in done.stdout + done.stderr
