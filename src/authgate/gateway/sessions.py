"""The upstream's sessions, bound to the person who opened each.

Possession of a session id proves nothing (MCP security best practices, session hijacking). So a
client gets the upstream's id with a seal of ours behind it, made for that person: any worker can
check it, also after a restart, and no table has to be kept, bounded or shared. A table would have
had to forget, and what it forgot would be either anybody's or a session lost.
"""

from __future__ import annotations

import hmac

from authgate.security.vault import Vault, base64url

_PURPOSE = "mcp session"
_SEAL = 22  # characters of base64url: 128 bits, which nobody guesses online


class Sessions:
    """Seals and opens session ids with keys of the vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(self, sub: str, session: bytes) -> bytes:
        """What a client gets for the upstream's `session`: visible ASCII, the same every time."""
        return session + b"." + _shown(self._vault.mac(_PURPOSE, _bound(sub, session)))

    def open(self, sub: str, given: bytes) -> bytes | None:
        """The upstream's id in what a client sent; None unless it was sealed for `sub`."""
        session, dot, seal = given.rpartition(b".")
        if not dot or len(seal) != _SEAL:
            return None
        for mac in self._vault.macs(_PURPOSE, _bound(sub, session)):
            if hmac.compare_digest(_shown(mac), seal):
                return session
        return None


def _bound(sub: str, session: bytes) -> bytes:
    """No header holds a NUL, so the two cannot be told apart in another way."""
    return sub.encode("utf-8", "surrogatepass") + b"\0" + session


def _shown(mac: bytes) -> bytes:
    return base64url(mac[:16]).encode("ascii")
