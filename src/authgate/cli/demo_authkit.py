"""The AuthKit of the settings, for a demo whose tokens it issues.

Its pages are for a person's browser, and what it asks there is not for scripts to answer: only one
on this machine, which is a stand-in, is walked. Of a real one is said what a person has to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authgate.cli.common import REFUSED, USAGE, fail, load_settings

if TYPE_CHECKING:
    from authgate.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class AuthKit:
    """Its domain, which is the issuer, and what the demo's server is told of the settings."""

    domain: str
    environment: Mapping[str, str] = field(repr=False)


def authkit(env_file: Path | None, port: int) -> AuthKit:
    """The one of the settings; ends the command where it cannot be walked."""
    settings = load_settings(env_file)
    domain, key = settings.workos_authkit_domain, settings.workos_api_key
    if settings.issuer != "authkit" or domain is None or key is None:
        fail(
            "--authkit needs an AuthKit: set AUTHGATE_ISSUER=authkit, WORKOS_AUTHKIT_DOMAIN and "
            "WORKOS_API_KEY. Without any account: make demo-authkit",
            USAGE,
        )
    if urlsplit(domain).hostname not in _LOOPBACK:
        fail(_for_a_person(settings, domain), REFUSED)
    if port == 0:
        fail(
            "--authkit needs --port: AuthKit sends browsers to http://localhost:PORT/oauth/login, "
            "and has to know it.",
            USAGE,
        )
    return AuthKit(
        domain,
        {
            "AUTHGATE_ISSUER": "authkit",
            "WORKOS_AUTHKIT_DOMAIN": domain,
            "WORKOS_API_KEY": key.get_secret_value(),
            "WORKOS_CLIENT_ID": settings.workos_client_id or "",
            "WORKOS_API_URL": settings.workos_api_url,
        },
    )


def _for_a_person(settings: Settings, domain: str) -> str:
    public = settings.public
    return f"""a script has no business on the pages of {domain}. Try it with your own browser:
  1. In the WorkOS dashboard (Connect, Configuration) enter {public}/oauth/login
     as the Login URI and {public}/mcp as an MCP resource indicator,
     and switch Dynamic Client Registration on.
  2. authgate doctor workos     says what is still missing.
  3. authgate serve
  4. Connect your MCP client to {public}/mcp: its browser goes to AuthKit,
     from there to the sign-in page here, and back to AuthKit, which asks for consent.
To see all of it without an account: make demo-authkit"""
