"""The WorkOS environment under test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workos.contract.cases import CASES, Tenant


@pytest.fixture(params=sorted(CASES))
async def tenant(request: pytest.FixtureRequest) -> AsyncIterator[Tenant]:
    async with CASES[request.param]() as opened:
        yield opened
