"""The code form: the second factor of somebody whose password was right, for one waiting request.

Like the sign-in form it is bound to request and browser, and says on itself what was wrong. When
the factor is over (too many wrong codes, or too late) the sign-in form comes back and says so.
Never here: throttles and directories (`steps.factor`).
"""

from __future__ import annotations

from authgate.pages import render, sign_in, visit, words
from authgate.pages.login import Turn
from authgate.pages.sign_in import Problem
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.steps import factor as steps
from authgate.steps import providers
from authgate.steps.consent import Interaction
from authgate.web.answers import Answer, refusal_headers, see_other
from authgate.web.request import Request

# What another code, or the same one later, can mend.
_ON_THE_FORM = (
    Reason.FACTOR_WRONG,
    Reason.FACTOR_SENT_AGAIN,
    Reason.SIGN_IN_THROTTLED,
    Reason.SIGN_IN_UNAVAILABLE,
)
# What only the password, or another account, can mend.
_OVER = (
    Reason.FACTOR_SPENT,
    Reason.FACTOR_ENDED,
    Reason.FACTOR_MISSING,
    Reason.FACTOR_UNSUPPORTED,
    *providers.REASONS,
)
_INCOMPLETE = Problem(400, "The form is not complete.", "Enter the code.", True)


def form(
    site: Site,
    visitor: Visit,
    interaction: Interaction,
    handle: str,
    *,
    problem: Problem | None = None,
) -> Answer:
    """The form. A code that was wrong is not shown again: nobody corrects a digit of one."""
    factor = interaction.request.factor
    assert factor is not None  # the journey asks nobody for a code who owes none
    return render.page(
        site.url,
        problem.status if problem else 200,
        "factor.html",
        {
            "asking": words.asking(interaction),
            "handle": handle,
            "form_token": visit.make_token(site, visitor, "factor", handle, session=False),
            "code_asked": words.code_asked(factor.kind, factor.hint),
            "problem": problem,
        },
    )


async def submit(site: Site, request: Request) -> Answer:
    """`POST /oauth/factor`: a new session and back to the dispatcher, or a form again.

    With `another`, back to the sign-in form: it takes the pending factor away, so it needs the
    form's token like everything else here.
    """
    asked = visit.read_form(site, request)
    handle = visit.handle_of(asked)
    visitor = await visit.load(site, request)
    interaction = await visit.interaction(site, visitor, handle)
    if not visit.has_token(site, visitor, "factor", asked, session=False):
        raise Refusal(Reason.FORM_TOKEN)
    sign_in.refuse_unless_open(interaction)
    if interaction.step in sign_in.SIGNED_IN:  # through another tab
        return see_other(site.continue_link(handle))
    if asked.get("another") is not None:
        await steps.give_up(site.parts, interaction.request)
        return see_other(site.continue_link(handle))
    code = asked.get("code")
    if code is None and interaction.step is Step.FACTOR:
        return form(site, visitor, interaction, handle, problem=_INCOMPLETE)
    try:
        person = await steps.answer_factor(
            site.parts, interaction.request, code or "", visitor.address
        )
    except Refusal as refusal:
        return _refused(site, visitor, interaction, handle, refusal)
    return await sign_in.admit_here(site, Turn(request, visitor, interaction, handle), person)


def _refused(
    site: Site, visitor: Visit, interaction: Interaction, handle: str, refusal: Refusal
) -> Answer:
    """The form that can mend it."""
    if refusal.reason in _OVER:
        return sign_in.refused_form(site, visitor, interaction, handle, refusal)
    if refusal.reason not in _ON_THE_FORM:
        raise refusal
    shown = form(site, visitor, interaction, handle, problem=_problem(refusal))
    shown.headers.extend(refusal_headers(refusal))
    return shown


def _problem(refusal: Refusal) -> Problem:
    status, alert = refusal.face.status, refusal.sentence
    if refusal.retry_after is not None:
        wait = words.duration(refusal.retry_after)
        return Problem(status, alert, f"Wait {wait}, then try again.")
    return Problem(status, alert, refusal.hint, blames_input=True)
