"""The directory that the settings chose, with its life: whose people sign in here.

A directory's modules are imported only when it is chosen: what is asked over the network brings a
client library, which a server of embedded people neither loads nor waits for at its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from authgate.app.core import Core
from authgate.directories.contract import Directory
from authgate.directories.embedded import EmbeddedDirectory
from authgate.observe import log
from authgate.steps.social import CALLBACK

if TYPE_CHECKING:
    from authgate.directories.supabase import SupabaseDirectory, SupabasePolicy
    from authgate.fetch import Fetch
    from authgate.settings import Settings


class Home(Protocol):
    """A directory, a look at it after the start, and its end."""

    @property
    def directory(self) -> Directory: ...

    async def looked_at(self) -> None:
        """Tell the operator's log what is wrong with it. Beside the requests; never fails."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EmbeddedHome:
    """Our own store: it is there whenever the server is."""

    directory: Directory

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


def home_of(core: Core) -> Home:
    """The home of this server's people; nothing is connected yet."""
    if core.settings.people_in == "embedded":
        return EmbeddedHome(EmbeddedDirectory(core.store, core.passwords))
    from authgate.directories.supabase import SupabaseDirectory
    from authgate.fetch import Fetch

    fetch = Fetch()
    policy = supabase_policy(core.settings)
    directory = SupabaseDirectory(policy, fetch, core.vault, core.store)
    return SupabaseHome(directory, fetch, callback_url(core.settings))


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
