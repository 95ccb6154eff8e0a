"""The contract's case of WorkOS: the stand-in, with people of its own.

There is no disabling at WorkOS that a program could see: whoever is to go is deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from authgate.directories.contract import Directory
from tests.directories.workos_house import House, opened_house


class WorkOSCase:
    """Passwords are nobody's here, so none was ever judged."""

    judged = 0

    def __init__(self, house: House) -> None:
        self._house = house
        self.directory: Directory = house.directory

    async def add(self, email: str, password: str) -> str:
        return self._house.standin.add_user(email).id

    async def disable(self, email: str) -> None:
        await self.remove(email)

    async def remove(self, email: str) -> None:
        self._house.standin.delete_user(self._house.user(email))
        self._house.clocks.forward(61)  # people are asked about once a minute


@asynccontextmanager
async def workos(folder: Path) -> AsyncIterator[WorkOSCase]:
    async with opened_house(folder) as house:
        yield WorkOSCase(house)
