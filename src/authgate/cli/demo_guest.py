"""The demo's person when it is one of a Supabase project: who they are, and where they are known.

The demo's own server is told of the project and nothing else of the settings. Neither password nor
code is an argument: every process of the machine could read it.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authgate.cli.common import USAGE, fail, load_settings
from authgate.cli.demo_visitor import Provider
from authgate.steps.providers import PROVIDERS

if TYPE_CHECKING:
    from authgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody of the project, with the settings that a server needs to ask for them there.

    Who comes in by a provider has no password here.
    """

    email: str
    password: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    from_stdin: bool = False
    provider: Provider | None = None

    @property
    def known(self) -> str:
        """Where this person is known, and how they prove who they are."""
        way = f", by {self.provider.label}" if self.provider else ""
        return f"of {self.environment['SUPABASE_URL']}{way}"

    def code(self) -> str:
        """The second factor's code, at the moment it is asked for."""
        if self.from_stdin:
            return sys.stdin.readline().strip()
        return getpass.getpass(f"Code of the second factor of {self.email}: ").strip()


def invite(email: str, env_file: Path | None, *, from_stdin: bool) -> Guest:
    """The guest with this address; the password from the terminal or the first line of stdin."""
    email = _spelled(email)
    environment = _project(_settings(env_file))
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass(f"Password of {email} at Supabase: ")
    if not password:
        fail("Without the password of that person the demo cannot sign in.", USAGE)
    return Guest(email, password, environment, from_stdin)


def invite_by(name: str, email: str, env_file: Path | None) -> Guest:
    """The guest with this address, who signs in at the provider `name`."""
    settings = _settings(env_file)
    label = PROVIDERS[name]
    if settings.social_in != "supabase":
        fail(
            f"--with: with these settings the owner of {label} is {settings.social_in}, and the "
            f"demo goes by Supabase: set AUTHGATE_SOCIAL=supabase, or leave --with out.",
            USAGE,
        )
    parts = urlsplit(settings.supabase_auth)
    provider = Provider(label, frozenset({f"{parts.scheme}://{parts.netloc}"}))
    return Guest(_spelled(email), "", _project(settings), provider=provider)


def _spelled(email: str) -> str:
    return email.strip().lower()  # as Supabase keeps and shows it


def _settings(env_file: Path | None) -> Settings:
    settings = load_settings(env_file)
    if settings.people_in != "supabase" or settings.supabase_low_key is None:
        fail("--as needs a Supabase project: set SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY.", USAGE)
    return settings


def _project(settings: Settings) -> dict[str, str]:
    """What the demo's own server is told of the settings."""
    low, high = settings.supabase_low_key, settings.supabase_high_key
    assert low is not None
    careless = settings.supabase_social_with_autoconfirm
    return {
        "SUPABASE_URL": settings.supabase_url or "",
        "SUPABASE_PUBLISHABLE_KEY": low.get_secret_value(),
        "SUPABASE_SECRET_KEY": high.get_secret_value() if high else "",
        "AUTHGATE_SUPABASE_AUTH_URL": settings.supabase_auth_url or "",
        "AUTHGATE_SUPABASE_SOCIAL_WITH_AUTOCONFIRM": str(careless).lower(),
        "AUTHGATE_ALLOW_HTTP": str(settings.allow_http).lower(),
    }
