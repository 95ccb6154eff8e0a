"""One sign-in as a state machine: which browser step is next, and nothing else.

Pages never send people to each other; each returns to the dispatcher, which asks `next_step` what
the stored state says. So a page that is reloaded, opened twice or left for an hour cannot skip or
repeat a step.
"""

from __future__ import annotations

from enum import Enum

from authgate.protocol import redirect_uris
from authgate.protocol.records import AuthorizationRequest, Client, Consent, Session


class Step(Enum):
    """What the browser does next."""

    SIGN_IN = "sign_in"
    FACTOR = "factor"
    CONSENT = "consent"
    APPROVE = "approve"
    CONTINUE = "continue"
    ANSWERED = "answered"
    EXPIRED = "expired"


def next_step(
    request: AuthorizationRequest,
    client: Client | None,
    session: Session | None,
    remembered: Consent | None,
    now: int,
    *,
    required_assurance: int,
) -> Step:
    """The next step of `request` at `now` (seconds) for the browser that holds `session`.

    A pending factor asks for its code only where no session is good enough already: it is a part
    of signing in, and who is signed in has nothing to prove.

    A login has no client (None) and asks for no consent: that is for the server that asked. What is
    left for us to ask is who goes there, even where somebody is signed in: that server may have
    been sent here by a page that hopes for this very session.
    """
    if request.answered_at is not None:
        return Step.ANSWERED
    if request.expires_at <= now:
        return Step.EXPIRED
    if session is not None and _is_enough(session, request, now, required_assurance):
        if client is None:
            return Step.CONTINUE
        return Step.CONSENT if must_ask(request, client, remembered) else Step.APPROVE
    factor = request.factor
    return Step.FACTOR if factor is not None and factor.expires_at > now else Step.SIGN_IN


def _is_enough(
    session: Session, request: AuthorizationRequest, now: int, required_assurance: int
) -> bool:
    """Does this session sign anybody in for this request?

    One that is too weak for what the operator demands counts as none, so that its person steps up
    by signing in anew: there is no second way to a stronger session, and none to forget.
    """
    if session.expires_at <= now or session.person.assurance < required_assurance:
        return False
    anew = "login" in request.prompt or "select_account" in request.prompt
    return not (anew and session.created_at < request.created_at)


def must_ask(request: AuthorizationRequest, client: Client, remembered: Consent | None) -> bool:
    """Must the person be asked, although they allowed this client before?

    Always for a loopback or private-use redirect URI (any program on the machine can be there, RFC
    8252 section 8.6), always when another site sent the browser and the client registered itself
    (the MCP best practices' confused deputy), and whenever anything asked is not covered yet.
    """
    if remembered is None or "consent" in request.prompt:
        return True
    uri = request.redirect_uri
    if redirect_uris.is_loopback(uri) or redirect_uris.is_private_use(uri):
        return True
    if request.cross_site and client.self_registered:
        return True
    return not set(request.scopes) <= set(remembered.scopes)
