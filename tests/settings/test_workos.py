"""A WorkOS environment in the settings: who issues, who owns GitHub and Google, what is missing."""

from __future__ import annotations

import pytest

from authgate.settings import Settings
from tests.settings.conftest import loaded, problems

KEYS = {"WORKOS_API_KEY": "sk_test_1", "WORKOS_CLIENT_ID": "client_1"}
AUTHKIT = {
    "AUTHGATE_ISSUER": "authkit",
    "WORKOS_API_KEY": "sk_test_1",
    "WORKOS_AUTHKIT_DOMAIN": "https://t.authkit.app",
}
PROJECT = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1"}
SECRET = {"SUPABASE_SECRET_KEY": "sb_secret_1"}


def named(told: list[str]) -> list[str]:
    return [line.partition(":")[0] for line in told]


@pytest.mark.parametrize(
    ("given", "owner"),
    [
        ({}, "none"),
        ({"WORKOS_API_KEY": "sk_test_1"}, "none"),
        ({"WORKOS_CLIENT_ID": "client_1"}, "none"),
        (KEYS, "workos"),
        (PROJECT, "supabase"),
        ({**KEYS, **PROJECT, **SECRET}, "workos"),
        ({**KEYS, **PROJECT, "AUTHGATE_SOCIAL": "supabase"}, "supabase"),
        ({**KEYS, "AUTHGATE_SOCIAL": "none"}, "none"),
        ({**AUTHKIT, **KEYS}, "none"),
        ({**AUTHKIT, **KEYS, **PROJECT}, "supabase"),
    ],
)
def test_github_and_google_have_one_owner(given: dict[str, str], owner: str) -> None:
    assert loaded(**given).social_in == owner


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("t.authkit.app", "https://t.authkit.app"),
        ("https://t.authkit.app", "https://t.authkit.app"),
        ("https://t.authkit.app/", "https://t.authkit.app"),
        ("auth.example.test", "https://auth.example.test"),
        ("http://127.0.0.1:4112", "http://127.0.0.1:4112"),
    ],
)
def test_the_domain_as_the_dashboard_and_as_metadata_have_it(written: str, meant: str) -> None:
    """It is compared with `iss`, which has a scheme and no slash at its end."""
    settings = loaded(**{**AUTHKIT, "WORKOS_AUTHKIT_DOMAIN": written})
    assert settings.workos_authkit_domain == meant
    assert settings.issuer == "authkit"


def test_authkit_needs_its_domain_and_a_key() -> None:
    told = problems(AUTHGATE_ISSUER="authkit")
    assert named(told) == ["WORKOS_AUTHKIT_DOMAIN", "WORKOS_API_KEY"]
    assert all("dashboard" in line for line in told)
    assert named(problems(**{**AUTHKIT, "WORKOS_API_KEY": ""})) == ["WORKOS_API_KEY"]


def test_keys_and_a_domain_alone_change_no_issuer() -> None:
    settings = loaded(**KEYS, WORKOS_AUTHKIT_DOMAIN="t.authkit.app")
    assert settings.issuer == "builtin"


def test_the_audience_that_is_accepted_must_be_known() -> None:
    accept = {"AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE": "true"}
    assert named(problems(**AUTHKIT, **accept)) == ["AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE"]
    assert loaded(**{**AUTHKIT, **KEYS}, **accept).accept_client_id_audience


def test_workos_does_not_know_a_person_twice() -> None:
    told = problems(**{**AUTHKIT, **KEYS}, AUTHGATE_SOCIAL="workos")
    assert named(told) == ["AUTHGATE_SOCIAL"]
    assert "second WorkOS user" in told[0]


@pytest.mark.parametrize("missing", list(KEYS))
def test_social_through_workos_needs_both_keys(missing: str) -> None:
    told = problems(**{**KEYS, missing: ""}, AUTHGATE_SOCIAL="workos")
    assert named(told) == ["AUTHGATE_SOCIAL"]


def test_social_through_workos_must_find_the_supabase_person() -> None:
    told = problems(**KEYS, **PROJECT)
    assert named(told) == ["SUPABASE_SECRET_KEY"]
    loaded(**KEYS, **PROJECT, **SECRET)
    old = {"SUPABASE_SERVICE_ROLE_KEY": "eyJ.a.b"}
    assert loaded(**KEYS, **PROJECT, **old).social_in == "workos"


@pytest.mark.parametrize("name", ["WORKOS_API_URL", "WORKOS_AUTHKIT_DOMAIN"])
@pytest.mark.parametrize("url", ["http://w.example", "http://localhost.example", "http://10.0.0.1"])
def test_plain_http_beyond_this_machine(name: str, url: str) -> None:
    given = {**AUTHKIT, name: url}
    told = problems(**given)
    assert named(told) == [name]
    assert "AUTHGATE_ALLOW_HTTP=true" in told[0]
    loaded(**given, AUTHGATE_ALLOW_HTTP="true")
    loaded(**{**given, "AUTHGATE_ISSUER": "builtin"})  # not asked then


def test_providers_are_listed_once() -> None:
    settings = loaded(AUTHGATE_WORKOS_PROVIDERS="google github google")
    assert settings.workos_providers == ("google", "github")


def test_no_key_is_ever_shown() -> None:
    secret = {"WORKOS_WEBHOOK_SECRET": "whsec_1"}
    settings: Settings = loaded(**AUTHKIT, **secret)
    told = "\n".join(problems(**AUTHKIT, **secret, AUTHGATE_CODE_TTL="x"))
    for key in ("sk_test_1", "whsec_1"):
        assert key not in f"{settings!r} {settings} {settings.model_dump()}"
        assert key not in told
