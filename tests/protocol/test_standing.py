"""How long a word on a person is believed."""

from __future__ import annotations

import pytest

from authgate.protocol.policy import Policy
from authgate.protocol.standing import believed_for, refresh_until
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
