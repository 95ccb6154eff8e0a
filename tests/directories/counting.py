"""Passwords for tests: cheap to hash, and every verification counted."""

from __future__ import annotations

import threading

from authgate.directories.passwords import Passwords, Verdict


def cheap() -> Passwords:
    """The real thing with the least parameters argon2 takes."""
    return Passwords(time_cost=1, memory_kib=8)


class CountingPasswords(Passwords):
    """Counts the hashes that verifications cost: equal work is what makes equal time."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_kib=8)
        self.verifications = 0
        self._count = threading.Lock()

    def _verify_now(self, password: bytes, stored: str) -> Verdict:
        with self._count:
            self.verifications += 1
        return super()._verify_now(password, stored)
