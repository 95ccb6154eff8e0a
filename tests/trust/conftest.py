from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.endpoints.conftest import gate, open_gate
from tests.live import ALICE, LiveServer, Person
from tests.trust.walk import Walk

__all__ = ["gate", "open_gate"]


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LiveServer]:
    """A real server of two processes on one database."""
    with LiveServer(workers=2) as server:
        yield server


NewWalk = Callable[..., Walk]


@pytest.fixture
def new_walk(two_workers: LiveServer) -> Iterator[NewWalk]:
    """Makes browsers at the two workers; closes them afterwards."""
    walks: list[Walk] = []

    def one(person: Person = ALICE) -> Walk:
        walks.append(Walk(two_workers.url, person))
        return walks[-1]

    yield one
    for walk in walks:
        walk.close()


@pytest.fixture
def walk(new_walk: NewWalk) -> Walk:
    """Alice's browser."""
    return new_walk()
