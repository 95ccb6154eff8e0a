from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.endpoints.conftest import gate, open_gate
from tests.live import LiveServer

__all__ = ["gate", "open_gate"]


@pytest.fixture(scope="module")
def two_workers() -> Iterator[LiveServer]:
    """A real server of two processes on one database."""
    with LiveServer(workers=2) as server:
        yield server
