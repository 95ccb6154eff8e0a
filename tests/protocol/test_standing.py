"""How long a word on a person is believed."""

from __future__ import annotations

import pytest

from authgate.protocol.policy import Policy
from authgate.protocol.standing import believed_for, directory_of, is_workos_id, refresh_until
from authgate.security.digests import new_identifier
from tests.protocol.making import NOW

POLICY = Policy(
    "https://auth.example", ("https://auth.example/mcp",), ("mcp:use",), outage_grace=900
)


@pytest.mark.parametrize(("age", "left"), [(0, 900), (1, 899), (900, 0), (901, None), (-5, 905)])
def test_a_word_is_believed_to_the_last_second_of_the_grace(age: int, left: int | None) -> None:
    assert believed_for(age, POLICY) == left


def test_without_a_recheck_a_sign_in_is_worth_a_day() -> None:
    idle = NOW + POLICY.refresh_token_ttl
    assert refresh_until(POLICY, NOW - 100, NOW, can_recheck=True) == idle
    day = NOW - 100 + POLICY.unchecked_ttl
    assert refresh_until(POLICY, NOW - 100, NOW, can_recheck=False) == day < idle


@pytest.mark.parametrize(
    ("sub", "directory"),
    [
        ("ag_" + "aZ9_-aZ9_-aZ9_-aZ9_-aZ", "embedded"),
        ("0b1c2d3e-4f5a-6789-abcd-ef0123456789", "supabase"),
        ("0B1C2D3E-4F5A-6789-ABCD-EF0123456789", None),
        ("0b1c2d3e4f5a6789abcdef0123456789", None),
        ("ag_short", None),
        ("user_01ABC", None),
        ("person@example.com", None),
        ("", None),
    ],
)
def test_an_identifier_shows_whose_it_is(sub: str, directory: str | None) -> None:
    assert directory_of(sub) == directory
    assert directory_of(sub + "\n") is None


def test_our_own_new_identifiers_are_known_by_their_form() -> None:
    assert directory_of(new_identifier("ag_")) == "embedded"


def test_the_form_of_a_workos_user() -> None:
    assert is_workos_id("user_01HXYZABC")
    for other in ("user_", "client_01A", "user_01\n", "User_01", "user_" + "x" * 200, "user_a b"):
        assert not is_workos_id(other)
