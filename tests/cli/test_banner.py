"""What the start says about who signs in: every way with its owner, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from authgate.app import build_core
from authgate.cli.banner import banner
from authgate.settings import load

PROJECT = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1"}


def said(tmp_path: Path, people: int = 1, workers: int = 1, **given: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTHGATE_DATA_DIR", str(tmp_path))
        for name, value in given.items():
            patch.setenv(name, value)
        core = build_core(load(tmp_path / "no.env"))
    core.passwords.close()
    return banner(core, people, workers, at="127.0.0.1:8000", colour=False)


def test_our_own_people(tmp_path: Path) -> None:
    text = said(tmp_path, people=0)
    assert "passwords      → embedded" in text
    assert "authgate people add" in text
    assert "Supabase" not in text
    assert "Note" not in said(tmp_path)
    assert "listens at   127.0.0.1:8000\n" in text


def test_a_projects_people(tmp_path: Path) -> None:
    text = said(tmp_path, people=0, **PROJECT, AUTHGATE_PUBLIC_URL="https://auth.example")
    assert "passwords      → supabase (https://x.supabase.co/auth/v1)" in text
    assert "authgate people" not in text
    assert "24 hours" in text
    assert "https://auth.example/oauth/callback**" in text
    assert "sb_publishable_1" not in text


def test_who_owns_github_and_google(tmp_path: Path) -> None:
    assert "GitHub         → not offered" in said(tmp_path)
    text = said(tmp_path, **PROJECT)
    assert "GitHub         → supabase, where the project has it on" in text
    without = said(tmp_path, **PROJECT, AUTHGATE_SOCIAL="none")
    assert "GitHub         → not offered" in without
    assert "/oauth/callback" not in without


def test_what_workos_owns(tmp_path: Path) -> None:
    keys = {"WORKOS_API_KEY": "sk_test_1", "WORKOS_CLIENT_ID": "client_1"}
    text = said(tmp_path, **keys)
    assert "passwords      → embedded" in text
    assert "GitHub         → workos (https://api.workos.com)" in text
    assert "Google         → workos (https://api.workos.com)" in text
    assert "AuthKit" not in text
    assert "http://localhost:8000/oauth/callback" in text
    some = said(tmp_path, **keys, AUTHGATE_WORKOS_PROVIDERS="google authkit")
    assert "GitHub         → not offered" in some
    assert "AuthKit        → workos" in some
    assert "sk_test_1" not in text + some


def test_workos_set_and_not_asked_is_said(tmp_path: Path) -> None:
    assert "nothing is asked of WorkOS" in said(tmp_path, WORKOS_API_KEY="sk_test_1")


def test_limits_that_count_in_each_process_are_said(tmp_path: Path) -> None:
    assert "AUTHGATE_LIMITS_URL" not in said(tmp_path)
    assert "AUTHGATE_LIMITS_URL" in said(tmp_path, workers=2)
    shared = said(tmp_path, workers=2, AUTHGATE_LIMITS_URL="redis://:pass@127.0.0.1:1/0")
    assert "AUTHGATE_LIMITS_URL" not in shared
    assert "pass@" not in shared
    for beyond, plain in (
        ("redis://:pass@10.0.0.5:6379/0", True),
        ("valkey://limits.internal", True),
        ("rediss://:pass@10.0.0.5/0", False),
        ("redis://[::1]:6379/0", False),
        ("redis://localhost/0", False),
        ("unix://:pass@/run/valkey.sock", False),
    ):
        text = said(tmp_path, AUTHGATE_LIMITS_URL=beyond)
        assert ("limit store crosses the network in the clear" in text) is plain, beyond
        assert "pass@" not in text


AUTHKIT = {
    "AUTHGATE_ISSUER": "authkit",
    "WORKOS_API_KEY": "sk_test_1",
    "WORKOS_AUTHKIT_DOMAIN": "t.authkit.app",
}


def test_what_authkit_has_to_be_told(tmp_path: Path) -> None:
    text = said(tmp_path, **AUTHKIT, AUTHGATE_PUBLIC_URL="https://auth.example")
    assert "issuer       AuthKit (https://t.authkit.app)" in text
    assert "Login URI: https://auth.example/oauth/login " in text
    assert "MCP resource indicator: https://auth.example/mcp\n" in text
    assert "no effect" not in text
    assert "issuer" not in said(tmp_path)


def test_what_has_no_effect_where_authkit_issues(tmp_path: Path) -> None:
    text = said(tmp_path, **AUTHKIT, AUTHGATE_SCOPES="read", AUTHGATE_TOOL_PASSWORDS="false")
    assert "no effect of AUTHGATE_SCOPES, AUTHGATE_TOOL_PASSWORDS." in text


def test_without_a_recheck_authkit_goes_on(tmp_path: Path) -> None:
    text = said(tmp_path, **AUTHKIT, **PROJECT)
    assert "for as long as AuthKit renews them" in text
    assert "24 hours" not in text


def test_with_a_secret_key_there_is_nothing_to_warn_of(tmp_path: Path) -> None:
    text = said(tmp_path, people=0, **PROJECT, SUPABASE_SECRET_KEY="sb_secret_1")
    assert "24 hours" not in text
    assert "sb_secret_1" not in text


def test_people_of_ours_who_cannot_sign_in_any_more_are_named(tmp_path: Path) -> None:
    text = said(tmp_path, people=3, **PROJECT)
    assert "The 3 people of `authgate people` cannot sign in" in text
