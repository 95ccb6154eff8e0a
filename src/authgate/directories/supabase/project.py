"""What the project has switched on (`GET /settings`), and the ways in that follow from it.

Social sign-in stays shut while the project confirms every address by itself: whoever registers at
GitHub with somebody else's address, unverified, is then joined to that person's account (seen on a
running server). The operator may open it by name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authgate.directories.contract import Unavailable, Ways
from authgate.directories.recent import Recent
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.errors import react, unexpected
from authgate.directories.supabase.policy import SupabasePolicy

PROVIDERS = ("github", "google")
KEEP = 300.0
KEEP_TROUBLE = 5.0
_KEY = "settings"


@dataclass(frozen=True, slots=True)
class Project:
    """The part of `/settings` that matters here."""

    passwords: bool
    providers: tuple[str, ...]
    autoconfirm: bool


class ProjectSettings:
    """The project's settings, asked again every five minutes while somebody looks."""

    def __init__(
        self,
        api: SupabaseApi,
        policy: SupabasePolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._policy = policy
        self._last: Project | None = None
        self._recent: Recent[Project | Unavailable] = Recent(_keep_for, clock=clock, most=1)

    @property
    def ways(self) -> Ways:
        """The ways in as last heard. Looking refreshes them, for the next look: no page waits.

        Passwords are offered until the project says otherwise; providers only once it says so.
        """
        if not self._recent.holds(_KEY) and _in_a_loop():
            self._recent.begin(_KEY, self._ask)
        if self._last is None:
            return Ways(password=True)
        return self._ways(self._last)

    @property
    def confirms_addresses(self) -> bool:
        """Whether the project, as last heard, sends a message to each address before it counts."""
        return self._last is not None and not self._last.autoconfirm

    async def present_ways(self) -> Ways | Unavailable:
        """The ways in, at most five minutes old."""
        project = await self.project()
        return self._ways(project) if isinstance(project, Project) else project

    async def project(self) -> Project | Unavailable:
        """The settings, at most five minutes old."""
        return await self._recent.get(_KEY, self._ask)

    async def close(self) -> None:
        """Drop what is being asked."""
        await self._recent.close()

    def _ways(self, project: Project) -> Ways:
        unsafe = project.autoconfirm and not self._policy.allow_autoconfirm_social
        shut = unsafe or not self._policy.social
        return Ways(project.passwords, () if shut else project.providers)

    async def _ask(self) -> Project | Unavailable:
        reply = await self._api.public("/settings")
        if not isinstance(reply, Said) or not reply.ok:
            outcome = react(reply, {}, "settings")
            return outcome if isinstance(outcome, Unavailable) else Unavailable()
        project = read_project(reply.body)
        if project is None:
            return unexpected(reply, "settings")
        self._last = project
        return project


def read_project(body: Mapping[str, Any]) -> Project | None:
    """The settings of an answer. Without a word about autoconfirm the worse is assumed."""
    external = body.get("external")
    if not isinstance(external, dict):
        return None
    return Project(
        passwords=external.get("email") is not False,
        providers=tuple(name for name in PROVIDERS if external.get(name) is True),
        autoconfirm=body.get("mailer_autoconfirm") is not False,
    )


def _keep_for(value: Project | Unavailable) -> float:
    return KEEP if isinstance(value, Project) else KEEP_TROUBLE


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
