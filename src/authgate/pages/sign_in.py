"""The sign-in form: an e-mail address and a password, or a provider, for one waiting request.

What was wrong is said on the same form, with the address kept and nothing else; a failed sign-in
never redirects. Never here: throttles and directories (`steps.sign_in`).
"""

from __future__ import annotations

from dataclasses import dataclass

from authgate.pages import login, render, visit, words
from authgate.pages.login import Turn
from authgate.pages.site import Site
from authgate.pages.visit import Visit
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.journey import Step
from authgate.protocol.records import Person
from authgate.steps import providers, social
from authgate.steps import sign_in as steps
from authgate.steps.consent import Interaction
from authgate.steps.factor import FactorDue
from authgate.web.answers import Answer, Header, refusal_headers, see_other
from authgate.web.request import Request

# What may be said on the form itself, because trying again there makes sense.
_ON_THE_FORM = (
    Reason.SIGN_IN_WRONG,
    Reason.SIGN_IN_THROTTLED,
    Reason.SIGN_IN_UNAVAILABLE,
    Reason.SIGN_IN_NOT_OFFERED,
    Reason.EMAIL_UNCONFIRMED,
    Reason.FACTOR_MISSING,
    Reason.FACTOR_UNSUPPORTED,
)

SIGNED_IN = (Step.CONSENT, Step.APPROVE, Step.CONTINUE)
"""The steps of somebody who has nothing left to prove."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the form is shown again. `alert` is the sentence, `advice` what to do.

    `blames_input`: the fields hold what is wrong (not so for throttles and outages).
    """

    status: int
    alert: str
    advice: str
    blames_input: bool = False


_INCOMPLETE = Problem(400, "The form is not complete.", "Enter e-mail address and password.", True)


def form(
    site: Site,
    visitor: Visit,
    interaction: Interaction,
    handle: str,
    *,
    username: str = "",
    problem: Problem | None = None,
) -> Answer:
    """The form, empty at first."""
    return render.page(
        site.url,
        problem.status if problem else 200,
        "sign_in.html",
        {
            "asking": words.asking(interaction),
            "handle": handle,
            "form_token": visit.make_token(site, visitor, "sign-in", handle, session=False),
            "username": username,
            "problem": problem,
            "passwords": site.parts.passwords.ways.password,
            "providers": [
                (providers.PROVIDERS[name], site.url.link(f"/oauth/start/{name}?request={handle}"))
                for name in social.offered(site.parts)
            ],
        },
    )


async def submit(site: Site, request: Request) -> Answer:
    """`POST /oauth/sign-in`: a new session and back to the dispatcher, or the form again.

    With a second factor due, back to the dispatcher without a session.

    The token is not bound to a session: signing in through a second tab must not break the form
    in the first. Browser and request are enough against a sign-in forced by another site.
    """
    asked = visit.read_form(site, request)
    handle = visit.handle_of(asked)
    visitor = await visit.load(site, request)
    interaction = await visit.interaction(site, visitor, handle)
    if not visit.has_token(site, visitor, "sign-in", asked, session=False):
        raise Refusal(Reason.FORM_TOKEN)
    refuse_unless_open(interaction)
    username, password = asked.get("username"), asked.get("password")
    if username is None or password is None:
        return form(
            site, visitor, interaction, handle, username=username or "", problem=_INCOMPLETE
        )
    try:
        outcome = await steps.with_password(
            site.parts, interaction.request, username, password, visitor.address
        )
    except Refusal as refusal:
        if refusal.reason not in _ON_THE_FORM:
            raise
        return refused_form(site, visitor, interaction, handle, refusal, username)
    if isinstance(outcome, FactorDue):
        return await half_way(site, visitor, handle)
    return await admit_here(site, Turn(request, visitor, interaction, handle), outcome)


async def admit(site: Site, visitor: Visit, person: Person, handle: str) -> Answer:
    """A new session for a person who proved all that was asked, and back to the dispatcher."""
    return see_other(site.continue_link(handle), [await _new_session(site, visitor, person)])


async def admit_here(site: Site, turn: Turn, person: Person) -> Answer:
    """Like `admit`, after a form that this person just posted for this very request.

    So a login is complete with it: nothing is left to ask, and one page more to press through would
    only teach people to press.
    """
    try:
        session = await _new_session(site, turn.visitor, person)
    except Refusal as refusal:
        return login.refused(site, turn, refusal)
    if site.logins is None:
        return see_other(site.continue_link(turn.handle), [session])
    return await login.finish(site, turn, person, via="sign_in", extra=[session])


async def _new_session(site: Site, visitor: Visit, person: Person) -> Header:
    """The cookie of a new session; the one before ends."""
    fresh = await steps.begin_session(site.parts, person, visitor.address, visitor.came_at)
    if visitor.session is not None:
        # The old cookie is overwritten; a copy of it must not stay good for hours.
        await steps.end_session(site.parts, visitor.session, visitor.address)
    return b"set-cookie", site.cookies.set_session(fresh.cookie).encode("ascii")


async def half_way(site: Site, visitor: Visit, handle: str) -> Answer:
    """A code is due. Whoever was signed in before is not who typed this password just now, or has
    to step up: their session must not answer the request meanwhile."""
    if visitor.session is None:
        return see_other(site.continue_link(handle))
    await steps.end_session(site.parts, visitor.session, visitor.address)
    cookie = site.cookies.clear_session().encode("ascii")
    return see_other(site.continue_link(handle), [(b"set-cookie", cookie)])


def refused_form(
    site: Site,
    visitor: Visit,
    interaction: Interaction,
    handle: str,
    refusal: Refusal,
    username: str = "",
) -> Answer:
    """The form with what went wrong above it, and what that asks of the answer's headers."""
    problem = _problem(refusal, others=bool(social.offered(site.parts)))
    shown = form(site, visitor, interaction, handle, username=username, problem=problem)
    shown.headers.extend(refusal_headers(refusal))
    return shown


def refuse_unless_open(interaction: Interaction) -> None:
    """Neither password nor code is looked at for a request that nobody can answer any more."""
    if interaction.step is Step.ANSWERED:
        raise Refusal(Reason.INTERACTION_ANSWERED)
    if interaction.step is Step.EXPIRED:
        raise Refusal(Reason.INTERACTION_EXPIRED)


def _problem(refusal: Refusal, *, others: bool) -> Problem:
    """The sentence of the table; advice in the words of a form instead of a protocol."""
    status, alert = refusal.face.status, refusal.sentence
    if refusal.retry_after is not None:
        wait = words.duration(refusal.retry_after)
        return Problem(status, alert, f"Wait {wait}, then try again.")
    if refusal.reason is Reason.SIGN_IN_WRONG:
        return Problem(status, alert, "Check both and try again.", blames_input=True)
    if refusal.reason is Reason.SIGN_IN_NOT_OFFERED:
        advice = refusal.hint if others else "Whoever runs this server has to look at it."
        return Problem(status, alert, advice)
    if refusal.reason in (Reason.FACTOR_SPENT, Reason.FACTOR_ENDED):
        return Problem(status, alert, "Sign in as before, and then enter the current code.")
    return Problem(status, alert, refusal.hint)
