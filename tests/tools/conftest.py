"""Fixtures of this folder: real parts, and the endpoint over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from authgate.steps.parts import Parts
from authgate.tools import ToolsEndpoint
from authgate.tools.catalogue import toolbox
from tests.tools.serving import ISSUER, parts_in


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    async with parts_in(tmp_path) as made:
        yield made


@pytest.fixture
async def endpoint(parts: Parts) -> AsyncIterator[ToolsEndpoint]:
    """The tools' endpoint; browsers may call from our own origin only."""
    made = ToolsEndpoint(toolbox(parts), lambda origin: origin == ISSUER)
    yield made
    await made.close()
