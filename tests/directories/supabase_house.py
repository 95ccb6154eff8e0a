"""A Supabase directory with the stand-in behind it, and clocks that a test moves by hand."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from authgate.directories.contract import SignIn, Visitor
from authgate.directories.supabase.directory import SupabaseDirectory, SupabasePolicy, Timing
from authgate.fetch import Fetch
from authgate.store.sqlite import SqliteStore
from tests.security.making import make_vault, opened_store
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options

EMAIL, PASSWORD = "ana@example.com", "a long enough password"
VISITOR = Visitor("192.0.2.1")
CALLBACK = "http://localhost:8000/oauth/callback"


class Clocks:
    """Both clocks run; `forward` puts them ahead. Sleeping is noted and takes no time."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def forward(self, seconds: float) -> None:
        self.ahead += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def timing(self) -> Timing:
        return Timing(
            lambda: time.time() + self.ahead, lambda: time.monotonic() + self.ahead, self.sleep
        )


class House:
    """`policy` details given at the making override these defaults."""

    def __init__(
        self, standin: SupabaseStandin, fetch: Fetch, store: SqliteStore, **policy: Any
    ) -> None:
        self.standin = standin
        self.store = store
        self.state = standin.state
        self.clocks = Clocks()
        self.fetch = fetch
        keys = {"publishable_key": standin.gate.publishable, "secret_key": standin.gate.secret}
        details = {"auth_url": standin.auth_url, **keys, **policy}
        self.policy = SupabasePolicy(**details)
        self.vault = make_vault()
        self.directory = self.another()

    def another(self, **policy: Any) -> SupabaseDirectory:
        """A second directory at the same project; the caller closes it."""
        changed = replace(self.policy, **policy)
        timing = self.clocks.timing()
        return SupabaseDirectory(changed, self.fetch, self.vault, self.store, timing)

    async def sign_in(
        self, email: str = EMAIL, password: str = PASSWORD, visitor: Visitor = VISITOR
    ) -> SignIn:
        return await self.directory.sign_in_with_password(email, password, visitor)


@asynccontextmanager
async def opened_house(options: Options | None = None, **policy: Any) -> AsyncIterator[House]:
    """Passwords are judged at once unless `options` say otherwise."""
    chosen = options or Options(known_takes=0, unknown_takes=0)
    with TemporaryDirectory() as folder:
        async with SupabaseStandin(chosen) as standin, opened_store(Path(folder)) as store:
            fetch = Fetch()
            house = House(standin, fetch, store, **policy)
            try:
                yield house
            finally:
                await house.directory.close()
                await fetch.close()


def quick(**options: Any) -> Options:
    """Options of a project that judges at once."""
    return Options(known_takes=0, unknown_takes=0, **options)
