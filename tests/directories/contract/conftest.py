"""One fixture: the directory under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.directories.contract.cases import CASES, DirectoryCase


@pytest.fixture(params=sorted(CASES))
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DirectoryCase]:
    async with CASES[request.param](tmp_path) as made:
        yield made
