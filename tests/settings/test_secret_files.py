"""Secrets from files: `NAME_FILE` for every setting that holds one, and for no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authgate.settings import SettingsError, environment_names
from authgate.settings.secret_files import LARGEST, names
from tests.settings.conftest import loaded, problems

SECRET = "a-secret-of-thirty-two-characters-or-more"


def written(place: Path, content: str | bytes) -> str:
    """A file that holds it; its path, as it is set."""
    file = place / "secret"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(file)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_it_is_the_value_without_the_end_of_its_line(place: Path, end: str) -> None:
    settings = loaded(AUTHGATE_SECRET_KEY_FILE=written(place, SECRET + end))
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_a_second_line_is_part_of_the_value_and_judged_as_such(place: Path) -> None:
    (told,) = problems(WORKOS_API_KEY_FILE=written(place, "sk_test_1\n\n"))
    assert told.startswith("WORKOS_API_KEY: copy the key again")


def test_every_secret_has_such_a_name_and_nothing_else() -> None:
    assert set(names().values()) < set(environment_names())
    assert {
        "AUTHGATE_SECRET_KEY_FILE",
        "WORKOS_API_KEY_FILE",
        "WORKOS_WEBHOOK_SECRET_FILE",
        "SUPABASE_SECRET_KEY_FILE",
        "SUPABASE_SERVICE_ROLE_KEY_FILE",
    } <= names().keys()
    assert "AUTHGATE_PUBLIC_URL_FILE" not in names()
    assert not names().keys() & environment_names().keys(), "a name with two meanings"
    assert problems(AUTHGATE_PUBLIC_URL_FILE="somewhere") == [
        "AUTHGATE_PUBLIC_URL_FILE: there is no such setting; see .env.example for the names."
    ]


def test_it_may_stand_in_the_settings_file_and_empty_is_unset(place: Path) -> None:
    file = written(place, SECRET)
    (place / ".env").write_text(f"AUTHGATE_SECRET_KEY_FILE={file}\nWORKOS_API_KEY_FILE=\n")
    settings = loaded()
    assert settings.secret_key is not None
    assert settings.workos_api_key is None
    (place / ".env").write_text(f"AUTHGATE_SECRET_KEY=\nAUTHGATE_SECRET_KEY_FILE={file}\n")
    assert loaded().secret_key is not None


@pytest.mark.parametrize("beside", ["environment", "file"])
def test_both_at_once_are_refused(place: Path, beside: str) -> None:
    told = ["AUTHGATE_SECRET_KEY_FILE: AUTHGATE_SECRET_KEY is set too; leave one of the two."]
    file = written(place, SECRET)
    if beside == "environment":
        assert problems(AUTHGATE_SECRET_KEY=SECRET, AUTHGATE_SECRET_KEY_FILE=file) == told
    else:
        (place / ".env").write_text(f"AUTHGATE_SECRET_KEY={SECRET}\n")
        assert problems(AUTHGATE_SECRET_KEY_FILE=file) == told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; write the secret into it"),
        (b" \n", "is empty; write the secret into it"),
        (b"\xff\xfe", "cannot be read (UnicodeDecodeError); mend it, or who may read it"),
        (b"x" * (LARGEST + 1), f"is larger than {LARGEST} bytes; that is no secret"),
    ],
)
def test_what_is_no_secret_is_said_without_repeating_it(
    place: Path, content: bytes, said: str
) -> None:
    file = written(place, content)
    assert problems(AUTHGATE_SECRET_KEY_FILE=file) == [f"AUTHGATE_SECRET_KEY_FILE: {file} {said}."]


def test_a_file_that_is_missing_or_none_is_told(place: Path) -> None:
    (missing,) = problems(AUTHGATE_SECRET_KEY_FILE=str(place / "nowhere"))
    assert missing == (
        "AUTHGATE_SECRET_KEY_FILE: there is no such file; write the path of the file here, and the "
        "secret into it."
    )
    (place / "lost").symlink_to(place / "nowhere")
    (lost,) = problems(AUTHGATE_SECRET_KEY_FILE=str(place / "lost"))
    assert lost.endswith("lost cannot be read (FileNotFoundError); mend it, or who may read it.")
    (folder,) = problems(AUTHGATE_SECRET_KEY_FILE=str(place))
    assert "IsADirectoryError" in folder or "is no ordinary file" in folder
    os.mkfifo(place / "fifo")
    (fifo,) = problems(AUTHGATE_SECRET_KEY_FILE=str(place / "fifo"))
    assert fifo.endswith("fifo is no ordinary file; write the secret into one.")


def test_a_weak_secret_in_a_file_is_as_weak(place: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(AUTHGATE_SECRET_KEY_FILE=written(place, "hunter2"))
    assert caught.value.problems[0].startswith("AUTHGATE_SECRET_KEY: ")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("given", [SECRET, "~nobody-of-this-name/" + SECRET, SECRET * 200])
def test_a_secret_under_the_name_of_its_file_is_not_repeated(given: str) -> None:
    (told,) = problems(AUTHGATE_SECRET_KEY_FILE=given)
    assert told.startswith("AUTHGATE_SECRET_KEY_FILE: there is no such file")
    assert SECRET not in told
