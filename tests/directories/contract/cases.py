"""The directories that the contract suite runs against. A new directory adds a case to `CASES`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from authgate.directories import people
from authgate.directories.contract import Directory
from authgate.directories.embedded import EmbeddedDirectory
from authgate.store.sqlite import SqliteStore
from tests.directories.contract.supabase_cases import REAL, real_supabase, supabase
from tests.directories.contract.workos_cases import workos
from tests.directories.counting import CountingPasswords
from tests.security.making import NOW, opened_store


class DirectoryCase(Protocol):
    """A directory with people in it, and a hand on them."""

    directory: Directory

    @property
    def judged(self) -> int:
        """How often a password was really judged: hashes made, or questions asked upstream."""

    async def add(self, email: str, password: str) -> str:
        """A new person; returns the `sub`."""

    async def disable(self, email: str) -> None:
        """Disable or ban."""

    async def remove(self, email: str) -> None:
        """Delete."""


class EmbeddedCase:
    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._passwords = CountingPasswords()
        self.directory = EmbeddedDirectory(store, self._passwords)

    @property
    def judged(self) -> int:
        return self._passwords.verifications

    async def add(self, email: str, password: str) -> str:
        return (await people.add_person(self._store, self._passwords, email, password, NOW)).sub

    async def disable(self, email: str) -> None:
        await people.disable_person(self._store, email, NOW)

    async def remove(self, email: str) -> None:
        await people.remove_person(self._store, email, NOW)


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[DirectoryCase]:
    async with opened_store(folder) as store:
        yield EmbeddedCase(store)


CASES: dict[str, Callable[[Path], AbstractAsyncContextManager[DirectoryCase]]] = {
    "embedded": embedded,
    "supabase": supabase,
    "supabase-kept": partial(supabase, keep_session=True),
}
if all(REAL.values()):
    CASES["supabase-real"] = real_supabase
    CASES["supabase-real-kept"] = partial(real_supabase, keep_session=True)

# With those that have no passwords: for the promises that any directory makes.
ALL_CASES = {**CASES, "workos": workos}
