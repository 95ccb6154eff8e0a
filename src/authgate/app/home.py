"""The directories that the settings chose, with their life: whose people sign in here, and how.

A directory's modules are imported only when it is chosen: what is asked over the network brings a
client library, which a server of embedded people neither loads nor waits for at its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from authgate.app.core import Core, now
from authgate.app.services import Look, connects
from authgate.app.webhooks import remembering
from authgate.directories.contract import Directory
from authgate.directories.embedded import EmbeddedDirectory
from authgate.observe import log
from authgate.steps.social import CALLBACK

if TYPE_CHECKING:
    from authgate.directories.supabase import SupabaseDirectory, SupabasePolicy
    from authgate.directories.workos import WorkOSDirectory
    from authgate.fetch import Fetch
    from authgate.settings import Settings
    from authgate.workos import WorkOS


class Home(Protocol):
    """A directory, a look at it after the start, and its end.

    `social` owns GitHub and Google: the same one, unless the operator gave them to another.
    """

    @property
    def directory(self) -> Directory: ...

    @property
    def social(self) -> Directory: ...

    @property
    def looks(self) -> Mapping[str, Look]:
        """Does each service that it asks answer? For `/readyz`, which waits for none of them."""

    async def looked_at(self) -> None:
        """Tell the operator's log what is wrong with it. Beside the requests; never fails."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EmbeddedHome:
    """Our own store: it is there whenever the server is."""

    directory: Directory

    @property
    def social(self) -> Directory:
        return self.directory

    @property
    def looks(self) -> Mapping[str, Look]:
        return {}

    async def looked_at(self) -> None:
        """There is nothing that could be set up wrongly."""

    async def close(self) -> None:
        """The store is `Core`'s to close."""


@dataclass(frozen=True, slots=True)
class SupabaseHome:
    """A Supabase project, and the connections to it."""

    directory: SupabaseDirectory
    fetch: Fetch
    callback_url: str

    @property
    def social(self) -> Directory:
        return self.directory

    @property
    def looks(self) -> Mapping[str, Look]:
        return {"supabase": self.directory.alive}

    async def looked_at(self) -> None:
        """Ask the project a few harmless questions and log the answers as sentences."""
        try:
            report = await self.directory.report(self.callback_url)
        except Exception as trouble:  # a look must never cost more than the look
            log.warning("supabase.report_failed", error=type(trouble).__name__)
            return
        for problem in report.problems:
            log.warning("supabase.problem", detail=problem)
        for note in report.notes:
            log.info("supabase.note", detail=note)

    async def close(self) -> None:
        """Let the last sign-outs there end, then the connections."""
        await self.directory.close()
        await self.fetch.close()


@dataclass(frozen=True, slots=True)
class WithWorkOS:
    """GitHub and Google through WorkOS, for the people of another home."""

    people: Home
    social: WorkOSDirectory
    workos: WorkOS
    callback_url: str

    @property
    def directory(self) -> Directory:
        return self.people.directory

    @property
    def looks(self) -> Mapping[str, Look]:
        return {**self.people.looks, "workos": connects(self.workos.policy.api_url)}

    async def looked_at(self) -> None:
        """Look at both; of WorkOS, a few harmless reads."""
        await asyncio.gather(self.people.looked_at(), self._look())

    async def close(self) -> None:
        """Let the last sessions there end, then the connections."""
        await self.social.close()
        await self.workos.close()
        await self.people.close()

    async def _look(self) -> None:
        from authgate.fetch import Fetch
        from authgate.workos.judging import Wanted
        from authgate.workos.report import report

        policy, fetch = self.workos.policy, Fetch()
        wanted = Wanted(policy.api_url, policy.api_key, policy.client_id, self.callback_url)
        try:
            found = await report(self.workos, fetch, wanted)
        except Exception as trouble:  # a look must never cost more than the look
            log.warning("workos.report_failed", error=type(trouble).__name__)
            return
        finally:
            await fetch.close()
        found.tell("workos")


def home_of(core: Core) -> Home:
    """The home of this server's people, with their ways in; nothing is connected yet."""
    people = _people(core)
    return _with_workos(core, people) if core.settings.social_in == "workos" else people


def _with_workos(core: Core, people: EmbeddedHome | SupabaseHome) -> WithWorkOS:
    """Where the people are in Supabase, whoever comes through WorkOS must be one of them."""
    from authgate.directories.workos import Home as Whose
    from authgate.directories.workos import WorkOSDirectory, WorkOSDirectoryPolicy
    from authgate.workos import WorkOS, WorkOSPolicy

    settings = core.settings
    key = settings.workos_api_key
    assert key is not None  # the settings were checked
    workos = WorkOS(
        WorkOSPolicy(key.get_secret_value(), settings.workos_client_id, settings.workos_api_url),
        before_ending=remembering(core.store, now),
    )
    policy = WorkOSDirectoryPolicy(settings.workos_providers, settings.link_verified_email)
    whose = None
    if isinstance(people, SupabaseHome):
        whose = Whose(people.directory.people, core.store)
    directory = WorkOSDirectory(policy, workos, core.vault, whose)
    return WithWorkOS(people, directory, workos, callback_url(settings))


def _people(core: Core) -> EmbeddedHome | SupabaseHome:
    if core.settings.people_in == "embedded":
        return EmbeddedHome(EmbeddedDirectory(core.store, core.passwords))
    from authgate.directories.supabase import SupabaseDirectory
    from authgate.fetch import Fetch

    fetch = Fetch("supabase")
    policy = supabase_policy(core.settings)
    directory = SupabaseDirectory(policy, fetch, core.vault, core.store)
    return SupabaseHome(directory, fetch, callback_url(core.settings))


def supabase_tokens(home: Home) -> SupabaseDirectory | None:
    """Who can tell whose a Supabase access token is: the project, where people are in one."""
    if home.directory.name != "supabase":
        return None
    from authgate.directories.supabase import SupabaseDirectory

    assert isinstance(home.directory, SupabaseDirectory)
    return home.directory


def callback_url(settings: Settings) -> str:
    """Where providers send the browser back to, for the operator to allow there."""
    return settings.public + CALLBACK


def supabase_policy(settings: Settings) -> SupabasePolicy:
    """What the directory needs of the settings, which were checked to hold it."""
    from authgate.directories.supabase import SupabasePolicy

    publishable, secret = settings.supabase_low_key, settings.supabase_high_key
    assert publishable is not None
    return SupabasePolicy(
        auth_url=settings.supabase_auth,
        publishable_key=publishable.get_secret_value(),
        secret_key=secret.get_secret_value() if secret else None,
        forward_address=settings.supabase_forward_address,
        forward_header=settings.supabase_forward_header,
        require_aal2=settings.require_second_factor,
        keep_session=settings.supabase_keep_session,
        social=settings.social_in == "supabase",
        allow_autoconfirm_social=settings.supabase_social_with_autoconfirm,
    )
