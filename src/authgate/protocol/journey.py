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
    CONSENT = "consent"
    APPROVE = "approve"
    ANSWERED = "answered"
    EXPIRED = "expired"


def next_step(
    request: AuthorizationRequest,
    client: Client,
    session: Session | None,
    remembered: Consent | None,
    now: int,
) -> Step:
    """The next step of `request` at `now` (seconds) for the browser that holds `session`."""
    if request.answered_at is not None:
        return Step.ANSWERED
    if request.expires_at <= now:
        return Step.EXPIRED
    if session is None or session.expires_at <= now:
        return Step.SIGN_IN
    if "login" in request.prompt and session.created_at < request.created_at:
        return Step.SIGN_IN
    if "select_account" in request.prompt and session.created_at < request.created_at:
        return Step.SIGN_IN
    return Step.CONSENT if must_ask(request, client, remembered) else Step.APPROVE


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
