"""Writes `.env.example` from the settings: python -m tests.settings.env_example > .env.example

A test compares the file with this text, so a setting cannot come, go or change unnoticed. Only the
order and the headings are decided here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from authgate.settings import Settings

HEAD = """\
# The settings of authgate, each with its default. Take away the # to change one, or add a line at
# the end: the last line of a name wins, and an empty value means the default. The environment goes
# before this file. Lists are separated by spaces. A secret may stand in a file of its own: put
# _FILE behind its name and give the path (WORKOS_API_KEY_FILE=/run/secrets/workos_api_key).
"""

GROUPS = {
    "Where it is": (
        "AUTHGATE_PUBLIC_URL",
        "AUTHGATE_ALLOW_HTTP",
        "AUTHGATE_TRUSTED_PROXIES",
        "AUTHGATE_ALLOWED_ORIGINS",
    ),
    "What it keeps": (
        "AUTHGATE_DATA_DIR",
        "AUTHGATE_DATABASE_URL",
        "AUTHGATE_DATABASE_SCHEMA",
        "AUTHGATE_DATABASE_POOL",
        "AUTHGATE_DATABASE_PREPARE",
        "AUTHGATE_SECRET_KEY",
        "AUTHGATE_AUDIT_DAYS",
    ),
    "Who signs in, and where they are known": (
        "AUTHGATE_ISSUER",
        "AUTHGATE_PASSWORDS",
        "AUTHGATE_SOCIAL",
        "AUTHGATE_TOOL_PASSWORDS",
    ),
    "A WorkOS environment": (
        "WORKOS_API_KEY",
        "WORKOS_CLIENT_ID",
        "WORKOS_API_URL",
        "WORKOS_AUTHKIT_DOMAIN",
        "AUTHGATE_ACCEPT_CLIENT_ID_AUDIENCE",
        "AUTHGATE_WORKOS_PROVIDERS",
        "AUTHGATE_LINK_VERIFIED_EMAIL",
        "WORKOS_WEBHOOK_SECRET",
    ),
    "A Supabase project": (
        "SUPABASE_URL",
        "SUPABASE_PUBLISHABLE_KEY",
        "SUPABASE_ANON_KEY",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
        "AUTHGATE_SUPABASE_AUTH_URL",
        "AUTHGATE_REQUIRE_SECOND_FACTOR",
        "AUTHGATE_SUPABASE_FORWARD_ADDRESS",
        "AUTHGATE_SUPABASE_FORWARD_HEADER",
        "AUTHGATE_SUPABASE_OUTAGE_GRACE",
        "AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM",
        "AUTHGATE_SUPABASE_KEEP_SESSION",
    ),
    "What clients may ask for": (
        "AUTHGATE_SCOPES",
        "AUTHGATE_RESOURCES",
        "AUTHGATE_REDIRECT_SCHEMES",
    ),
    "What it stands before": (
        "AUTHGATE_UPSTREAM",
        "AUTHGATE_UPSTREAM_IDENTITY",
        "AUTHGATE_UPSTREAM_TIMEOUT",
        "AUTHGATE_UPSTREAM_BODY_LIMIT",
        "AUTHGATE_UPSTREAM_LIMIT",
        "AUTHGATE_UPSTREAM_LIMIT_PERSON",
        "AUTHGATE_UPSTREAM_COMMAND",
        "AUTHGATE_UPSTREAM_ENV",
        "AUTHGATE_UPSTREAM_PROCESSES",
        "AUTHGATE_UPSTREAM_PROCESSES_PERSON",
        "AUTHGATE_UPSTREAM_IDLE",
        "AUTHGATE_UPSTREAM_MEMORY",
        "AUTHGATE_CONFIG_FILE",
        "AUTHGATE_ROLLOUT",
        "AUTHGATE_DRAIN",
        "AUTHGATE_DRAIN_DELAY",
    ),
    "Codes, tokens and keys": (
        "AUTHGATE_CODE_TTL",
        "AUTHGATE_ACCESS_TOKEN_TTL",
        "AUTHGATE_REFRESH_TOKEN_TTL",
        "AUTHGATE_REFRESH_GRACE",
        "AUTHGATE_SIGNING_ALG",
        "AUTHGATE_KEY_ROTATION_DAYS",
    ),
    "How often": (
        "AUTHGATE_LIMIT_ACCOUNT",
        "AUTHGATE_LIMIT_ADDRESS",
        "AUTHGATE_LIMIT_FACTOR",
        "AUTHGATE_LIMIT_REGISTRATION",
        "AUTHGATE_LIMIT_AUTHORIZATION",
        "AUTHGATE_LIMIT_CLIENT",
        "AUTHGATE_LIMITS_URL",
    ),
    "What it logs and counts": ("LOG_LEVEL", "AUTHGATE_METRICS_BIND"),
}


def settings() -> dict[str, tuple[str, str]]:
    """Every setting's default, as it is written in a file, and its line."""
    found = {}
    for field in Settings.model_fields.values():
        extra = field.json_schema_extra
        shown = extra.get("shown") if isinstance(extra, dict) else None
        default = str(shown) if shown is not None else _written(field.default)
        found[str(field.validation_alias)] = (default, str(field.description))
    return found


def _written(default: object) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case tuple():
            return " ".join(default)
        case _:
            return str(default)


def render() -> str:
    """The whole file."""
    return "\n".join((HEAD.rstrip(), *_body())) + "\n"


def _body() -> Iterator[str]:
    known = settings()
    for heading, names in GROUPS.items():
        yield f"\n\n# --- {heading} {'-' * (90 - len(heading))}"
        for name in names:
            default, line = known[name]
            yield f"\n# {line}\n#{name}={default}"


if __name__ == "__main__":
    sys.stdout.write(render())
