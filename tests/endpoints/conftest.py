from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from authgate import settings
from authgate.app import core
from authgate.directories.passwords import Passwords
from tests.endpoints.gate import Gate

OpenGate = Callable[..., Awaitable[Gate]]


@pytest.fixture
async def open_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenGate]:
    """Builds whole applications from settings, as `authgate serve` does; stops them afterwards."""
    gates: list[Gate] = []
    # Real argon2id, at a strength that leaves the time to what is tested here.
    cheap = functools.partial(Passwords, time_cost=1, memory_kib=64)
    monkeypatch.setattr(core, "Passwords", cheap)

    async def one(**environment: Any) -> Gate:
        monkeypatch.setenv("AUTHGATE_DATA_DIR", str(tmp_path / str(len(gates))))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        gate = Gate(settings.load(tmp_path / "no.env"))
        await gate.start()
        gates.append(gate)
        return gate

    yield one
    for gate in gates:
        await gate.stop()


@pytest.fixture
async def gate(open_gate: OpenGate) -> Gate:
    return await open_gate()
