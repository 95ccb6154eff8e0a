from __future__ import annotations

from tests.endpoints.conftest import gate, open_gate

__all__ = ["gate", "open_gate"]
