"""`make demo-supabase` and `make demo-authkit`: every walk comes through and shows no secret."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.standins.demo import PASSWORD, PEOPLE


def walked(module: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, "--once"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_everybody_of_supabase_comes_through() -> None:
    done = walked("tests.standins.demo")
    assert done.stdout.count("Done: 13 steps, each as it must be") == len(PEOPLE)
    assert "page “Enter your code" in done.stdout
    assert "page “Sign in to GitHub (stand-in)”" in done.stdout
    assert done.stdout.count("→ POST /oauth/sign-in") == len(PEOPLE) - 1  # GitHub takes no password
    for email in ("ana@example.com", "gil@example.com", "tess@example.com"):
        assert f"whoami: {email}" in done.stdout
    for secret in (PASSWORD, "sb_secret_", "sb_publishable_"):
        assert secret not in done.stdout + done.stderr


def test_authkit_issues_and_people_sign_in_here() -> None:
    done = walked("tests.standins.demo_authkit")
    tess, own = done.stdout.split("=== Somebody of authgate's own people ===")
    assert "Done: 12 steps, each as it must be" in tess
    assert "whoami: tess@example.com" in tess
    assert "→ POST /oauth/factor" in tess
    assert "Done: 14 steps, each as it must be" in own
    assert "whoami: demo@example.com" in own
    for walk in (tess, own):
        (authkit,) = re.findall(r"authorization_servers: (\S+)", walk)
        for page in ("authorize", "authorize/complete", "authorize/consent", "token", "register"):
            assert f"{authkit}/oauth2/{page}" in walk
        assert "/oauth/consent" not in walk  # that is AuthKit's to ask
    assert "error_description=" in own.split("opens nothing here any more")[1]
    for secret in (PASSWORD, "sb_secret_", "sk_test_"):
        assert secret not in done.stdout + done.stderr
