"""Which web origins may call: our own, loopback, and those the operator lists (MCP transport)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LOOPBACK = re.compile(
    r"https?://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class OriginRule:
    """`allowed` are exact origins (scheme, host, port), our own among them."""

    allowed: frozenset[str]

    def allows(self, origin: str | None) -> bool:
        """No origin at all means no browser, and nothing to protect it from."""
        if origin is None:
            return True
        return origin in self.allowed or _LOOPBACK.fullmatch(origin) is not None
