"""What every page handler works with: the steps' parts, our cookies, and our own public URL."""

from __future__ import annotations

from dataclasses import dataclass

from authgate.security.session import Cookies
from authgate.steps.parts import LoginParts, Parts

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """The public URL taken apart once; no Host header is ever asked.

    `path` is what stands before our own paths ("" or "/auth"), `host` is what a page shows, and
    `origin` is how a browser spells us in an Origin header.
    """

    path: str
    host: str
    origin: str

    @classmethod
    def of(cls, issuer: str) -> PublicUrl:
        """The parts of an issuer: an exact string without a trailing slash."""
        scheme, _, rest = issuer.partition("://")
        authority, slash, path = rest.partition("/")
        scheme, host = scheme.lower(), authority.lower()
        # Browsers leave the default port out of Origin (RFC 6454 section 6.2).
        host = host.removesuffix(_DEFAULT_PORTS.get(scheme, ""))
        return cls(path=slash + path, host=host, origin=f"{scheme}://{host}")

    def link(self, path: str) -> str:
        """One of our own paths, as a page links to it.

        A path and not a URL: a page then stays on the origin that served it, whatever a proxy or
        a test made of the name.
        """
        return self.path + path


@dataclass(frozen=True, slots=True)
class Site:
    """The whole surroundings of a page handler.

    `logins` are the same parts with the issuer elsewhere that sends people here, if there is one:
    then every request of a browser is a login, and else none.
    """

    parts: Parts
    cookies: Cookies
    url: PublicUrl
    logins: LoginParts | None = None

    def continue_link(self, handle: str) -> str:
        """The dispatcher's address for a request. Handles are base64url: nothing to escape."""
        return self.url.link(f"/oauth/continue?request={handle}")
