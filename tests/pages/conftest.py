from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pages import house as making
from tests.pages.house import Browser, House

Build = Callable[..., Awaitable[House]]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and three people, made once and copied for each test."""
    path = tmp_path_factory.mktemp("pages") / "authgate.sqlite3"

    async def make() -> None:
        house = await making.build(path)
        await house.parts.store.close()

    asyncio.run(make())
    return path


@pytest.fixture
async def build(template: Path, tmp_path: Path) -> AsyncIterator[Build]:
    """Makes houses of this test; closes them afterwards."""
    houses: list[House] = []

    async def one(**choices: Any) -> House:
        database = tmp_path / f"{len(houses)}.sqlite3"
        shutil.copy(template, database)
        houses.append(await making.build(database, **choices))
        return houses[-1]

    yield one
    for house in houses:
        await house.parts.store.close()


@pytest.fixture
async def house(build: Build) -> House:
    return await build()


@pytest.fixture
def browser(house: House) -> Browser:
    return house.browser()
