"""`/oauth/login`: where AuthKit sends a browser to sign in, and where a signed-in person says yes.

A GET opens the login and completes nothing, whoever is signed in: any page can send a browser here.
It is completed by a form that this person posted for this very login, either this page's "continue
as" or the one in which they just proved who they are. Which application asks, and for what, AuthKit
does not tell; so no page here says so, and AuthKit's own asks for consent after us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authgate.observe import log
from authgate.pages import errors, render, visit
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.protocol.records import Person
from authgate.security.digests import digest, new_secret
from authgate.steps import login as steps
from authgate.steps.authorize import Asker
from authgate.steps.consent import Interaction
from authgate.web.answers import Answer, Header, see_other
from authgate.web.request import Request


@dataclass(frozen=True, slots=True)
class Turn:
    """One posted form of a request's pages, with all that was loaded for it."""

    request: Request
    visitor: Visit
    interaction: Interaction
    handle: str


async def begin(site: Site, request: Request) -> Answer:
    """`GET /oauth/login?external_auth_id=…`: open it for this browser, and to the dispatcher."""
    asked = request.query()
    known = site.cookies.read(request.header(b"cookie")).browser
    browser = known or new_secret()
    asker = Asker(
        "login",
        digest(browser),
        cross_site=request.header(b"sec-fetch-site") != "none",
        address=request.address,
    )
    handle = await steps.open_login(site.parts, asked, asker)
    # Set again even if known: the cookie's life starts anew with each use.
    cookie = site.cookies.set_browser(browser).encode("ascii")
    return see_other(site.continue_link(handle), [(b"set-cookie", cookie)])


def form(site: Site, visitor: Visit, interaction: Interaction, handle: str) -> Answer:
    """ "Continue as …?" No button has the focus: a second Enter meant for the sign-in form must not
    answer for anybody."""
    session = interaction.session
    assert session is not None  # the journey asks this of nobody who is not signed in
    assert site.logins is not None  # and of nobody where no login can be opened
    return render.page(
        site.url,
        200,
        "continue.html",
        {
            "person": session.person.display,
            "issuer_host": site.logins.logins.host,
            "handle": handle,
            "form_token": visit.make_token(site, visitor, "login", handle),
            "sign_out_token": visit.make_token(site, visitor, "sign-out", handle),
        },
    )


async def submit(site: Site, request: Request) -> Answer:
    """`POST /oauth/login`: the person of this session goes on as who they are."""
    asked = visit.read_form(site, request)
    handle = visit.handle_of(asked)
    visitor = await visit.load(site, request)
    interaction = await visit.interaction(site, visitor, handle)
    if not visit.has_token(site, visitor, "login", asked):
        return _look_again(site, request, handle)
    match interaction.step:
        case Step.ANSWERED:
            raise Refusal(Reason.INTERACTION_ANSWERED)
        case Step.EXPIRED:
            raise Refusal(Reason.INTERACTION_EXPIRED)
        case Step.CONTINUE:
            return await _go_on(site, Turn(request, visitor, interaction, handle))
        case _:  # the session ended while the form was open
            return see_other(site.continue_link(handle))


async def _go_on(site: Site, turn: Turn) -> Answer:
    session = turn.interaction.session
    assert session is not None  # the journey asks nobody who is not signed in
    try:
        person = await steps.still_good(site.parts, session)
    except Refusal as refusal:
        return refused(site, turn, refusal)
    return await finish(site, turn, person, via="page")


async def finish(
    site: Site, turn: Turn, person: Person, *, via: str, extra: Sequence[Header] = ()
) -> Answer:
    """Tell AuthKit, and send the browser on to it. `extra` are headers of either answer."""
    assert site.logins is not None  # or there would be no login to finish
    try:
        onward = await steps.complete(
            site.logins,
            turn.interaction.request,
            person,
            address=turn.visitor.address,
            via=via,
        )
    except Refusal as refusal:
        return refused(site, turn, refusal, extra)
    return see_other(onward, extra)


def refused(site: Site, turn: Turn, refusal: Refusal, extra: Sequence[Header] = ()) -> Answer:
    """The page of a refusal, with the way back to the login where it can still be answered."""
    over = refusal.reason in steps.FINAL or refusal.reason in (
        Reason.INTERACTION_ANSWERED,
        Reason.INTERACTION_EXPIRED,
        Reason.INTERACTION_UNKNOWN,
    )
    onward = errors.Onward(site.continue_link(turn.handle), "Back to signing in")
    log.refused(turn.request.scope, refusal)
    page = errors.refusal_page(refusal, site.url, None if over else onward)
    page.headers.extend(extra)
    return page


def _look_again(site: Site, request: Request, handle: str) -> Answer:
    """Refuse the form, and offer the page as it is now: as somebody else, most likely."""
    refusal = Refusal(Reason.FORM_TOKEN)
    log.refused(request.scope, refusal)
    onward = errors.Onward(site.continue_link(handle), "Show this sign-in as it is now")
    return errors.refusal_page(refusal, site.url, onward)
