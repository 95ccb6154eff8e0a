"""The consent form: who asks, where the answer goes, what it allows; answered once."""

from __future__ import annotations

from authgate.observe import log
from authgate.pages import errors, render, visit, words
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.steps import consent as steps
from authgate.web.answers import Answer, see_other
from authgate.web.request import Request


def form(site: Site, visitor: Visit, interaction: steps.Interaction, handle: str) -> Answer:
    """The form. Nothing in it is preselected, and no button has the focus: a second Enter meant
    for the sign-in form must not allow anything."""
    session = interaction.session
    assert session is not None  # the journey shows consent to nobody who is not signed in
    assert interaction.client is not None  # and only where there is a client to allow
    return render.page(
        site.url,
        200,
        "consent.html",
        {
            "asking": words.describe(interaction.client, interaction.request),
            "person": session.person.display,
            "handle": handle,
            "answers_to": "/oauth/consent",
            "form_token": visit.make_token(site, visitor, "consent", handle),
            "sign_out_token": visit.make_token(site, visitor, "sign-out", handle),
        },
    )


async def submit(site: Site, request: Request) -> Answer:
    """`POST /oauth/consent`: the one answer, on its way to the client's redirect URI."""
    asked = visit.read_form(site, request)
    handle = visit.handle_of(asked)
    decision = asked.require("decision")
    visitor = await visit.load(site, request)
    interaction = await visit.interaction(site, visitor, handle)
    if not visit.has_token(site, visitor, "consent", asked):
        return _look_again(site, request, handle)
    match interaction.step:
        case Step.ANSWERED:
            raise Refusal(Reason.INTERACTION_ANSWERED)
        case Step.EXPIRED:
            raise Refusal(Reason.INTERACTION_EXPIRED)
        case Step.SIGN_IN | Step.FACTOR | Step.CONTINUE:  # the session ended meanwhile
            return see_other(site.continue_link(handle))
        case Step.CONSENT | Step.APPROVE:
            return await _answer(site, visitor, interaction, decision)


async def _answer(
    site: Site, visitor: Visit, interaction: steps.Interaction, decision: str
) -> Answer:
    session = interaction.session
    assert session is not None  # the journey asks nobody who is not signed in
    if decision == "approve":
        answer = await steps.approve(
            site.parts,
            interaction.request,
            session.person,
            authenticated_at=session.created_at,
            address=visitor.address,
            via="page",
        )
    elif decision == "deny":
        answer = await steps.deny(site.parts, interaction.request, session.person, visitor.address)
    else:
        raise Refusal(Reason.REQUEST_MALFORMED, why="the decision is neither approve nor deny")
    return see_other(answer.redirect_to)


def _look_again(site: Site, request: Request, handle: str) -> Answer:
    """Refuse the form, and offer the page as it is now.

    The usual cause is another account signed in through another tab: the person may go on, but
    has to see for whom.
    """
    refusal = Refusal(Reason.FORM_TOKEN)
    log.refused(request.scope, refusal)
    onward = errors.Onward(site.continue_link(handle), "Show this sign-in as it is now")
    return errors.refusal_page(refusal, site.url, onward)
