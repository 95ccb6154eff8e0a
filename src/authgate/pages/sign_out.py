"""Signing out of this browser, and changing to another account in the middle of a request.

Where AuthKit issues, it keeps a browser session of its own, and would answer for the person without
asking us again. So whoever signs out here is signed out there too, as far as it lets us.
"""

from __future__ import annotations

from authgate.pages import render, visit
from authgate.pages.site import Site
from authgate.protocol.errors import Reason, Refusal
from authgate.steps import sign_in as steps
from authgate.web.answers import Answer, see_other
from authgate.web.request import Request


async def ask(site: Site, request: Request) -> Answer:
    """`GET /oauth/sign-out`: a button, because a GET must not sign anybody out."""
    visitor = await visit.load(site, request)
    if visitor.session is None:
        return see_other(site.url.link("/oauth/signed-out"))
    return render.page(
        site.url,
        200,
        "sign_out.html",
        {
            "person": visitor.session.person.display,
            "issuer_host": _issuer_host(site),
            "sign_out_token": visit.make_token(site, visitor, "sign-out", ""),
        },
    )


async def submit(site: Site, request: Request) -> Answer:
    """`POST /oauth/sign-out`: forget the session; with `request`, back to its sign-in form.

    Whether the request is still open, and this browser's, is for the dispatcher to say.
    """
    asked = visit.read_form(site, request)
    visitor = await visit.load(site, request)
    if not visit.has_token(site, visitor, "sign-out", asked):
        raise Refusal(Reason.FORM_TOKEN)
    if visitor.session is not None:
        await steps.end_session(site.parts, visitor.session, visitor.address)
        if site.logins is not None:
            await site.logins.logins.sign_out(visitor.session.person.sub)
    # The token is right, so `request` is a handle that we wrote into the form, or empty.
    handle = asked.get("request")
    onward = site.continue_link(handle) if handle else site.url.link("/oauth/signed-out")
    cookie = site.cookies.clear_session().encode("ascii")
    return see_other(onward, [(b"set-cookie", cookie)])


async def done(site: Site, request: Request) -> Answer:
    """`GET /oauth/signed-out`: says so, and only if it is true."""
    visitor = await visit.load(site, request)
    if visitor.session is not None:
        return see_other(site.url.link("/oauth/sign-out"))
    return render.page(site.url, 200, "signed_out.html", {"issuer_host": _issuer_host(site)})


def _issuer_host(site: Site) -> str | None:
    """The issuer elsewhere, where there is one."""
    return site.logins.logins.host if site.logins is not None else None
