"""The vault: sealing, keyed digests, weak secrets, and the key file."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authgate.security.secret_file import SecretKeyUnusable
from authgate.security.vault import SealedValueUnreadable, Vault
from tests.clauses import clause
from tests.security.making import OTHER_SECRET, SECRET, make_vault


def test_what_is_sealed_can_be_opened_and_not_read() -> None:
    vault = make_vault()
    sealed = vault.seal("a private key — ключ")
    assert "private" not in sealed
    assert sealed.isascii()
    assert vault.open(sealed) == "a private key — ключ"


def test_a_new_secret_in_front_still_opens_what_the_old_one_sealed() -> None:
    sealed = make_vault(OTHER_SECRET).seal("text")
    both = make_vault(SECRET, OTHER_SECRET)
    assert both.open(sealed) == "text"
    assert make_vault(SECRET).open(both.seal("new")) == "new"  # the newest seals


@pytest.mark.parametrize("sealed", ["", "nonsense", "gAAAAA", "é", "\ud800", "A" * 200])
def test_what_no_secret_opens_names_the_setting(sealed: str) -> None:
    with pytest.raises(SealedValueUnreadable, match="AUTHGATE_SECRET_KEY"):
        make_vault().open(sealed)


def test_a_sealed_value_of_another_secret_or_another_purpose_stays_shut() -> None:
    with pytest.raises(SealedValueUnreadable):
        make_vault(SECRET).open(make_vault(OTHER_SECRET).seal("text"))
    with pytest.raises(SealedValueUnreadable):
        make_vault().open(make_vault().seal("text", purpose="one"), purpose="two")


def test_macs_differ_by_purpose_and_secret_and_come_newest_first() -> None:
    both = make_vault(SECRET, OTHER_SECRET)
    assert both.mac("form", b"x") != both.mac("other", b"x")
    assert both.macs("form", b"x") == (
        make_vault(SECRET).mac("form", b"x"),
        make_vault(OTHER_SECRET).mac("form", b"x"),
    )


@clause("OAuth 2.1", "4.3.1")
def test_every_worker_derives_the_same_successor_of_a_refresh_token() -> None:
    """One successor, ever: the repeat in the grace window gets it again, from any worker."""
    token = secrets.token_urlsafe(32)
    candidates = make_vault(SECRET, OTHER_SECRET).derive_successor(token)
    assert candidates[0] == make_vault(SECRET).derive_successor(token)[0]
    assert candidates[1] == make_vault(OTHER_SECRET).derive_successor(token)[0]
    assert all(len(c) == 43 and set(c) <= _BASE64URL for c in candidates)
    assert make_vault().derive_successor(token + "x") != make_vault().derive_successor(token)


_BASE64URL = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_nothing_of_the_secret_shows() -> None:
    vault = make_vault()
    vault.seal("x")
    shown = repr(vault) + str(vault) + format(vault)
    assert SECRET not in shown
    assert SECRET[:8] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(vault)
    with pytest.raises(TypeError):
        copy.deepcopy(vault)


@pytest.mark.parametrize(
    "weak",
    [
        "tooshort",
        "x" * 31,
        "a" * 64,
        "changeme" * 8,
        "password1234" * 4,
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "0123456789" * 5,
        "00000000000000000000000000000001",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
    ],
)
def test_a_weak_secret_is_refused_by_name_and_without_showing_it(weak: str) -> None:
    with pytest.raises(SecretKeyUnusable, match="AUTHGATE_SECRET_KEY") as caught:
        Vault.from_setting(weak)
    assert weak not in str(caught.value)
    with pytest.raises(SecretKeyUnusable):
        Vault.from_setting(f"{SECRET},{weak}")


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["hex", "digits", "base64"]))
def test_random_secrets_are_never_called_weak(random: object, kind: str) -> None:
    alphabet = {"hex": "0123456789abcdef", "digits": "0123456789"}.get(kind, "".join(_BASE64URL))
    secret = "".join(secrets.choice(alphabet) for _ in range(40))
    Vault.from_setting(secret)


@pytest.mark.parametrize("empty", ["", " ", ",", " , ,"])
def test_a_setting_without_a_secret_is_refused(empty: str) -> None:
    with pytest.raises(SecretKeyUnusable, match="AUTHGATE_SECRET_KEY"):
        Vault.from_setting(empty)


def test_blanks_around_the_secrets_of_a_setting_do_not_count() -> None:
    sealed = Vault.from_setting(f" {SECRET} ").seal("x")
    assert Vault.from_setting(f"{OTHER_SECRET} ,\t{SECRET},").open(sealed) == "x"


# --- the file --------------------------------------------------------------------------------


def test_the_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "authgate"
    sealed = Vault.from_folder(folder).seal("x")
    assert Vault.load(None, folder).open(sealed) == "x"
    assert Vault.load("", folder).open(sealed) == "x"
    assert [p.name for p in folder.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_setting_goes_before_the_file_and_makes_none(tmp_path: Path) -> None:
    assert Vault.load(SECRET, tmp_path).open(make_vault().seal("x")) == "x"
    assert not list(tmp_path.iterdir())


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, time, pathlib\n"
        "from authgate.security.vault import Vault\n"
        "sys.stdout.write('.'); sys.stdout.flush(); sys.stdin.readline()\n"
        "print(Vault.from_folder(pathlib.Path(sys.argv[1])).mac('t', b'').hex())\n"
    )
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "data")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in crowd:
        assert process.stdout is not None
        assert process.stdout.read(1) == "."
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=30)[0] for process in crowd}
    assert len(answers) == 1
    assert [process.returncode for process in crowd] == [0] * 6
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_a_file_that_others_can_read_is_closed_up_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret.key"
    path.write_text(SECRET + "\n")
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        vault = Vault.from_folder(tmp_path)
    assert vault.open(make_vault().seal("x")) == "x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "0644" in caplog.text
    assert SECRET not in caplog.text


def test_a_file_that_cannot_be_closed_up_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.key"
    path.write_text(SECRET)
    path.chmod(0o640)

    def refuse(handle: int, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refuse)
    with pytest.raises(SecretKeyUnusable, match="chmod 600"):
        Vault.from_folder(tmp_path)


def test_a_folder_that_cannot_hold_the_file_is_a_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(SecretKeyUnusable, match="AUTHGATE_SECRET_KEY"):
        Vault.from_folder(tmp_path / "taken")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00", b"too short"])
def test_a_damaged_file_is_refused_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A new key in its place would make every sealed value unreadable without a word."""
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SecretKeyUnusable):
        Vault.from_folder(tmp_path)
    assert path.read_bytes() == content


def test_the_file_may_hold_several_secrets_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text(f"{SECRET}\n{OTHER_SECRET}\n")
    path.chmod(0o600)
    assert Vault.from_folder(tmp_path).open(make_vault(OTHER_SECRET).seal("x")) == "x"
