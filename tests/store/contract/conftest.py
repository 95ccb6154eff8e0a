"""The `store` fixture: an open, empty store of each engine in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from authgate.store.contract import Store
from tests.store.contract.engines import ENGINES, Engine


@pytest.fixture(scope="session")
def engines_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, engines_folder: Path) -> Engine:
    folder = engines_folder / f"{request.param}-{len(list(engines_folder.iterdir()))}"
    folder.mkdir()
    return ENGINES[request.param](folder)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    store = engine.store()
    await store.open()
    yield store
    await store.close()
