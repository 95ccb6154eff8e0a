"""The two cookies of a browser, and the form tokens that tie a page to it.

The *browser* cookie is a stable name for a browser: authorization requests and forms are bound to
it. The *session* cookie is the proof of a sign-in and is made new at each one, so nobody can plant
a session that somebody else then signs in to (session fixation). Both hold 256 random bits and
nothing else. Never here: what a session says (the store keeps it, by digest). Neighbours: `pages`
sets and reads the cookies, `steps` look the session up.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass

from authgate.security.vault import Vault, base64url

SESSION_SECONDS = 12 * 3600
BROWSER_SECONDS = 30 * 86400
MAX_COOKIE_HEADER = 16384

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Presented:
    """The cookies of ours that a request carried; None for absent, malformed or ambiguous."""

    browser: str | None
    session: str | None


@dataclass(frozen=True, slots=True)
class Cookies:
    """The names and attributes of our cookies at one public URL.

    `__Host-` makes the browser itself insist on Secure, Path=/ and no Domain, so that no
    neighbouring host can set ours. It needs https; a development server has plain names.
    SameSite=Lax and not Strict: a client's link to the authorization endpoint must find the
    browser's cookie, or every sign-in would start in a new browser.
    """

    secure: bool

    @classmethod
    def of(cls, public_url: str) -> Cookies:
        """The cookies for a public URL."""
        return cls(secure=public_url.lower().startswith("https://"))

    @property
    def browser_name(self) -> str:
        return "__Host-authgate-browser" if self.secure else "authgate-browser"

    @property
    def session_name(self) -> str:
        return "__Host-authgate-session" if self.secure else "authgate-session"

    def set_browser(self, value: str) -> str:
        """A Set-Cookie value that names this browser."""
        return self._set(self.browser_name, value, BROWSER_SECONDS)

    def set_session(self, value: str) -> str:
        """A Set-Cookie value that signs this browser in."""
        return self._set(self.session_name, value, SESSION_SECONDS)

    def clear_session(self) -> str:
        """A Set-Cookie value that forgets the session."""
        return self._set(self.session_name, "", 0)

    def read(self, header: str | None) -> Presented:
        """Our two cookies in a Cookie header."""
        return Presented(
            browser=read_cookie(header, self.browser_name),
            session=read_cookie(header, self.session_name),
        )

    def _set(self, name: str, value: str, max_age: int) -> str:
        if value and not _SECRET.fullmatch(value):
            raise ValueError("a cookie of ours holds a secret from digests.new_secret")
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{secure}"


def read_cookie(header: str | None, name: str) -> str | None:
    """The one well-formed value of cookie `name`, or None.

    Other people's cookies may be anything and are stepped over. Two cookies with our name mean
    that somebody else set one of them (another port or path of a plain http host); as nobody can
    tell which, neither counts (RFC 6265 section 5.4 leaves their order to chance).
    """
    if not header or len(header) > MAX_COOKIE_HEADER:
        return None
    values = [
        value.strip(" \t")
        for label, equals, value in (pair.partition("=") for pair in header.split(";"))
        if equals and label.strip(" \t") == name
    ]
    if len(values) != 1 or not _SECRET.fullmatch(values[0]):
        return None
    return values[0]


def form_token(vault: Vault, *, form: str, browser: str, session: str | None, request: str) -> str:
    """The token of one form of one request in one browser and session (RFC 9700 section 4.7).

    Nothing is stored: only somebody with the vault's key and this browser's cookies can make it.
    """
    return base64url(vault.mac("form token", _bound(form, browser, session, request)))


def check_form_token(
    vault: Vault, token: str, *, form: str, browser: str, session: str | None, request: str
) -> bool:
    """Was `token` made for exactly this form, request, browser and session, by any vault key?"""
    given = token.encode("utf-8", "surrogatepass")
    good = False
    for mac in vault.macs("form token", _bound(form, browser, session, request)):
        good |= hmac.compare_digest(base64url(mac).encode("ascii"), given)
    return good


def _bound(form: str, browser: str, session: str | None, request: str) -> bytes:
    """The parts as one byte string with one meaning: JSON keeps borders, and None apart from ''."""
    return json.dumps([form, browser, session, request]).encode("ascii")
