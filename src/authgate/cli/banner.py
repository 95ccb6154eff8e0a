"""What `authgate serve` says when it starts: where it is, who owns which way to sign in.

Plain text with a little weight on a terminal: a rich table would cost a tenth of the cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authgate import __version__
from authgate.app import callback_url, mode_of
from authgate.app.checkup import LOGIN_PATH
from authgate.protocol.rollout import Mode
from authgate.settings import load_live
from authgate.settings.database import in_the_clear
from authgate.settings.values import LOOPBACK

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.settings import Settings

_NOT_OFFERED = "not offered"
_PASSES = {
    Mode.OFF: "everybody passes, nothing is judged or counted",
    Mode.OBSERVE: "everybody passes; authgate rollout shows whom required would refuse",
    Mode.OPTIONAL: "OAuth, and what was there before until its cut-off date",
}

# What AuthKit decides itself where it issues.
_IDLE = (
    *("scopes", "code_ttl", "access_token_ttl", "refresh_token_ttl", "refresh_grace"),
    "tool_passwords",
)


def sign_in_rows(core: Core) -> list[tuple[str, str]]:
    """Each way to sign in with its owner."""
    settings = core.settings
    owner: str = settings.people_in
    if owner == "supabase":
        owner = f"supabase ({settings.supabase_auth})"
    return [("passwords", owner), *_social_rows(settings)]


def _social_rows(settings: Settings) -> list[tuple[str, str]]:
    """GitHub and Google always, the hosted page where it is offered."""
    if settings.social_in != "workos":
        offered = "supabase, where the project has it on"
        offered = offered if settings.social_in == "supabase" else _NOT_OFFERED
        return [("GitHub", offered), ("Google", offered)]
    workos = f"workos ({settings.workos_api_url})"
    rows = [
        (label, workos if name in settings.workos_providers else _NOT_OFFERED)
        for name, label in (("github", "GitHub"), ("google", "Google"))
    ]
    return [*rows, *([("AuthKit", workos)] if "authkit" in settings.workos_providers else [])]


def notes(core: Core, people: int) -> list[str]:
    """What the operator should know: what is set and has no effect, and what to do next."""
    found = []
    settings = core.settings
    found += _database_notes(settings)
    found += _workos_notes(settings)
    if settings.issuer == "authkit":
        found += _authkit_notes(core)
    if settings.people_in == "supabase":
        found += _supabase_notes(settings, people)
    elif people == 0:
        found.append("There are no people yet. Add one: authgate people add name@example.com")
    return found


def _database_notes(settings: Settings) -> list[str]:
    if settings.postgres_url is None or not in_the_clear(settings.postgres_url):
        return []
    return [
        "What goes to PostgreSQL may cross the network in the clear: put ?sslmode=verify-full (or "
        "require) behind AUTHGATE_DATABASE_URL."
    ]


def _workos_notes(settings: Settings) -> list[str]:
    """What follows from the settings alone; what WorkOS itself says goes into the log."""
    if settings.social_in == "workos":
        return [
            f"WorkOS must know this redirect URI (Redirects, in its dashboard), or people end at a "
            f"page of WorkOS's: {callback_url(settings)}"
        ]
    if settings.issuer == "builtin" and (settings.workos_api_key or settings.workos_client_id):
        return [
            "WORKOS_API_KEY or WORKOS_CLIENT_ID is set, but nothing is asked of WorkOS: it takes "
            "both, and AUTHGATE_SOCIAL unset or workos."
        ]
    return []


def _authkit_notes(core: Core) -> list[str]:
    """What has to be in the dashboard, character for character, and what no longer counts here."""
    settings = core.settings
    found = [
        f"Enter these in the WorkOS dashboard (Connect, Configuration), exactly so. Login URI: "
        f"{settings.public}{LOGIN_PATH}  MCP resource indicator: {core.policy.default_resource}"
    ]
    fields = type(settings).model_fields
    idle = [
        str(fields[name].validation_alias) for name in _IDLE if name in settings.model_fields_set
    ]
    if idle:
        found.append(f"AuthKit decides that itself, so there is no effect of {', '.join(idle)}.")
    return found


def _supabase_notes(settings: Settings, people: int) -> list[str]:
    """What follows from the settings alone; what the project itself says goes into the log."""
    found = []
    if settings.supabase_high_key is None:
        until = (
            "connections end 24 hours after the sign-in"
            if settings.issuer == "builtin"
            else "connections go on for as long as AuthKit renews them"
        )
        found.append(
            f"Nobody can be rechecked at Supabase without SUPABASE_SECRET_KEY: a ban or a deletion "
            f"there is not seen, and {until}."
        )
    if people:
        found.append(
            f"The {people} people of `authgate people` cannot sign in while Supabase has the "
            f"passwords."
        )
    if settings.social_in == "supabase":
        found.append(
            f"GitHub and Google need this redirect URL allowed in the project, or people end up at "
            f"its Site URL: {callback_url(settings)}**"
        )
    return found


def _limit_notes(settings: Settings, workers: int) -> list[str]:
    """Several processes, or a database made for several nodes, and each counts by itself; or they
    count where whoever is on the way reads the password."""
    if settings.limits_url is not None:
        parts = urlsplit(settings.limits_url.get_secret_value())
        plain = parts.scheme in ("redis", "valkey")
        if not plain or parts.hostname == "::1" or LOOPBACK.fullmatch(parts.hostname or ""):
            return []
        return [
            "What goes to the limit store crosses the network in the clear, its password too: "
            "write rediss:// in AUTHGATE_LIMITS_URL, unless the network is yours alone."
        ]
    if workers <= 1 and settings.postgres_url is None:
        return []
    return [
        "Limits count in each process by itself, so all together allow as many times what is "
        "written: set AUTHGATE_LIMITS_URL to a Redis or Valkey to count them together."
    ]


def _rollout(settings: Settings) -> str:
    """The mode in force, and what it means where it means that somebody passes without a token."""
    mode = mode_of(settings, load_live(settings))
    return mode.value if mode is Mode.REQUIRED else f"{mode.value}: {_PASSES[mode]}"


def banner(core: Core, people: int, workers: int, *, at: str, colour: bool) -> str:
    """The whole text, ready to print; `at` is the address that is listened on."""

    def strong(text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if colour else text

    facts = [
        ("public URL", core.settings.public),
        ("MCP URL", core.policy.default_resource),
        ("listens at", at),
        ("store", core.settings.store_name),
        ("rollout", _rollout(core.settings)),
        ("workers", str(workers)),
    ]
    if core.settings.issuer == "authkit":
        facts.insert(2, ("issuer", f"AuthKit ({core.settings.workos_authkit_domain})"))
    if core.settings.upstream:
        # Without its query, which may hold a key of the operator's.
        facts.insert(2, ("upstream", core.settings.upstream.partition("?")[0]))
    lines = [strong(f"authgate {__version__}")]
    lines += [f"  {name:<12} {value}" for name, value in facts]
    lines += ["", f"  {strong('way to sign in'):<{12 + (8 if colour else 0)}} → owner"]
    lines += [f"  {way:<14} → {owner}" for way, owner in sign_in_rows(core)]
    told = [*notes(core, people), *_limit_notes(core.settings, workers)]
    lines += [f"\n  {strong('Note:')} {note}" for note in told]
    return "\n".join(lines) + "\n"
