"""Where settings come from, which of two wins, and what is refused as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from authgate.settings import SettingsError, load
from tests.settings.conftest import loaded, problems


def test_with_nothing_set_it_works_on_loopback() -> None:
    settings = loaded()
    assert settings.public == "http://localhost:8000"
    assert settings.sqlite_path == Path("~/.local/share/authgate/authgate.db").expanduser()
    assert (settings.issuer, settings.passwords, settings.social) == ("builtin", None, None)
    assert settings.scopes == ("mcp:use",)


def test_an_unset_public_url_names_the_port() -> None:
    assert load(port=9000).public_url == "http://localhost:9000"
    assert loaded(AUTHGATE_PUBLIC_URL="https://auth.example").public == "https://auth.example"


def test_the_last_line_of_a_file_wins(place: Path) -> None:
    (place / ".env").write_text("AUTHGATE_CODE_TTL=30\nLOG_LEVEL=DEBUG\nAUTHGATE_CODE_TTL=45\n")
    assert loaded().code_ttl == 45
    assert loaded().log_level == "DEBUG"


def test_the_guides_two_commands_work(place: Path) -> None:
    """cp .env.example .env; echo "WORKOS_API_KEY=…" >> .env"""
    example = Path(__file__).parents[2] / ".env.example"
    (place / ".env").write_text(
        example.read_text() + "WORKOS_API_KEY=sk_test_1\nWORKOS_CLIENT_ID=client_1\n"
    )
    settings = loaded()
    assert settings.workos_api_key is not None
    assert settings.workos_api_key.get_secret_value() == "sk_test_1"
    assert settings.workos_client_id == "client_1"
    assert "sk_test_1" not in repr(settings)


def test_every_line_of_the_example_is_the_default(place: Path) -> None:
    """With every # taken away nothing changes."""
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    lines = [line.removeprefix("#") for line in example.splitlines() if not line.startswith("# ")]
    (place / ".env").write_text("\n".join(lines))
    with_all, without = loaded(), load(place / "none")
    owners = {"passwords", "social"}  # named in the file, found out when unset: the same thing
    assert with_all.model_dump(exclude=owners) == without.model_dump(exclude=owners)


@pytest.mark.parametrize("empty", ["", "\nAUTHGATE_CODE_TTL="])
def test_empty_is_unset_in_a_file(place: Path, empty: str) -> None:
    (place / ".env").write_text(f"AUTHGATE_PUBLIC_URL=\nAUTHGATE_RESOURCES={empty}\n")
    assert loaded().public == "http://localhost:8000"
    assert loaded().code_ttl == 60


def test_empty_is_unset_in_the_environment(place: Path) -> None:
    (place / ".env").write_text("AUTHGATE_CODE_TTL=30\n")
    settings = loaded(AUTHGATE_CODE_TTL="", LOG_LEVEL="", AUTHGATE_SCOPES="", AUTHGATE_GONE="")
    assert (settings.code_ttl, settings.log_level, settings.scopes) == (30, "INFO", ("mcp:use",))


def test_the_environment_goes_before_the_file(place: Path) -> None:
    (place / ".env").write_text("AUTHGATE_CODE_TTL=30\n")
    assert loaded(AUTHGATE_CODE_TTL="50").code_ttl == 50


def test_a_file_of_another_name_replaces_the_usual_one(place: Path) -> None:
    (place / ".env").write_text("AUTHGATE_CODE_TTL=30\n")
    (place / "production").write_text("AUTHGATE_REFRESH_GRACE=5\n")
    settings = load(place / "production")
    assert (settings.code_ttl, settings.refresh_grace) == (60, 5)


def test_all_problems_are_told_at_once(place: Path) -> None:
    (place / ".env").write_text("AUTHGATE_PUBLIC_ULR=https://auth.example\n")
    told = problems(
        AUTHGATE_CODE_TTL="soon",
        AUTHGATE_ISSUER="authkit",
        AUTHGATE_PUBLIC_URL="http://auth.example",
        AUTHGATE_WORKER="4",
        LOG_LEVEL="LOUD",
    )
    names = {line.partition(":")[0] for line in told}
    assert names == {
        "AUTHGATE_CODE_TTL",
        "AUTHGATE_PUBLIC_ULR",
        "AUTHGATE_PUBLIC_URL",
        "AUTHGATE_WORKER",
        "LOG_LEVEL",
        "WORKOS_API_KEY",
        "WORKOS_AUTHKIT_DOMAIN",
    }
    assert len(told) == 7


def test_unknown_names_of_ours_are_refused_wherever_they_stand(place: Path) -> None:
    assert "AUTHGATE_CODE_TLT" in problems(AUTHGATE_CODE_TLT="60")[0]
    (place / ".env").write_text("AUTHGATE_CODE_TLT=60\nSOMEBODY_ELSES=1\n")
    assert problems() == [
        "AUTHGATE_CODE_TLT: there is no such setting; see .env.example for the names."
    ]


def test_names_for_tests_are_nobodys_business(place: Path) -> None:
    (place / ".env").write_text("AUTHGATE_TEST_FILE=1\n")
    loaded(AUTHGATE_TEST_ANYTHING="1")


def test_a_file_that_cannot_be_read_is_a_problem_and_no_traceback(place: Path) -> None:
    (place / ".env").write_bytes(b"AUTHGATE_SCOPES=\xff\xfe\n")
    assert problems() == [".env: it cannot be read (UnicodeDecodeError); mend or remove it."]


def test_settings_do_not_change(place: Path) -> None:
    settings = load(place / "none")
    with pytest.raises(ValueError, match="frozen"):
        settings.code_ttl = 1


def test_a_problem_never_repeats_a_secret() -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(AUTHGATE_SECRET_KEY="hunter2", WORKOS_API_KEY="sk_live_9", AUTHGATE_CODE_TTL="x")
    assert "hunter2" not in str(caught.value)
    assert "sk_live_9" not in str(caught.value)
