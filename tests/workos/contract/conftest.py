"""The WorkOS environment under test: `tenant` need have no AuthKit, `authkit` has one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.workos.contract.cases import AUTHKIT_CASES, CASES, Tenant


@pytest.fixture(params=sorted(CASES))
async def tenant(request: pytest.FixtureRequest) -> AsyncIterator[Tenant]:
    async with CASES[request.param]() as opened:
        yield opened


@pytest.fixture(params=sorted(AUTHKIT_CASES))
async def authkit(request: pytest.FixtureRequest) -> AsyncIterator[Tenant]:
    async with AUTHKIT_CASES[request.param]() as opened:
        yield opened
