"""A session id opens for the person it was sealed for, everywhere, and for nobody else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authgate.gateway.sessions import Sessions
from authgate.security.vault import Vault

OLD = "an old secret of 40 characters, 7f3KzQ9w"
NEW = "a new secret of 40 characters, Xy82LmPq0"
VISIBLE = st.text([chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=80)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(Vault([NEW]))


@given(sub=st.text(max_size=40), session=VISIBLE)
def test_what_is_sealed_opens_for_its_person(sub: str, session: str) -> None:
    here, elsewhere = Sessions(Vault([NEW])), Sessions(Vault([NEW]))
    sealed = here.seal(sub, session.encode())
    assert re.fullmatch(rb"[\x21-\x7e]+", sealed)  # MCP 2025-11-25, session management
    assert sealed == elsewhere.seal(sub, session.encode())
    assert elsewhere.open(sub, sealed) == session.encode()
    assert elsewhere.open(sub + "x", sealed) is None


@pytest.mark.parametrize(
    "given_id", [b"", b".", b"abc", b"abc.", b"abc.short", b"abc." + b"A" * 22, b"." + b"A" * 22]
)
def test_what_was_never_sealed(sessions: Sessions, given_id: bytes) -> None:
    assert sessions.open("ada", given_id) is None


def test_a_seal_is_for_one_session(sessions: Sessions) -> None:
    one, other = sessions.seal("ada", b"one"), sessions.seal("ada", b"other")
    assert sessions.open("ada", b"one." + other.rpartition(b".")[2]) is None
    assert sessions.open("ada", one + b"A") is None
    assert sessions.open("ada", one[:-1]) is None
    assert sessions.open("ada", b"x" + one) is None


def test_person_and_session_cannot_run_into_each_other(sessions: Sessions) -> None:
    sealed = sessions.seal("ada", b"bsession")
    assert sessions.open("adab", b"session." + sealed.rpartition(b".")[2]) is None


def test_a_new_secret_before_the_old_one() -> None:
    before, after = Sessions(Vault([OLD])), Sessions(Vault([NEW, OLD]))
    sealed = before.seal("ada", b"session")
    assert after.open("ada", sealed) == b"session"
    assert after.seal("ada", b"session") != sealed
    assert Sessions(Vault([NEW])).open("ada", sealed) is None
