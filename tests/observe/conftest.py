from __future__ import annotations

from tests.cli.conftest import operator

__all__ = ["operator"]
