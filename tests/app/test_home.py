"""The directory that the settings choose, and its life beside the application's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from authgate.app import build, build_core
from authgate.app.home import EmbeddedHome, SupabaseHome, WithWorkOS, home_of, supabase_policy
from authgate.directories.contract import Gone
from authgate.directories.supabase import SupabasePolicy
from authgate.observe import log
from authgate.settings import Settings, load
from authgate.workos import WorkOSPolicy
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options

Told = list[tuple[str, str, dict[str, object]]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Every line that is logged: its level, event and fields."""
    lines: Told = []
    for level in ("debug", "info", "warning", "error"):

        def note(event: str, level: str = level, **fields: object) -> None:
            lines.append((level, event, fields))

        monkeypatch.setattr(log, level, note)
    return lines


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads the settings with these in the environment."""

    def read(**given: str) -> Settings:
        monkeypatch.setenv("AUTHGATE_DATA_DIR", str(tmp_path / "data"))
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return load(tmp_path / "no.env")

    return read


def at(standin: SupabaseStandin, **more: str) -> dict[str, str]:
    keys = {"SUPABASE_PUBLISHABLE_KEY": standin.gate.publishable}
    return {"SUPABASE_URL": standin.url, **keys, **more}


def test_with_nothing_set_people_are_our_own(settings: Any) -> None:
    core = build_core(settings())
    home = home_of(core)
    core.passwords.close()
    assert isinstance(home, EmbeddedHome)
    assert home.directory.name == "embedded"


def test_the_policy_is_what_the_settings_say(settings: Any) -> None:
    least = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_ANON_KEY": "eyJ.a.b"}
    assert supabase_policy(settings(**least)) == SupabasePolicy(
        "https://x.supabase.co/auth/v1", "eyJ.a.b"
    )
    most = settings(
        SUPABASE_SECRET_KEY="sb_secret_1",
        AUTHGATE_SUPABASE_AUTH_URL="https://auth.example",
        AUTHGATE_SUPABASE_FORWARD_ADDRESS="true",
        AUTHGATE_SUPABASE_FORWARD_HEADER="X-Forwarded-For",
        AUTHGATE_SUPABASE_OUTAGE_GRACE="60",
        AUTHGATE_SUPABASE_KEEP_SESSION="true",
        AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM="true",
        AUTHGATE_REQUIRE_SECOND_FACTOR="true",
    )
    assert supabase_policy(most) == SupabasePolicy(
        "https://auth.example",
        "eyJ.a.b",
        secret_key="sb_secret_1",
        forward_address=True,
        forward_header="X-Forwarded-For",
        require_aal2=True,
        keep_session=True,
        allow_autoconfirm_social=True,
    )
    core = build_core(most)
    core.passwords.close()
    assert (core.policy.required_assurance, core.policy.outage_grace) == (2, 60)


async def test_the_project_is_looked_at_after_the_start(settings: Any, told: Told) -> None:
    async with SupabaseStandin(Options(email=False)) as standin:
        application = build(settings(**at(standin)))
        home = application.home
        assert isinstance(home, SupabaseHome)
        assert home.callback_url == "http://localhost:8000/oauth/callback"
        await home.looked_at()
        await home.close()
        application.core.passwords.close()
    said = {(level, event) for level, event, _ in told}
    assert {("warning", "supabase.problem"), ("info", "supabase.note")} <= said
    sentences = " ".join(str(fields.get("detail")) for _, _, fields in told)
    assert "e-mail sign-in switched off" in sentences
    assert "24 hours" in sentences
    assert standin.gate.publishable not in str(told)


async def test_a_project_that_is_not_there_keeps_nobody_from_starting(
    settings: Any, told: Told
) -> None:
    async with SupabaseStandin() as standin:
        gone = at(standin)
    application = build(settings(**gone))
    await application.start()
    await application.home.looked_at()
    await application.stop()
    assert "does not answer" in str(told)


async def test_a_look_that_fails_is_one_line(settings: Any, told: Told) -> None:
    async with SupabaseStandin() as standin:
        core = build_core(settings(**at(standin)))
        home = home_of(core)
        await home.directory.close()

        def broken(url: str) -> None:
            raise RuntimeError(standin.gate.publishable)

        home.directory.report = broken
        await home.looked_at()
        await home.close()
        core.passwords.close()
    assert told == [("warning", "supabase.report_failed", {"error": "RuntimeError"})]


WORKOS = {"WORKOS_API_KEY": "sk_test_1", "WORKOS_CLIENT_ID": "client_1"}


def test_workos_owns_github_and_google_of_our_own_people(settings: Any) -> None:
    core = build_core(settings(**WORKOS, AUTHGATE_WORKOS_PROVIDERS="google authkit"))
    home = home_of(core)
    core.passwords.close()
    assert isinstance(home, WithWorkOS)
    assert (home.directory.name, home.social.name) == ("embedded", "workos")
    assert home.social.ways.providers == ("google", "authkit")
    assert home.workos.policy == WorkOSPolicy("sk_test_1", "client_1", "https://api.workos.com")


async def test_workos_s_people_are_the_projects(settings: Any) -> None:
    project = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_ANON_KEY": "eyJ.a.b"}
    keys = {**WORKOS, "SUPABASE_SECRET_KEY": "sb_secret_1"}
    core = build_core(settings(**project, **keys, AUTHGATE_LINK_VERIFIED_EMAIL="true"))
    home = home_of(core)
    assert isinstance(home, WithWorkOS)
    assert isinstance(home.people, SupabaseHome)
    assert not home.people.directory.policy.social  # one owner a way
    assert home.social.policy.by_address
    assert await home.social.recheck("user_1") == Gone()  # nobody is WorkOS's own here
    await home.close()
    core.passwords.close()


def test_the_operator_may_leave_them_to_supabase(settings: Any) -> None:
    project = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_ANON_KEY": "eyJ.a.b"}
    core = build_core(settings(**project, **WORKOS, AUTHGATE_SOCIAL="supabase"))
    home = home_of(core)
    core.passwords.close()
    assert isinstance(home, SupabaseHome)
    assert home.directory.policy.social


def test_nobody_else_pays_for_it(tmp_path: Path) -> None:
    """A server of embedded people imports neither the client library nor the directory."""
    program = (
        "import sys\n"
        "from authgate.app import build\n"
        "from authgate.settings import Settings\n"
        "build(Settings(_env_file=None)).core.passwords.close()\n"
        "spared = ('aiohttp', 'authgate.fetch', 'authgate.directories.supabase', 'mcp.',\n"
        "          'authgate.directories.workos', 'authgate.workos', 'workos', 'httpx2')\n"
        "found = [name for name in sys.modules if name.startswith(spared)]\n"
        "assert not found, found\n"
    )
    env = {**os.environ, "AUTHGATE_DATA_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=env)
