"""authgate.toml: what it may hold, and that everything wrong with it is told at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from authgate.protocol.rollout import Mode
from authgate.settings import LiveSettings, SettingsError, load_live
from authgate.settings.file import MAX_SIZE, FileWrong, parse
from tests.settings.conftest import loaded, problems

WHOLE = """
rollout = "optional"
tools_list = "annotate"
default_scope = "mcp:use"
first_scope = "mcp:use files:read"

[legacy]
supabase_tokens_until = 2027-03-31
api_keys_until = "2027-06-30T12:00:00+02:00"
unknown = "refuse"

[anonymous]
tools = ["search*", "whoami"]
methods = ["resources/*"]

[tools]
"files_*" = "files:read"
"files.write" = ["files:read", "files:write"]
free = ""

[scopes]
"files" = ["files:read", "files:write"]
"""


def said(text: str) -> list[str]:
    """What is wrong with a file."""
    with pytest.raises(FileWrong) as caught:
        parse(text.encode(), "authgate.toml")
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_everything_it_may_hold() -> None:
    file = parse(WHOLE.encode(), "authgate.toml", 7)
    assert file.rollout is Mode.OPTIONAL
    assert file.supabase_tokens_until == datetime(2027, 4, 1, tzinfo=UTC).timestamp()
    assert file.api_keys_until == datetime(2027, 6, 30, 10, tzinfo=UTC).timestamp()
    assert not file.pass_unknown
    assert file.anonymous_tools == ("search*", "whoami")
    assert file.anonymous_methods == ("resources/*",)
    assert dict(file.tools) == {
        "files_*": ("files:read",),
        "files.write": ("files:read", "files:write"),
        "free": (),
    }
    assert list(file.tools) == ["files_*", "files.write", "free"]
    assert (file.tools_list, file.default_scope) == ("annotate", ("mcp:use",))
    assert file.first_scope == ("mcp:use", "files:read")
    assert dict(file.implied_scopes) == {"files": ("files:read", "files:write")}
    assert set(file.scopes_named) == {"mcp:use", "files", "files:read", "files:write"}
    assert file.changed_at == 7


def test_nothing_is_required_of_it() -> None:
    assert parse(b"", "authgate.toml") == LiveSettings()
    assert LiveSettings().rollout is None
    assert LiveSettings().pass_unknown


def test_it_does_not_change() -> None:
    file = parse(WHOLE.encode(), "authgate.toml")
    with pytest.raises(AttributeError):
        file.rollout = Mode.OFF  # type: ignore[misc]
    with pytest.raises(TypeError):
        file.tools["x"] = ()  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('rolout = "off"', "there is no 'rolout'; it may hold rollout, tools_list, default_scope"),
        ('rollout = "maybe"', "rollout: write off, observe, optional or required"),
        ("rollout = true", "rollout: write off, observe"),
        ("rollout = []", "rollout: write off, observe"),
        ("[legacy]\nsupabase_until = 2027-03-31", "legacy: there is no 'supabase_until' in it; it"),
        ("[legacy]\napi_keys_until = 2027-03-31T12:00:00", "a time with its zone"),
        ('[legacy]\napi_keys_until = "soon"', "legacy.api_keys_until: write a date, 2027-03-31"),
        ('[legacy]\napi_keys_until = "2027-02-30"', "write a date"),
        ("[legacy]\napi_keys_until = 20270331", "write a date"),
        ("[legacy]\napi_keys_until = 9999-12-31", "write a date"),
        ("[legacy]\napi_keys_until = 9999-12-31T23:59:59-12:00", "write a date"),
        ("[legacy]\nsupabase_tokens_until = 0001-01-01T00:00:00+14:00", "write a date"),
        ('[legacy]\nunknown = "drop"', "legacy.unknown: write pass, or refuse"),
        ("legacy = 1", "legacy: it is a table; write [legacy]"),
        ('[anonymous]\ntools = "search"', "anonymous.tools: write a list of patterns"),
        ('[anonymous]\ntools = ["a b"]', "'a b' is no pattern"),
        ("[anonymous]\nmethods = [1]", "1 is no pattern"),
        ("tools = 1", "tools: write a table"),
        ('[tools]\n"a b" = "x"', "tools: 'a b' is no pattern"),
        ("[tools]\nadd = 1", 'tools: "add": write scope names'),
        ("[tools]\nadd = ['a\"b']", "a scope name has no"),
        ('[tools]\nfiles.read = "x"', 'tools: "files": put the whole pattern in quotes'),
        ('tools_list = "hide"', "tools_list: write all, filter or annotate"),
        ("default_scope = 1", "default_scope: write scope names"),
        ("first_scope = 1", "first_scope: write scope names"),
        ("scopes = 1", "scopes: write a table of scopes"),
        ('[scopes]\n"a b" = "x"', "scopes: a scope name has no"),
        ("[scopes]\nfiles = 1", 'scopes: "files": write scope names'),
        ('[scopes]\nfiles.all = "x"', 'scopes: "files": put the whole name in quotes'),
        ("rollout = off", "this is no TOML"),
        ("rollout = 'off'\nrollout = 'off'", "this is no TOML"),
        ("a = " + "[" * 3000, "this is no TOML"),
    ],
)
def test_what_is_refused_and_the_fix(text: str, remedy: str) -> None:
    (problem,) = said(text)
    assert problem.startswith("authgate.toml: ")
    assert remedy in problem
    assert problem.endswith(".")


def test_what_is_no_text() -> None:
    with pytest.raises(FileWrong, match="not UTF-8"):
        parse(b"rollout = '\xff'", "authgate.toml")


def test_all_problems_are_told_at_once() -> None:
    text = 'rollout = "on"\nx = 1\n[legacy]\ny = 1\nunknown = 1\n[tools]\nadd = 1\n'
    assert len(said(text)) == 5


def test_its_problems_are_among_those_of_the_settings(place: Path) -> None:
    (place / "authgate.toml").write_text('rollout = "on"\nx = 1\n')
    told = problems(AUTHGATE_CODE_TTL="soon")
    assert [line.partition(":")[0] for line in told] == [
        "AUTHGATE_CODE_TTL",
        "authgate.toml",
        "authgate.toml",
    ]


def test_where_it_is(place: Path) -> None:
    assert load_live(loaded()) == LiveSettings()
    (place / "authgate.toml").write_text('rollout = "off"\n')
    (place / "other.toml").write_text('rollout = "observe"\n')
    assert load_live(loaded()).rollout is Mode.OFF
    other = loaded(AUTHGATE_CONFIG_FILE=str(place / "other.toml"))
    assert load_live(other).rollout is Mode.OBSERVE
    assert load_live(other).changed_at > 1_700_000_000
    (place / "other.toml").unlink()
    assert load_live(other) == LiveSettings()
    with pytest.raises(FileNotFoundError):
        load_live(other, must_exist=True)


def test_what_cannot_be_read(place: Path) -> None:
    (place / "authgate.toml").mkdir()
    (told,) = problems()
    assert told == "authgate.toml: it is not a file; put one there, or remove it."
    (place / "authgate.toml").rmdir()
    (place / "authgate.toml").write_bytes(b"#" * (MAX_SIZE + 1))
    (told,) = problems()
    assert "larger than" in told


def test_scopes_that_nobody_can_be_granted(place: Path) -> None:
    """A client that is asked for one would come back without it, for ever."""
    (place / "authgate.toml").write_text('default_scope = "email"\n[tools]\nadd = "files:read"\n')
    (told,) = problems()
    assert told.startswith("authgate.toml: tools: ")
    assert "email files:read" in told
    assert "AUTHGATE_SCOPES" in told
    loaded(AUTHGATE_SCOPES="mcp:use files:read email")


def test_authkit_grants_four_and_no_other(place: Path) -> None:
    authkit = {
        "AUTHGATE_ISSUER": "authkit",
        "WORKOS_AUTHKIT_DOMAIN": "https://a.authkit.app",
        "WORKOS_API_KEY": "sk_test_1",
    }
    (place / "authgate.toml").write_text('[tools]\nadd = "email"\nsub = "files:read"\n')
    (told,) = problems(**authkit, AUTHGATE_SCOPES="files:read")
    assert "ever be granted files:read," in told
    assert "AuthKit grants openid, profile, email, offline_access" in told
    (place / "authgate.toml").write_text('[scopes]\nopenid = "files:read"\n')
    (told,) = problems(**authkit, AUTHGATE_SCOPES="files:read")
    assert "ever be granted files:read;" in told or "files:read, " in told
    (place / "authgate.toml").write_text('[tools]\nadd = "email"\n')
    assert load_live(loaded(**authkit)).scopes_named == ("email",)


def test_an_error_is_the_settings_own_kind(place: Path) -> None:
    settings = loaded()
    (place / "authgate.toml").write_text("x = 1")
    with pytest.raises(SettingsError) as caught:
        load_live(settings)
    assert len(caught.value.problems) == 1
