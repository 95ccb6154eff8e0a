"""What waits at the visitor between two steps of a sign-in: encrypted, with an end.

Each purpose has its own key, so that the state of one step is nothing at another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from authgate.security.vault import SealedValueUnreadable, Vault


class Sealed:
    """States of one purpose. `clock` in seconds since the epoch."""

    def __init__(self, vault: Vault, purpose: str, clock: Callable[[], float]) -> None:
        self._vault = vault
        self._purpose = purpose
        self._clock = clock

    def seal(self, state: Mapping[str, object], ends: float) -> str:
        """The state, readable by us alone, until `ends`."""
        text = orjson.dumps({"ends": ends, "state": state}).decode()
        return self._vault.seal(text, self._purpose)

    def open(self, sealed: str) -> dict[str, Any] | None:
        """The state, None if we never made it; raises `Ended` for one that has had its time."""
        try:
            opened = orjson.loads(self._vault.open(sealed, self._purpose))
        except SealedValueUnreadable:
            return None
        if self._clock() >= opened["ends"]:
            raise Ended
        state: dict[str, Any] = opened["state"]
        return state


class Ended(Exception):
    """The state was good, and its time is over."""
