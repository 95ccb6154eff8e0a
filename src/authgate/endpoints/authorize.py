"""GET /oauth/authorize: where a client sends the browser (RFC 6749 section 4.1.1).

It opens a request bound to this browser and hands over to the dispatcher of the pages. It answers
no cross-origin script: nothing here is for programs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authgate.protocol import authorize
from authgate.security.digests import digest, new_secret
from authgate.security.session import Cookies
from authgate.steps.authorize import Asker, Faulty, open_request
from authgate.steps.parts import Parts
from authgate.web.answers import Answer, see_other
from authgate.web.endpoint import Endpoint, RefusalWriter
from authgate.web.request import Request

CONTINUE = "/oauth/continue"


@dataclass(frozen=True, slots=True)
class ErrorPages:
    """The pages for what cannot go on: before and after the redirect URI was proven."""

    refuse: RefusalWriter
    show_faulty: Callable[[Faulty], Answer]


def endpoint(parts: Parts, cookies: Cookies, prefix: str, pages: ErrorPages) -> Endpoint:
    """The authorization endpoint. `prefix` is the path of the public URL."""

    async def get(request: Request) -> Answer:
        asked = request.query()
        known = cookies.read(request.header(b"cookie")).browser
        browser = known or new_secret()
        asker = Asker(
            "browser",
            digest(browser),
            cross_site=_from_elsewhere(request),
            address=request.address,
        )
        opened = await open_request(parts, asked, asker)
        if isinstance(opened, Faulty):
            if authorize.redirect_at_once(opened.redirect_uri):
                return see_other(opened.answer_url)
            return pages.show_faulty(opened)
        # A path, not a URL: the cookie belongs to the very host name the browser used.
        page = f"{prefix}{CONTINUE}?request={opened.handle}"
        # Set again even if known: the cookie's life starts anew with each use.
        return see_other(page, [(b"set-cookie", cookies.set_browser(browser).encode("ascii"))])

    return Endpoint(get=get, refuse=pages.refuse)


def _from_elsewhere(request: Request) -> bool:
    """Did anybody but the person send the browser here? A browser that does not say counts as yes.

    Our own origin counts too: no page of ours leads here, but a redirect URI may, and a stranger
    chose that one (the answer to one client's form would then ask in the name of another).
    """
    return request.header(b"sec-fetch-site") != "none"
