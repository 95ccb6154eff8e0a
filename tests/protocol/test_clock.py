"""How far a clock may be off."""

from __future__ import annotations

import pytest

from authgate.protocol.clock import judge, offset


@pytest.mark.parametrize(
    ("seconds", "judged"),
    [
        (0.0, "fine"),
        (4.9, "fine"),
        (-4.9, "fine"),
        (5.0, "warn"),
        (-59.9, "warn"),
        (60.0, "error"),
        (-300.0, "error"),
    ],
)
def test_what_a_difference_is_worth(seconds: float, judged: str) -> None:
    assert judge(seconds) == judged


def test_a_slow_answer_is_no_wrong_clock() -> None:
    assert offset(100.0, 130.0, 100.0) == 0.0
    assert offset(100.0, 130.0, 130.0) == 0.0
    assert offset(100.0, 102.0, 90.0) == 10.0
    assert offset(100.0, 102.0, 110.0) == -8.0


def test_five_minutes_are_seen_whatever_the_answer_took() -> None:
    assert judge(offset(1300.0, 1301.0, 1000.5)) == "error"
    assert judge(offset(700.0, 701.0, 1000.5)) == "error"
