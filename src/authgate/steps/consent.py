"""Where a request stands, and its answer: approve or deny, once (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from authgate.observe.about import learned
from authgate.protocol import authorize, journey, redirect_uris
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import (
    Approval,
    AuthorizationRequest,
    Client,
    Code,
    Consent,
    Person,
    RequestKind,
    Session,
)
from authgate.security.digests import digest, new_ordered_identifier, new_secret
from authgate.steps.parts import Parts, audited


@dataclass(frozen=True, slots=True)
class Interaction:
    """A request with all that decides its next step."""

    request: AuthorizationRequest
    client: Client | None  # None: a login, whose asker says of no client
    session: Session | None
    step: journey.Step


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets: `redirect_to` is complete; the parts are for tools."""

    redirect_to: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    state: str | None = None


async def load(
    parts: Parts,
    handle: str,
    browser_digest: str | None,
    session: Session | None,
    kind: RequestKind = "browser",
) -> Interaction:
    """The request behind `handle`, if it belongs to this browser, and its next step.

    `kind` is what this server opens for browsers: their own requests, or logins. Raises `Refusal`
    for an unknown handle and for another browser than the one that asked.
    """
    request = await parts.store.request(digest(handle))
    if request is None or request.kind != kind:
        raise Refusal(Reason.INTERACTION_UNKNOWN)
    if request.browser_digest != browser_digest:
        raise Refusal(Reason.BROWSER_MISMATCH)
    client = None if kind == "login" else await _client_of(parts, request)
    learned(client_id=request.client_id)
    step = journey.next_step(
        request,
        client,
        session,
        await _remembered(parts, request, client, session),
        parts.clock(),
        required_assurance=parts.policy.required_assurance,
    )
    return Interaction(request, client, session, step)


async def _remembered(
    parts: Parts, request: AuthorizationRequest, client: Client | None, session: Session | None
) -> Consent | None:
    if client is None or session is None:
        return None
    return await parts.store.consent(
        session.person.sub,
        client.client_id,
        redirect_uris.consent_host(request.redirect_uri),
        request.resource,
    )


async def load_challenge(parts: Parts, challenge_id: str) -> AuthorizationRequest:
    """The tool challenge behind `challenge_id`, still open; raises `Refusal`."""
    request = await parts.store.request(digest(challenge_id))
    if request is None or request.kind != "tool" or request.expires_at <= parts.clock():
        raise Refusal(Reason.CHALLENGE_UNKNOWN)
    if request.answered_at is not None:
        raise Refusal(Reason.CHALLENGE_ANSWERED)
    await _client_of(parts, request)
    return request


async def _client_of(parts: Parts, request: AuthorizationRequest) -> Client:
    client = await parts.store.client(request.client_id)
    if client is None:
        raise Refusal(Reason.CLIENT_UNKNOWN)
    return client


async def approve(
    parts: Parts,
    request: AuthorizationRequest,
    person: Person,
    *,
    authenticated_at: int,
    address: str,
    via: str,
) -> Answer:
    """Answer `request` with a code for `person`. One caller wins; others get the refusal.

    `via` says in the audit trail how the person consented (page, remembered, password in a tool).
    """
    learned(client_id=request.client_id, sub=person.sub)
    now, value = parts.clock(), new_secret()
    code = Code(
        code_digest=digest(value),
        grant_id=new_ordered_identifier("grant_", now),
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        scopes=request.scopes,
        resource=request.resource,
        person=person,
        authenticated_at=authenticated_at,
        issued_at=now,
        expires_at=now + parts.policy.code_ttl,
    )
    consent = Consent(
        sub=person.sub,
        client_id=request.client_id,
        redirect_host=redirect_uris.consent_host(request.redirect_uri),
        resource=request.resource,
        scopes=request.scopes,
        granted_at=now,
    )
    outcome = await parts.store.approve(
        request.request_digest,
        code,
        consent if via == "page" else None,
        now,
        audited(
            now,
            "consent.given",
            actor=person.sub,
            client_id=request.client_id,
            address=address,
            via=via,
            scope=" ".join(request.scopes),
        ),
    )
    _refuse_unless_approved(outcome, request)
    url = authorize.success(
        request.redirect_uri, code=value, state=request.state, issuer=parts.policy.issuer
    )
    return Answer(url, value, request.state)


async def deny(parts: Parts, request: AuthorizationRequest, person: Person, address: str) -> Answer:
    """Answer `request` with access_denied; the same deciding statement as `approve`."""
    now = parts.clock()
    outcome = await parts.store.deny(
        request.request_digest,
        now,
        audited(
            now,
            "consent.denied",
            actor=person.sub,
            client_id=request.client_id,
            address=address,
        ),
    )
    _refuse_unless_approved(outcome, request)
    url = authorize.failure(
        request.redirect_uri,
        Refusal(Reason.ACCESS_DENIED),
        state=request.state,
        issuer=parts.policy.issuer,
    )
    return Answer(url, None, request.state)


def _refuse_unless_approved(outcome: Approval, request: AuthorizationRequest) -> None:
    tool = request.kind == "tool"
    match outcome:
        case Approval.APPROVED:
            return
        case Approval.ALREADY_ANSWERED:
            raise Refusal(Reason.CHALLENGE_ANSWERED if tool else Reason.INTERACTION_ANSWERED)
        case Approval.EXPIRED:
            raise Refusal(Reason.CHALLENGE_UNKNOWN if tool else Reason.INTERACTION_EXPIRED)
