"""Settings are read from a place of the test's own: no variable, no .env of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authgate.settings import Settings, SettingsError, load

FOREIGN = ("AUTHGATE_", "WORKOS_", "SUPABASE_", "LOG_LEVEL")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(**given: str) -> Settings:
    """The settings with these variables set on top."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        return load()


def problems(**given: str) -> list[str]:
    """What is wrong with these variables; nothing being wrong is a failure."""
    with pytest.raises(SettingsError) as caught:
        loaded(**given)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems
