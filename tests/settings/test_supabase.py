"""A Supabase project in the settings: whose passwords count, and what is refused together."""

from __future__ import annotations

from typing import Any

import pytest

from authgate.settings import Settings
from tests.settings.conftest import loaded, problems

PROJECT = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1"}
OLD = {"SUPABASE_ANON_KEY": "eyJ.a.b", "SUPABASE_SERVICE_ROLE_KEY": "eyJ.c.d"}


def project(**more: str) -> Settings:
    return loaded(**{**PROJECT, **more})


def revealed(secret: Any) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def test_passwords_have_one_owner() -> None:
    assert loaded().people_in == "embedded"
    assert project().people_in == "supabase"
    assert project(AUTHGATE_PASSWORDS="embedded").people_in == "embedded"
    assert project(AUTHGATE_PASSWORDS="supabase").people_in == "supabase"


def test_our_own_people_beside_a_project_need_nothing_of_it() -> None:
    loaded(SUPABASE_URL="http://anywhere.example", AUTHGATE_PASSWORDS="embedded")


def test_supabases_passwords_need_a_project() -> None:
    told = problems(AUTHGATE_PASSWORDS="supabase")
    assert [line.partition(":")[0] for line in told] == [
        "AUTHGATE_PASSWORDS",
        "SUPABASE_PUBLISHABLE_KEY",
    ]
    assert "SUPABASE_URL" in told[0]


def test_the_older_names_do_and_the_newer_ones_go_first() -> None:
    old = loaded(SUPABASE_URL=PROJECT["SUPABASE_URL"], **OLD)
    assert revealed(old.supabase_low_key) == "eyJ.a.b"
    assert revealed(old.supabase_high_key) == "eyJ.c.d"
    both = project(SUPABASE_SECRET_KEY="sb_secret_1", **OLD)
    assert revealed(both.supabase_low_key) == "sb_publishable_1"
    assert revealed(both.supabase_high_key) == "sb_secret_1"
    assert project().supabase_high_key is None


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://x.supabase.co", "https://x.supabase.co/auth/v1"),
        ("https://x.supabase.co/", "https://x.supabase.co/auth/v1"),
        ("http://127.0.0.1:54321", "http://127.0.0.1:54321/auth/v1"),
        ("https://db.example/supabase", "https://db.example/supabase/auth/v1"),
    ],
)
def test_where_the_auth_api_is(url: str, root: str) -> None:
    assert project(SUPABASE_URL=url).supabase_auth == root
    own = project(SUPABASE_URL=url, AUTHGATE_SUPABASE_AUTH_URL="https://auth.example/")
    assert own.supabase_auth == "https://auth.example"


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("x.supabase.co", "https://host"),
        ("https://x.supabase.co/auth/v1", "leave out /auth/v1"),
        ("https://x.supabase.co/rest/v1/", "leave out /rest/v1"),
        ("https://x.supabase.co?a=b", "https://host"),
        ("postgresql://x.supabase.co", "https://host"),
        ("http://x.supabase.co", "AUTHGATE_ALLOW_HTTP=true"),
        ("http://localhost.example", "AUTHGATE_ALLOW_HTTP=true"),
        ("http://127.0.0.1.example:80", "AUTHGATE_ALLOW_HTTP=true"),
    ],
)
def test_a_wrong_address(url: str, remedy: str) -> None:
    told = problems(**{**PROJECT, "SUPABASE_URL": url})
    assert told[0].startswith("SUPABASE_URL: ")
    assert remedy in told[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:54321", "[::1]:54321", "[::1]"])
def test_plain_http_stays_on_this_machine(host: str) -> None:
    project(SUPABASE_URL=f"http://{host}")


def test_plain_http_by_decision() -> None:
    url = "http://kong:8000"
    assert project(SUPABASE_URL=url, AUTHGATE_ALLOW_HTTP="true").supabase_url == url
    (told,) = problems(**PROJECT, AUTHGATE_SUPABASE_AUTH_URL="http://auth:9999")
    assert told.startswith("AUTHGATE_SUPABASE_AUTH_URL: ")


def test_a_second_factor_may_be_demanded_of_a_projects_people() -> None:
    assert project(AUTHGATE_REQUIRE_SECOND_FACTOR="true").require_second_factor
    (told,) = problems(
        **PROJECT, AUTHGATE_PASSWORDS="embedded", AUTHGATE_REQUIRE_SECOND_FACTOR="true"
    )
    assert told.startswith("AUTHGATE_REQUIRE_SECOND_FACTOR: ")


def test_no_key_is_ever_shown() -> None:
    keys = {**PROJECT, **OLD, "SUPABASE_SECRET_KEY": "sb_secret_1"}
    settings = loaded(**keys)
    shown = f"{settings!r} {settings} {settings.model_dump()}"
    told = problems(**{**keys, "AUTHGATE_CODE_TTL": "x", "SUPABASE_ANON_KEY": "eyJ.a.b c"})
    for key in ("sb_publishable_1", "sb_secret_1", "eyJ.a.b", "eyJ.c"):
        assert key not in shown
        assert key not in "\n".join(told)
