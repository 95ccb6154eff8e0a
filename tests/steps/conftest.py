"""A whole authgate below HTTP for each test: the real parts, a settable clock, cheap passwords."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.steps.making import World, opened_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened_world(tmp_path / "authgate.db") as opened:
        yield opened
