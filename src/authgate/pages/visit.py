"""A browser that visits: its cookies, its session, and whether a form really came from our page.

Three independent things must hold for a posted form: the browser says that our own page sent it
(as far as it says anything), its cookies came along (SameSite=Lax keeps them from foreign posts),
and the form token was made for this form, request, browser and session.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from authgate.pages.site import Site
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import RequestKind, Session
from authgate.security.digests import digest
from authgate.security.session import check_form_token, form_token
from authgate.steps import consent, sign_in
from authgate.web.request import Request


@dataclass(frozen=True, slots=True)
class Visit:
    """The browser of one HTTP request. The cookies are secrets and never shown."""

    browser: str | None = field(repr=False)
    session_cookie: str | None = field(repr=False)
    session: Session | None
    address: str
    came_at: int
    """In seconds since the epoch, before anybody was asked anything for this request."""


async def load(site: Site, request: Request) -> Visit:
    """Read the cookies and look the session up."""
    came_at = site.parts.clock()
    presented = site.cookies.read(request.header(b"cookie"))
    session = await sign_in.find_session(site.parts, presented.session)
    return Visit(presented.browser, presented.session, session, request.address, came_at)


async def interaction(site: Site, visit: Visit, handle: str) -> consent.Interaction:
    """The authorization request `handle` of this very browser; raises `Refusal`."""
    browser = digest(visit.browser) if visit.browser else None
    kind: RequestKind = "browser" if site.logins is None else "login"
    return await consent.load(site.parts, handle, browser, visit.session, kind)


def handle_of(asked: Parameters) -> str:
    """The handle of the authorization request that a page or form names."""
    asked.refuse_repeated()
    handle = asked.get("request")
    if handle is None:
        raise Refusal(Reason.INTERACTION_UNKNOWN)
    return handle


def make_token(site: Site, visit: Visit, form: str, handle: str, *, session: bool = True) -> str:
    """The token for one form of one request. `session=False`: good whoever is signed in."""
    return form_token(
        site.parts.vault,
        form=form,
        browser=visit.browser or "",
        session=visit.session_cookie if session else None,
        request=handle,
    )


def has_token(
    site: Site, visit: Visit, form: str, asked: Parameters, *, session: bool = True
) -> bool:
    """Does the posted form carry the token `make_token` made for it?"""
    return check_form_token(
        site.parts.vault,
        asked.get("form_token") or "",
        form=form,
        browser=visit.browser or "",
        session=visit.session_cookie if session else None,
        request=asked.get("request") or "",
    )


def read_form(site: Site, request: Request) -> Parameters:
    """The fields of a form that one of our own pages posted; raises `Refusal`."""
    _refuse_foreign(site, request)
    asked = request.form()
    asked.refuse_repeated()
    return asked


def _refuse_foreign(site: Site, request: Request) -> None:
    """Refuse a post that the browser says another site caused.

    `same-site` counts as foreign: a neighbouring host is not us. `none` is the person's own doing
    (a reload). `Origin: null` says nothing and is not held against anybody: our own pages' policy
    `no-referrer` makes browsers write it into our own forms (Fetch, "append a request Origin
    header"), Sec-Fetch-Site betrays a sandboxed frame that has it too, and where that header is
    missing (old browsers, plain http on an intranet) cookies and form token decide.
    """
    fetch_site = request.header(b"sec-fetch-site")
    if fetch_site not in (None, "same-origin", "none"):
        raise Refusal(Reason.FORM_TOKEN)
    origin = request.header(b"origin")
    if origin not in (None, "null", site.url.origin):
        raise Refusal(Reason.FORM_TOKEN)


def refuse_unless_seen(request: Request) -> None:
    """Refuse a GET that nobody sees: it would send a browser away, or spend its return, unseen."""
    if not may_act(request):
        raise Refusal(
            Reason.REQUEST_MALFORMED, why="this address is for a page that somebody opens"
        )


def may_act(request: Request) -> bool:
    """May this GET answer a request? Only a page load that somebody really sees.

    A HEAD, a prefetch, a prerender or a frame gets the page instead, which changes nothing.
    """
    if request.method != "GET":
        return False
    purpose = f"{request.header(b'sec-purpose') or ''} {request.header(b'purpose') or ''}"
    if "prefetch" in purpose or "prerender" in purpose:
        return False
    return request.header(b"sec-fetch-dest") in (None, "document")
