"""`@clause("RFC 7636", "4.6")` says which sentence of which specification a test holds."""

from __future__ import annotations

from typing import Any

import pytest


def clause(document: str, section: str) -> Any:
    """Mark a test with the clause it holds; `pytest -m clause` runs all of them."""
    return pytest.mark.clause(document, section)
