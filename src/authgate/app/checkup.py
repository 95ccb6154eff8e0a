"""A look at everything that is set up, for `authgate doctor`: this authgate, Supabase, WorkOS.

What is asked of a service and how it is judged belongs to that service's own room; here are the
settings turned into what it needs, and the look at ourselves. Nothing is changed but that an empty
store is made, as every command does. Never here: printing, exit codes.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from authgate.app.core import MCP_PATH, build_core, now
from authgate.app.home import callback_url, supabase_policy
from authgate.app.throttling import shared_of
from authgate.endpoints.well_known import Place
from authgate.fetch import Call, Fetch, FetchFailed
from authgate.observe.findings import Finding, Report
from authgate.security.key_material import KeyUnusable
from authgate.security.secret_file import SecretKeyUnusable
from authgate.security.vault import SealedValueUnreadable
from authgate.settings.values import plain_beyond_loopback
from authgate.store.contract import StoreTooNew, StoreUnavailable

if TYPE_CHECKING:
    from authgate.app.core import Core
    from authgate.settings import Settings
    from authgate.workos.judging import Wanted

Area = Literal["authgate", "supabase", "workos"]
LOGIN_PATH = "/oauth/login"


def set_up(settings: Settings) -> tuple[Area, ...]:
    """The areas of which there is something to look at."""
    areas: list[Area] = ["authgate"]
    if settings.people_in == "supabase":
        areas.append("supabase")
    if settings.workos_api_key is not None:
        areas.append("workos")
    return tuple(areas)


async def look(settings: Settings, areas: Iterable[Area]) -> dict[Area, Report]:
    """A report of each area, which must be set up."""
    looks: dict[Area, Callable[[Settings, Fetch], Awaitable[Report]]] = {
        "authgate": _authgate,
        "supabase": _supabase,
        "workos": _workos,
    }
    fetch = Fetch()
    try:
        return {area: await looks[area](settings, fetch) for area in areas}
    finally:
        await fetch.close()


# --- this authgate --------------------------------------------------------------------------------


async def _authgate(settings: Settings, fetch: Fetch) -> Report:
    inside = await _store_and_keys(settings)
    return Report.of([*inside, _public_url(settings), await _discovery(settings, fetch)])


async def _store_and_keys(settings: Settings) -> list[Finding]:
    try:
        core = build_core(settings)
    except SecretKeyUnusable as error:
        return [Finding("secret_key", "problem", str(error))]
    try:
        return [*[finding async for finding in _opened(core)], *await _limits(core)]
    finally:
        await core.close()


async def _opened(core: Core) -> AsyncIterator[Finding]:
    path = core.settings.store_name
    try:
        await core.store.open()
        await core.store.ping()
    except (StoreTooNew, StoreUnavailable) as error:
        fix = core.settings.store_advice
        newer = isinstance(error, StoreTooNew) or "AUTHGATE_DATABASE_URL" in str(error)
        yield Finding("store", "problem", sentence(str(error)), "" if newer else fix)
        return
    yield Finding("store", "ok", f"The store {path} reads and writes.")
    try:
        await core.keys.load(now())
    except (KeyUnusable, SealedValueUnreadable) as error:
        fix = "Bring the secret key back, or give the keys up: authgate keys rotate --at-once"
        yield Finding("keys", "problem", sentence(str(error)), fix)
    else:
        yield Finding("keys", "ok", "The key that signs can be opened.")
    if core.settings.people_in == "embedded" and not await core.store.accounts():
        yield Finding("people", "note", "There are no people yet.", "authgate people add EMAIL")


async def _limits(core: Core) -> list[Finding]:
    """Does the limit store take a count? A server starts without it, and counts by itself."""
    shared = shared_of(core)
    if shared is None:
        return []
    try:
        trouble = await shared.trouble()
    finally:
        await shared.close()
    if trouble is None:
        return [Finding("limits", "ok", "The limit store counts.")]
    said = f"The limit store does not count ({trouble}): each process counts limits for itself."
    fix = "Check AUTHGATE_LIMITS_URL (address, password, TLS) and that it has room."
    return [Finding("limits", "problem", said, fix)]


def _public_url(settings: Settings) -> Finding:
    url = settings.public
    if url.startswith("https://"):
        return Finding("public_url", "ok", f"Clients use {url}.")
    if plain_beyond_loopback(url):
        return Finding(
            "public_url",
            "warning",
            f"Clients use {url}: tokens cross the network in the clear.",
            "Put a proxy with TLS before authgate and set AUTHGATE_PUBLIC_URL to its address.",
        )
    return Finding(
        "public_url",
        "note",
        f"Clients use {url}, which only programs on this machine reach.",
        "For others set AUTHGATE_PUBLIC_URL to an https address that leads here.",
    )


async def _discovery(settings: Settings, fetch: Fetch) -> Finding:
    """Does the public URL lead to this authgate? Asked as clients ask (RFC 9728 section 3.1)."""
    url = Place.of(settings.public).resource_metadata_url(MCP_PATH)
    expected = settings.public + MCP_PATH
    try:
        answer = await fetch.json(Call("GET", url))
    except FetchFailed as failed:
        if failed.status is None:
            said = f"Nothing answers at {settings.public} from here."
            fix = "If authgate is running, see that the address leads to it, TLS included."
            return Finding("discovery", "note", said, fix)
        status, body = failed.status, None
    else:
        status, body = answer.status, answer.body
    named = body.get("resource") if isinstance(body, dict) else None
    if status == 200 and named == expected:
        return Finding("discovery", "ok", f"Discovery at {url} names {expected}.")
    if status == 200 and isinstance(named, str):
        said = f"Discovery at {url} names {named[:200]}, and clients compare it with {expected}."
        fix = "Start the server that answers there with this AUTHGATE_PUBLIC_URL."
        return Finding("discovery", "problem", said, fix)
    said = f"What answers at {url} (HTTP {status}) is not authgate's discovery."
    fix = "Lead AUTHGATE_PUBLIC_URL here; a proxy has to pass on /.well-known/ of its host as well."
    return Finding("discovery", "problem", said, fix)


# --- the services ---------------------------------------------------------------------------------


async def _supabase(settings: Settings, fetch: Fetch) -> Report:
    from authgate.directories.supabase.api import SupabaseApi
    from authgate.directories.supabase.project import ProjectSettings
    from authgate.directories.supabase.report import startup_report

    policy = supabase_policy(settings)
    api = SupabaseApi(fetch, policy)
    project = ProjectSettings(api, policy, time.monotonic)
    said = await startup_report(api, policy, project, callback_url(settings))
    return Report.of(_of_project(said.problems, said.notes, settings.supabase_auth))


def _of_project(
    problems: tuple[str, ...], notes: tuple[str, ...], address: str
) -> Iterator[Finding]:
    """Its sentences say themselves what to do, and where."""
    if not problems:
        yield Finding("project", "ok", f"Supabase Auth answers at {address} and takes the keys.")
    for problem in problems:
        yield Finding("project", "problem", problem)
    for note in notes:
        yield Finding("project", "note", note)


async def _workos(settings: Settings, fetch: Fetch) -> Report:
    from authgate.workos import WorkOS, WorkOSPolicy
    from authgate.workos.report import report

    wanted = workos_wanted(settings)
    workos = WorkOS(WorkOSPolicy(wanted.api_key, wanted.client_id, wanted.api_url))
    try:
        found = await report(workos, fetch, wanted)
    finally:
        await workos.close()
    if wanted.authkit is not None or wanted.redirect_uri is not None:
        return found
    unused = Finding(
        "used",
        "note",
        "WorkOS is set up and not used: tokens are issued here, and nobody signs in through it.",
        "Set WORKOS_CLIENT_ID too for GitHub and Google, or AUTHGATE_ISSUER=authkit.",
    )
    return Report((*found.findings, unused))


def workos_wanted(settings: Settings) -> Wanted:
    """What the settings, which have a key, want of the WorkOS environment."""
    from authgate.workos.judging import AuthKit, Wanted

    assert settings.workos_api_key is not None
    authkit = None
    if settings.issuer == "authkit" and settings.workos_authkit_domain is not None:
        authkit = AuthKit(
            domain=settings.workos_authkit_domain,
            resource=settings.public + MCP_PATH,
            login_url=settings.public + LOGIN_PATH,
            client_id_audience=settings.accept_client_id_audience,
        )
    return Wanted(
        api_url=settings.workos_api_url,
        api_key=settings.workos_api_key.get_secret_value(),
        client_id=settings.workos_client_id,
        redirect_uri=callback_url(settings) if settings.social_in == "workos" else None,
        authkit=authkit,
    )


def sentence(text: str) -> str:
    """An error's text as a sentence."""
    return text[:1].upper() + text[1:].rstrip(".") + "."
