"""Opening an authorization request, for a browser or a tool (RFC 6749 section 4.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from authgate.observe.about import learned
from authgate.protocol import authorize
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthorizationRequest, Client, RequestKind
from authgate.security.digests import digest, new_secret
from authgate.steps.parts import Parts


@dataclass(frozen=True, slots=True)
class Opened:
    """A request that now waits for a person; `handle` names it to the one who asked."""

    handle: str = field(repr=False)
    request: AuthorizationRequest
    client: Client
    expires_in: int


@dataclass(frozen=True, slots=True)
class Faulty:
    """A request with a proven redirect URI that cannot be put before a person."""

    refusal: Refusal
    client: Client
    redirect_uri: str
    answer_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a browser or a tool. `address` None: ourselves, and then nothing is braked."""

    kind: RequestKind
    browser_digest: str | None = None
    cross_site: bool = False
    address: str | None = None


async def open_request(parts: Parts, asked: Parameters, asker: Asker) -> Opened | Faulty:
    """Judge an authorization request and keep it until a person answers it.

    Raises `Refusal` as long as client and redirect URI are unproven (nothing may be redirected
    then); returns `Faulty` for what is wrong after that. Every call opens a request of its own, so
    a second GET of the same URL, or a prefetch, disturbs nobody.
    """
    client_id = asked.get("client_id")
    client = await parts.store.client(client_id) if client_id else None
    redirect_uri = authorize.prove_redirect(asked, client)
    assert client is not None
    learned(client_id=client.client_id)
    state = authorize.check_state(asked)
    try:
        plan = authorize.judge(asked, client, redirect_uri, parts.policy)
        if asker.kind == "tool" and plan.state is None:
            raise Refusal(Reason.STATE_MISSING)
    except Refusal as refusal:
        url = authorize.failure(redirect_uri, refusal, state=state, issuer=parts.policy.issuer)
        return Faulty(refusal, client, redirect_uri, url)
    return await _keep(parts, plan, client, asker)


async def _keep(parts: Parts, plan: authorize.Plan, client: Client, asker: Asker) -> Opened:
    # Opening leaves a row for some minutes and needs no sign-in: the disk must not be anybody's.
    if asker.address is not None:
        wait = await parts.throttles.hit_authorization(asker.address)
        if wait is not None:
            raise Refusal(Reason.THROTTLED, retry_after=wait)
    handle, now = new_secret(), parts.clock()
    request = AuthorizationRequest(
        request_digest=digest(handle),
        kind=asker.kind,
        client_id=plan.client_id,
        redirect_uri=plan.redirect_uri,
        state=plan.state,
        code_challenge=plan.code_challenge,
        scopes=plan.scopes,
        resource=plan.resource,
        prompt=plan.prompt,
        cross_site=asker.cross_site,
        browser_digest=asker.browser_digest,
        created_at=now,
        expires_at=now + parts.policy.request_ttl,
    )
    await parts.store.open_request(request)
    return Opened(handle, request, client, parts.policy.request_ttl)


def authorization_url(parts: Parts, request: AuthorizationRequest) -> str:
    """The URL that asks the same in a browser: there the person signs in and consents in person."""
    query = {
        "response_type": "code",
        "client_id": request.client_id,
        "redirect_uri": request.redirect_uri,
        "state": request.state or "",
        "code_challenge": request.code_challenge,
        "code_challenge_method": "S256",
        "scope": " ".join(request.scopes),
        "resource": request.resource,
    }
    return f"{parts.policy.issuer}/oauth/authorize?{urlencode(query)}"
