"""A login: a sign-in that AuthKit asks of us (Standalone Connect), as far as rules go.

AuthKit sends a browser here with a name of its own for the sign-in and nothing else: not which
client asks, not for which resource. It is told who signed in, and answers with where to send the
browser on. The name is as opaque as that address; all that may be relied on is their form.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import Person

LASTS = 300  # seconds: AuthKit itself waits no longer
MAX_NAME = 512
MAX_URL = 8192

_DEFAULT_PORT = {"http": 80, "https": 443}
# Printable ASCII without blank, quotes and backslash: what browsers drop, or read as a slash.
_PLAIN = re.compile(r"[!#-\[\]-~]+", re.ASCII)


def external_name(asked: Parameters) -> str:
    """AuthKit's name for the sign-in; raises `Refusal` for what cannot be one."""
    asked.refuse_repeated()
    name = asked.get("external_auth_id")
    if name is None:
        raise Refusal(Reason.LOGIN_MALFORMED, why="external_auth_id is missing")
    if len(name) > MAX_NAME:
        raise Refusal(
            Reason.LOGIN_MALFORMED, why=f"external_auth_id is longer than {MAX_NAME} characters"
        )
    if not _PLAIN.fullmatch(name):
        raise Refusal(
            Reason.LOGIN_MALFORMED, why="external_auth_id holds characters that it never has"
        )
    return name


def email_of(person: Person) -> str | None:
    """The e-mail address that the person's directory stands by; None if it stands by none.

    What may be shown is the address where the directory has confirmed it, else a telephone number
    or an identifier, and neither of those has an @ (`Person.display`).
    """
    local, at, host = person.display.rpartition("@")
    if not (at and local and host) or any(c.isspace() for c in person.display):
        return None
    return person.display


def leads_to(url: str, origin: str) -> bool:
    """Is `url` an address at exactly `origin` (scheme, host, port), however a browser reads it?

    What browsers read in another way than we do is refused before any URL type sees it: backslashes
    (a slash to them), blanks and control characters (dropped), and user information.
    """
    if len(url) > MAX_URL or not _PLAIN.fullmatch(url):
        return False
    try:
        there, ours = urlsplit(url), urlsplit(origin)
        return "@" not in there.netloc and _origin(there) == _origin(ours)
    except ValueError:  # a port that is none, brackets that do not close
        return False


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _DEFAULT_PORT.get(url.scheme)


def ended_by_us(session_id: str) -> str:
    """The name under which the store remembers (`first_sight`) that we ended this session there."""
    return f"ended by us: {session_id}"
