"""The directory under test: `case` has passwords, `any_case` need not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.directories.contract.cases import ALL_CASES, CASES, DirectoryCase


@pytest.fixture(params=sorted(CASES))
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DirectoryCase]:
    async with CASES[request.param](tmp_path) as made:
        yield made


@pytest.fixture(params=sorted(ALL_CASES))
async def any_case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DirectoryCase]:
    async with ALL_CASES[request.param](tmp_path) as made:
        yield made
