"""Password hashes: argon2id, off the event loop, two at a time, with a bounded waiting line.

Never here: whose password it is (`embedded`) or how often somebody may try (`security.limits`).
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHash

from authgate.observe import tracing

# RFC 9106 section 4's second choice (64 MiB, three passes), above OWASP's least (19 MiB, two). One
# lane and not four: the same work for a guesser, and one sign-in cannot take four cores from the
# token endpoint. Measured on a shared 2026 server core: 110 to 230 ms a hash, where
# OWASP's least takes 28.
TIME_COST = 3
MEMORY_KIB = 65536
LANES = 1

AT_ONCE = 2  # 128 MiB at most, and a core is left on a small machine
LINE = 64  # about five seconds of waiting; after that "try again" is the better answer
RETRY_AFTER = 5

MAX_PASSWORD = 1024

_Result = TypeVar("_Result")


class Busy(Exception):
    """The waiting line is full; nothing was hashed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Was the password right, and is its hash out of date?"""

    right: bool
    outdated: bool = False


class Passwords:
    """Hashes and verifies passwords in its own threads (argon2 releases the interpreter's lock)."""

    def __init__(
        self, *, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB, line: int = LINE
    ) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, LANES)
        self._dummy = _dummy_hash(time_cost, memory_kib)
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._lock = threading.Lock()
        self._accepted = 0
        self._most = AT_ONCE + line

    async def hash(self, password: str) -> str:
        """A fresh hash of `password`; raises `Busy`."""
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, password: str, stored: str | None) -> Verdict:
        """Judge `password`; raises `Busy`.

        Without a stored hash a dummy is verified, so that no answer takes less time than another
        (CWE-208). So is an overlong password, which no stored hash can have.
        """
        if stored is None or len(password) > MAX_PASSWORD:
            await self._run(lambda: self._verify_now(b"", self._dummy))
            return Verdict(right=False)
        data = _bytes(password)
        return await self._run(lambda: self._verify_now(data, stored))

    def close(self) -> None:
        """Let the threads end; what waits is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _verify_now(self, password: bytes, stored: str) -> Verdict:
        try:
            self._hasher.verify(stored, password)
        except (Argon2Error, InvalidHash):
            return Verdict(right=False)
        return Verdict(right=True, outdated=self._hasher.check_needs_rehash(stored))

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        """Run `work` in a thread, counted until it has really ended.

        A caller that goes away takes its place in line along only if its work has not begun:
        otherwise coming and going would pile up hashes that nobody waits for.
        """
        with self._lock:
            if self._accepted >= self._most:
                raise Busy
            self._accepted += 1
        job = self._executor.submit(work)
        job.add_done_callback(self._ended)
        with tracing.span("password.hash"):
            return await asyncio.wrap_future(job)

    def _ended(self, _: Future[_Result]) -> None:
        with self._lock:
            self._accepted -= 1


def _bytes(password: str) -> bytes:
    """The password as hashed: NFC, as keyboards differ in how they send one letter (RFC 8265 4.2).

    Nothing else is changed. A lone surrogate (JSON can carry one) is a wrong password, no fault.
    """
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _dummy_hash(time_cost: int, memory_kib: int) -> str:
    """A well-formed hash that no password has, made without hashing: start-up must not wait."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32)
    )
    return f"$argon2id$v=19$m={memory_kib},t={time_cost},p={LANES}${salt}${digest}"
