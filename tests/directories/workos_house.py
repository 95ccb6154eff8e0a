"""A WorkOS directory with the stand-in behind it, alone or beside a Supabase project's people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from authgate.directories.contract import SignIn, SocialStart, Visitor
from authgate.directories.supabase.directory import SupabaseDirectory, SupabasePolicy
from authgate.directories.workos import Home, WorkOSDirectory, WorkOSDirectoryPolicy
from authgate.directories.workos.directory import Timing
from authgate.fetch import Fetch
from authgate.store.sqlite import SqliteStore
from authgate.workos import WorkOS, WorkOSPolicy
from tests.directories.supabase_house import Clocks, quick
from tests.security.making import make_vault, opened_store
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import User
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_state import User as WorkOSUser
from tests.workos.house import CALLBACK, walk

VISITOR = Visitor("192.0.2.1")
TX = "transaction-1"
OCTO = Person("1001", "octo@example.com", first_name="Octo")
GINA = Person("2002", "gina@example.com", provider="GoogleOAuth", first_name="Gina")
PROVIDERS = ("github", "google", "authkit")


class House:
    """`directory` is under test; `project` is the Supabase stand-in where the people are there."""

    def __init__(
        self,
        standin: WorkOSStandIn,
        store: SqliteStore,
        home: SupabaseDirectory | None,
        project: SupabaseStandin | None,
        home_clocks: Clocks,
        **policy: Any,
    ) -> None:
        self.standin = standin
        self.store = store
        self.clocks = Clocks()
        self.home = home
        self.home_clocks = home_clocks
        self._project = project
        self.workos = WorkOS(
            WorkOSPolicy(standin.api_key, standin.client_id, standin.api_url), self.clocks.sleep
        )
        timing = self.clocks.timing()
        self.directory = WorkOSDirectory(
            WorkOSDirectoryPolicy(**{"providers": PROVIDERS, **policy}),
            self.workos,
            make_vault(),
            Home(home.people, store) if home is not None else None,
            Timing(timing.clock, timing.monotonic),
        )

    @property
    def project(self) -> SupabaseStandin:
        assert self._project is not None
        return self._project

    def at_home(self, email: str, person: Person | None = None, **details: Any) -> User:
        """Somebody of the project; with `person`, that account at its provider is theirs too."""
        user = self.project.state.add_user(email, "a long enough password", **details)
        if person is not None:
            provider = person.provider.removesuffix("OAuth").lower()
            self.project.state.add_identity(user, provider, person.id, person.email, True)
        return user

    async def start(self, provider: str = "github") -> SocialStart:
        begun = await self.directory.start_social(provider, CALLBACK, TX)
        assert isinstance(begun, SocialStart)
        return begun

    async def finish(
        self, begun: SocialStart, answer: dict[str, str], provider: str = "github"
    ) -> SignIn:
        return await self.directory.finish_social(provider, begun.sealed, answer, VISITOR)

    async def sign_in(self, pick: str = "Octo", provider: str = "github") -> SignIn:
        """All the way: off, a click on a name, and back."""
        begun = await self.start(provider)
        return await self.finish(begun, await walk(begun.url, pick), provider)

    def user(self, email: str = OCTO.email) -> WorkOSUser:
        """The user at WorkOS with this address."""
        found = self.standin.user_by_email(email)
        assert found is not None
        return found

    async def sessions_left(self) -> int:
        """How many sessions live on at WorkOS once all farewells were said."""
        await self.directory.farewells.close()
        return sum(one.ended is None for one in self.standin.state.sessions.values())


@asynccontextmanager
async def opened_house(
    folder: Path, *people: Person, supabase: dict[str, Any] | None = None, **policy: Any
) -> AsyncIterator[House]:
    """`supabase`: the people are in a project whose policy has these details. Empty is enough."""
    crowd = list(people or (OCTO, GINA))
    async with (
        opened_store(folder) as store,
        WorkOSStandIn(redirect_uris=[CALLBACK], people=crowd) as standin,
        SupabaseStandin(quick(rate_limited=False)) as project,
    ):
        fetch, home, clocks = Fetch(), None, Clocks()
        if supabase is not None:
            keys = {"publishable_key": project.gate.publishable, "secret_key": project.gate.secret}
            details = {"auth_url": project.auth_url, **keys, **supabase}
            home = SupabaseDirectory(
                SupabasePolicy(**details), fetch, make_vault(), store, clocks.timing()
            )
        known = project if home is not None else None
        house = House(standin, store, home, known, clocks, **policy)
        try:
            yield house
        finally:
            await house.directory.close()
            await house.workos.close()
            if home is not None:
                await home.close()
            await fetch.close()
