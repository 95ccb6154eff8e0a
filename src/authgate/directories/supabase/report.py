"""What an operator should know at start-up: problems of the project or the settings, in sentences.

Asks the project a few harmless questions. Never here: refusing to start; a project that cannot be
reached now may be there when the first person comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from authgate.directories.contract import Unavailable
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.policy import (
    HOSTED_FORWARD_HEADER,
    SupabasePolicy,
    is_legacy,
    is_new_secret,
)
from authgate.directories.supabase.project import Project, ProjectSettings
from authgate.protocol.errors import Refusal
from authgate.security import compact

_NOBODY = "00000000-0000-0000-0000-000000000000"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` keep something from working or safe; `notes` are to be known."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


async def startup_report(
    api: SupabaseApi, policy: SupabasePolicy, settings: ProjectSettings, callback_url: str
) -> Report:
    """Everything at once, so that an operator mends it in one go."""
    problems = list(_settings_problems(policy))
    notes = list(_settings_notes(policy))
    project = await settings.project()
    if isinstance(project, Unavailable):
        problems.append(await _why_unavailable(api, policy))
    else:
        problems += _project_problems(project, policy)
        if settings.ways.providers:
            notes.append(
                f"Supabase must allow the redirect URL {callback_url}** (Authentication, URL "
                f"Configuration): otherwise it sends people to the project's Site URL without a "
                f"word, and they never come back."
            )
        if policy.secret_key is not None:
            problems += await _secret_key_problems(api, policy)
    return Report(tuple(problems), tuple(notes))


def _settings_problems(policy: SupabasePolicy) -> Iterator[str]:
    url = urlsplit(policy.auth_url)
    if url.scheme != "https" and url.hostname not in _LOOPBACK:
        yield "SUPABASE_URL is not https: passwords would cross the network readable."
    if is_elevated(policy.publishable_key):
        yield (
            "SUPABASE_PUBLISHABLE_KEY holds a secret key. Put the publishable one there, and the "
            "secret one in SUPABASE_SECRET_KEY if it is needed."
        )
    if policy.secret_key is not None and not is_elevated(policy.secret_key):
        yield "SUPABASE_SECRET_KEY holds no secret key (sb_secret_… or the service_role one)."
    if policy.forward_address and not policy.forwards:
        yield (
            f"Visitors' addresses are not passed on: {HOSTED_FORWARD_HEADER} needs a secret key "
            f"of the new kind (sb_secret_…) in SUPABASE_SECRET_KEY."
        )


def _settings_notes(policy: SupabasePolicy) -> Iterator[str]:
    if policy.keep_session:
        yield (
            "People's sessions at Supabase are kept here, encrypted, and asked with: whoever signs "
            "out there everywhere, or changes their password, is signed out of all clients too. "
            "Where the project allows one session a person, these end the one of their app."
        )
    if policy.secret_key is None:
        yield (
            "Without SUPABASE_SECRET_KEY only people whose session is kept can be rechecked at "
            "Supabase: whoever signed in before AUTHGATE_SUPABASE_KEEP_SESSION was set has to sign "
            "in again at the next refresh."
            if policy.keep_session
            else "Without SUPABASE_SECRET_KEY nobody can be rechecked at Supabase: refresh tokens "
            "end after 24 hours, and a ban is not seen before."
        )
    if policy.forwards and policy.forward_header == HOSTED_FORWARD_HEADER:
        yield (
            "Sign-ins go to Supabase with the secret key, so that visitors' addresses are taken: "
            "a captcha of the project is not asked for then, and only authgate's limits brake."
        )
    if not policy.forwards:
        yield (
            "Supabase counts all sign-ins as from one address: 30 at once and 30 a minute. Switch "
            "address forwarding on if more people come at a time."
        )


def _project_problems(project: Project, policy: SupabasePolicy) -> Iterator[str]:
    if not project.passwords:
        yield "The project has e-mail sign-in switched off, so no password works."
    if policy.social and project.autoconfirm and project.providers:
        names = " and ".join(name.capitalize() for name in project.providers)
        if policy.allow_autoconfirm_social:
            yield (
                f"Sign-in with {names} is on although the project does not confirm e-mail "
                f"addresses: an account there with somebody's unverified address can take over "
                f"that person's account."
            )
        else:
            yield (
                f"Sign-in with {names} is refused because the project does not confirm e-mail "
                f"addresses (mailer_autoconfirm): switch Confirm email on in Supabase."
            )


async def _secret_key_problems(api: SupabaseApi, policy: SupabasePolicy) -> list[str]:
    reply = await api.admin_user(_NOBODY)
    if not isinstance(reply, Said) or reply.status not in (401, 403):
        return []
    who = "nobody without a kept session" if policy.keep_session else "nobody"
    return [
        f"Supabase refuses SUPABASE_SECRET_KEY: {who} can be rechecked, and what was granted to "
        f"them ends when the grace for outages is over."
    ]


async def _why_unavailable(api: SupabaseApi, policy: SupabasePolicy) -> str:
    reply = await api.public("/health")
    if not isinstance(reply, Said):
        return f"Supabase does not answer at {policy.auth_url}; nobody can sign in until it does."
    if reply.status in (401, 403):
        return "Supabase refuses SUPABASE_PUBLISHABLE_KEY; nobody can sign in."
    return (
        f"There is no Supabase Auth at {policy.auth_url}: check SUPABASE_URL, or set "
        f"AUTHGATE_SUPABASE_AUTH_URL to the root of the Auth API."
    )


def is_elevated(key: str) -> bool:
    """Is this a key that may do everything? Read off its form; nothing is verified by this."""
    if not is_legacy(key):
        return is_new_secret(key)
    try:
        _, _, body, _ = compact.split(key)
        claims = compact.json_object(compact.decode_segment(body))
    except Refusal:
        return False
    return claims.get("role") in ("service_role", "supabase_admin")
