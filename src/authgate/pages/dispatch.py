"""The dispatcher: the one address of a request's pages. What it shows is what the store says."""

from __future__ import annotations

from authgate.pages import consent, factor, login, sign_in, visit
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.steps import consent as steps
from authgate.web.answers import Answer, see_other
from authgate.web.request import Request


async def proceed(site: Site, request: Request) -> Answer:
    """`GET /oauth/continue?request=…`: the next step of this request in this browser.

    Loading it again, twice or in advance is harmless: only a remembered consent is acted on, and
    only for a page load that a person sees.
    """
    handle = visit.handle_of(request.query())
    visitor = await visit.load(site, request)
    interaction = await visit.interaction(site, visitor, handle)
    match interaction.step:
        case Step.SIGN_IN:
            return sign_in.form(site, visitor, interaction, handle)
        case Step.FACTOR:
            return factor.form(site, visitor, interaction, handle)
        case Step.CONSENT:
            return consent.form(site, visitor, interaction, handle)
        case Step.APPROVE:
            if visit.may_act(request):
                return await _approve_as_remembered(site, visitor, interaction)
            return consent.form(site, visitor, interaction, handle)
        case Step.CONTINUE:
            return login.form(site, visitor, interaction, handle)
        case Step.ANSWERED:
            raise Refusal(Reason.INTERACTION_ANSWERED)
        case Step.EXPIRED:
            raise Refusal(Reason.INTERACTION_EXPIRED)


async def _approve_as_remembered(
    site: Site, visitor: Visit, interaction: steps.Interaction
) -> Answer:
    session = interaction.session
    assert session is not None  # the journey approves nobody who is not signed in
    answer = await steps.approve(
        site.parts,
        interaction.request,
        session.person,
        authenticated_at=session.created_at,
        address=visitor.address,
        via="remembered",
    )
    return see_other(answer.redirect_to)
