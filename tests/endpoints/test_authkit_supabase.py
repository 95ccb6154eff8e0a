"""AuthKit issues, and the people are in a Supabase project: who is told of them, and with what."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.clauses import clause
from tests.endpoints.authkit import AuthKitHouse, Walker, authkit_house
from tests.endpoints.conftest import OpenGate
from tests.endpoints.project import ANA, PASSWORD, quick
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import User

TAKEN = {"AUTHGATE_LINK_VERIFIED_EMAIL": "true"}


@dataclass
class Both:
    house: AuthKitHouse
    project: SupabaseStandin
    ana: User
    browser: Walker

    def told(self) -> list[dict[str, Any]]:
        calls = self.house.workos.called("POST /authkit/oauth2/complete")
        return [json.loads(call.body)["user"] for call in calls]

    async def sign_in(self, email: str = ANA) -> Walker:
        await self.browser.connect()
        return await self.browser.submit("/oauth/sign-in", username=email, password=PASSWORD)


@asynccontextmanager
async def both(
    open_gate: OpenGate, environment: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Both]:
    async with SupabaseStandin(quick(**options)) as project:
        ana = project.state.add_user(ANA, PASSWORD)
        settings = {
            "SUPABASE_URL": project.url,
            "SUPABASE_PUBLISHABLE_KEY": project.gate.publishable,
            "SUPABASE_SECRET_KEY": project.gate.secret,
            **(environment or {}),
        }
        async with authkit_house(open_gate, settings) as house, house.browser() as browser:
            await house.gate.app.home.looked_at()
            house.subs = {ANA: ana.id}
            yield Both(house, project, ana, browser)


async def test_the_uuid_is_who_they_are(open_gate: OpenGate) -> None:
    async with both(open_gate) as here:
        await here.sign_in()
        await here.browser.allow()
        token = str((await here.browser.token())["access_token"])
        assert await here.house.whoami(token) == ANA
        assert here.told() == [{"id": here.ana.id, "email": ANA}]


@clause("ASVS", "6.3.3")
async def test_the_second_factor_comes_first(open_gate: OpenGate) -> None:
    async with both(open_gate) as here:
        factor = here.project.state.add_factor(here.ana)
        await here.sign_in()
        assert here.browser.title.startswith("Enter your code")
        assert here.told() == []
        await here.browser.submit("/oauth/factor", code=factor.code())
        assert len(here.told()) == 1
        await here.browser.allow()
        assert await here.house.whoami(str((await here.browser.token())["access_token"])) == ANA


async def test_who_is_deleted_there_goes_on_nowhere(open_gate: OpenGate) -> None:
    """A session of ours outlives nobody: the project is asked before AuthKit is told."""
    async with both(open_gate) as here:
        await here.sign_in()
        await here.browser.connect()
        assert here.browser.title.startswith("Continue as")
        here.ana.deleted = True
        here.house.gate.app.home.directory._standing._recent._kept.clear()  # the minute is over
        await here.browser.submit("/oauth/login")
        assert (here.browser.status, len(here.told())) == (403, 1)
        assert await here.house.gate.core.store.bar_of(here.ana.id) is not None


async def test_an_address_that_nobody_confirmed_joins_nobody(open_gate: OpenGate) -> None:
    """The project confirms all by itself: anybody may have signed up with Ana's address."""
    async with both(open_gate, TAKEN, autoconfirm=True) as here:
        user = here.house.workos.add_user(ANA)
        await here.sign_in()
        assert here.browser.status == 403
        assert user.external_id is None


async def test_a_confirmed_one_joins(open_gate: OpenGate) -> None:
    async with both(open_gate, TAKEN) as here:
        user = here.house.workos.add_user(ANA)
        await here.sign_in()
        await here.browser.allow()
        assert user.external_id == here.ana.id
