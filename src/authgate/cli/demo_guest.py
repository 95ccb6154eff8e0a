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

from authgate.cli.common import USAGE, fail, load_settings


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody of the project, with the settings that a server needs to ask for them there."""

    email: str
    password: str = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)
    from_stdin: bool = False

    def code(self) -> str:
        """The second factor's code, at the moment it is asked for."""
        if self.from_stdin:
            return sys.stdin.readline().strip()
        return getpass.getpass(f"Code of the second factor of {self.email}: ").strip()


def invite(email: str, env_file: Path | None, *, from_stdin: bool) -> Guest:
    """The guest with this address; the password from the terminal or the first line of stdin."""
    email = email.strip().lower()  # as Supabase keeps and shows it
    environment = _project(env_file)
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass(f"Password of {email} at Supabase: ")
    if not password:
        fail("Without the password of that person the demo cannot sign in.", USAGE)
    return Guest(email, password, environment, from_stdin)


def _project(env_file: Path | None) -> dict[str, str]:
    settings = load_settings(env_file)
    low, high = settings.supabase_low_key, settings.supabase_high_key
    if settings.people_in != "supabase" or low is None:
        fail("--as needs a Supabase project: set SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY.", USAGE)
    return {
        "SUPABASE_URL": settings.supabase_url or "",
        "SUPABASE_PUBLISHABLE_KEY": low.get_secret_value(),
        "SUPABASE_SECRET_KEY": high.get_secret_value() if high else "",
        "AUTHGATE_SUPABASE_AUTH_URL": settings.supabase_auth_url or "",
        "AUTHGATE_ALLOW_HTTP": str(settings.allow_http).lower(),
    }
