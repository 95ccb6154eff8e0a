"""Fixtures of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from authgate.observe import log
from authgate.store.sqlite import SqliteStore
from tests.directories.supabase_house import EMAIL, PASSWORD, House, opened_house
from tests.security.making import opened_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened_store(tmp_path) as opened:
        yield opened


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A Supabase directory with an Ana in its project."""
    async with opened_house() as opened:
        opened.state.add_user(EMAIL, PASSWORD)
        yield opened


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that the house logs, at whatever level."""
    lines: list[str] = []

    def note(event: str, **fields: object) -> None:
        lines.append(f"{event} {fields}")

    for level in ("debug", "info", "warning", "error"):
        monkeypatch.setattr(log, level, note)
    return lines
