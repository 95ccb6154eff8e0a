"""The room of WorkOS with the stand-in behind it, and a sign-in as a browser goes through one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from authgate.workos import WorkOS, WorkOSPolicy
from tests.standins.workos import Person, WorkOSStandIn
from tests.standins.workos_browser import Browser
from tests.standins.workos_tokens import s256

CALLBACK = "http://localhost:8000/oauth/callback"
OCTO = Person("1001", "octo@example.com", first_name="Octo")
VERIFIER = "v" * 43


class Room:
    """`workos` is ours, `standin` theirs. `slept` is what was waited between two tries."""

    def __init__(self, standin: WorkOSStandIn) -> None:
        self.standin = standin
        self.slept: list[float] = []
        self.policy = WorkOSPolicy(standin.api_key, standin.client_id, standin.api_url)
        self.workos = WorkOS(self.policy, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def code(self, pick: str = "Octo", provider: str = "GitHubOAuth") -> str:
        """A code for our callback, by a sign-in of this person."""
        url = await self.workos.authorization_url(provider, CALLBACK, "a state", s256(VERIFIER))
        return (await walk(url, pick))["code"]


async def walk(url: str, pick: str) -> dict[str, str]:
    """As a browser: to the provider's page, a click on a name (or Cancel), and back to our callback
    with its query."""
    async with Browser() as browser:
        await browser.open(url, until=CALLBACK)
        await browser.pick(pick)
        assert browser.url.startswith(CALLBACK), browser.url
        return browser.answer


@asynccontextmanager
async def opened_room(*people: Person, **knobs: Any) -> AsyncIterator[Room]:
    crowd = list(people or (OCTO,))
    async with WorkOSStandIn(redirect_uris=[CALLBACK], people=crowd, **knobs) as standin:
        room = Room(standin)
        try:
            yield room
        finally:
            await room.workos.close()
