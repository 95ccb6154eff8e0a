"""Room for calls beside streams, and for everybody beside one person."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from authgate.gateway.slots import Slots
from authgate.protocol.errors import Reason
from tests.protocol.making import refused


def hold(stack: ExitStack, slots: Slots, sub: str, count: int, *, stream: bool) -> None:
    for _ in range(count):
        stack.enter_context(slots.taken(sub, stream=stream))


def test_streams_leave_room_for_calls() -> None:
    slots = Slots(total=100, each=8)
    with ExitStack() as held:
        hold(held, slots, "ada", 6, stream=True)
        with refused(Reason.UPSTREAM_BUSY) as caught, slots.taken("ada", stream=True):
            pass
        assert caught.value.retry_after == 1
        assert "this person's" in caught.value.sentence
        hold(held, slots, "ada", 2, stream=False)
        with refused(Reason.UPSTREAM_BUSY), slots.taken("ada", stream=False):
            pass
        hold(held, slots, "lin", 6, stream=True)  # nobody pays for somebody else's
        assert slots.open == 14
    assert slots.open == 0


def test_all_people_together() -> None:
    slots = Slots(total=4, each=100)
    with ExitStack() as held:
        for person in "abc":
            hold(held, slots, person, 1, stream=True)
        with refused(Reason.UPSTREAM_BUSY) as caught, slots.taken("d", stream=True):
            pass
        assert "all people's" in caught.value.sentence
        hold(held, slots, "d", 1, stream=False)
        with refused(Reason.UPSTREAM_BUSY), slots.taken("e", stream=False):
            pass


def test_all_strangers_together_leave_half() -> None:
    slots = Slots(total=8, each=1)
    with ExitStack() as held:
        hold(held, slots, "", 3, stream=True)
        with refused(Reason.UPSTREAM_BUSY), slots.taken("", stream=True):
            pass
        hold(held, slots, "", 1, stream=False)
        with refused(Reason.UPSTREAM_BUSY) as caught, slots.taken("", stream=False):
            pass
        assert "all strangers'" in caught.value.sentence
        for person in "abcd":
            hold(held, slots, person, 1, stream=False)
    with ExitStack() as held:  # where nobody is refused they have all of it
        for _ in range(8):
            held.enter_context(slots.taken("", stream=False, bounded=False))
        with refused(Reason.UPSTREAM_BUSY) as caught, slots.taken("", stream=False, bounded=False):
            pass
        assert "all people's" in caught.value.sentence
    assert slots.open == 0


@pytest.mark.parametrize("stream", [True, False])
def test_the_smallest(stream: bool) -> None:
    slots = Slots(total=1, each=1)
    with slots.taken("ada", stream=stream):
        assert slots.open == 1
    with slots.taken("lin", stream=stream):
        assert slots.open == 1


def test_what_ends_badly_gives_its_room_back() -> None:
    slots = Slots(total=10, each=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.taken("ada", stream=False):
            raise ZeroDivisionError
    assert slots.open == 0
    assert not slots._by_person  # or it would grow by everybody who ever called
