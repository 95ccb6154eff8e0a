"""The token step: a code or a refresh token for an access token (RFC 6749 sections 4.1.3 and 6)."""

from __future__ import annotations

from dataclasses import replace

from authgate.observe import metrics
from authgate.observe.about import learned
from authgate.protocol import authorization_code, clients, refresh_token
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import (
    AuthenticatedClient,
    Code,
    Grant,
    Redemption,
    RefreshToken,
    Rotation,
)
from authgate.security.digests import digest, new_secret
from authgate.steps.client_authentication import authenticate
from authgate.steps.parts import IssuingParts, audited
from authgate.steps.recheck import refresh_until, vouched_at

TokenAnswer = dict[str, object]


async def token(
    parts: IssuingParts, authorization: str | None, form: Parameters, address: str
) -> TokenAnswer:
    """Answer a token request; raises `Refusal` (RFC 6749 section 5.2).

    What every grant needs happens here, so that a grant cannot forget it: the client is proven, and
    is registered for the grant type.
    """
    client = await authenticate(parts, authorization, form, address)
    learned(client_id=client.client_id)
    grant_type = form.get("grant_type")
    match grant_type:
        case "authorization_code":
            clients.require_grant_type(client, grant_type)
            answer = await _redeem(parts, client, form, address)
        case "refresh_token":
            clients.require_grant_type(client, grant_type)
            answer = await _refresh(parts, client, form, address)
        case None:
            raise Refusal(Reason.GRANT_TYPE_MISSING)
        case _:
            raise Refusal(Reason.GRANT_TYPE_UNKNOWN)
    metrics.record.token_issued(grant_type)
    return answer


async def _redeem(
    parts: IssuingParts, client: AuthenticatedClient, form: Parameters, address: str
) -> TokenAnswer:
    exchange = authorization_code.read(form)
    now, policy = parts.clock(), parts.policy
    code_digest = digest(exchange.code)
    found = await parts.store.code(code_digest)
    try:
        code = authorization_code.judge(
            found, client, exchange, now=now, verifier_attempts=policy.verifier_attempts
        )
    except Refusal as refusal:
        if refusal.reason is Reason.PKCE_FAILED:
            await parts.store.count_code_failure(code_digest, policy.verifier_attempts)
        raise
    vouched: int | None = code.authenticated_at
    if code.redeemed_at is None:  # a replay is the store's to tell, whoever is still here
        vouched = await vouched_at(parts, code.person, code.authenticated_at, now)
    if vouched is None:
        # Disabled between the consent and now: the code may be younger than that decision.
        raise Refusal(Reason.GRANT_ENDED)
    grant = replace(_new_grant(parts, code, client, now), vouched_at=vouched)
    value, refresh = _first_refresh_token(parts, grant, client, now)
    outcome = await parts.store.redeem_code(
        code_digest,
        grant,
        refresh,
        now,
        audited(
            now,
            "token.issued",
            actor=code.person.sub,
            client_id=client.client_id,
            address=address,
            grant=grant.grant_id,
        ),
        failure_limit=policy.verifier_attempts,
    )
    match outcome:
        case Redemption.REDEEMED:
            return _answer(parts, grant, grant.scopes, value, now)
        case Redemption.REPLAYED:
            raise Refusal(Reason.CODE_REPLAYED)
        case Redemption.SPENT:
            raise Refusal(Reason.CODE_SPENT)
        case Redemption.EXPIRED:
            raise Refusal(Reason.CODE_EXPIRED)


def _new_grant(parts: IssuingParts, code: Code, client: AuthenticatedClient, now: int) -> Grant:
    refreshable = "refresh_token" in client.client.grant_types
    until = refresh_until(parts, code.person, code.authenticated_at, now) if refreshable else now
    return Grant(
        grant_id=code.grant_id,
        client_id=code.client_id,
        person=code.person,
        scopes=code.scopes,
        resource=code.resource,
        authenticated_at=code.authenticated_at,
        created_at=now,
        last_used_at=now,
        expires_at=max(until, now + parts.policy.access_token_ttl),
    )


def _first_refresh_token(
    parts: IssuingParts, grant: Grant, client: AuthenticatedClient, now: int
) -> tuple[str | None, RefreshToken | None]:
    """A refresh token for every client that registered for it, whether or not it asked for
    offline_access: clients that forget to ask would sign their people out every hour."""
    if "refresh_token" not in client.client.grant_types:
        return None, None
    value = new_secret()
    until = refresh_until(parts, grant.person, grant.authenticated_at, now)
    return value, RefreshToken(digest(value), grant.grant_id, now, until)


async def _refresh(
    parts: IssuingParts, client: AuthenticatedClient, form: Parameters, address: str
) -> TokenAnswer:
    refresh = refresh_token.read(form)
    now, policy = parts.clock(), parts.policy
    token_digest = digest(refresh.token)
    found = await parts.store.refresh_token(token_digest)
    grant, scopes = refresh_token.judge(found, client, refresh, now=now)
    vouched = await _recheck(parts, grant, now)
    expires_at = refresh_until(parts, grant.person, grant.authenticated_at, now)
    if expires_at <= now:
        raise Refusal(Reason.REFRESH_EXPIRED)
    candidates = parts.vault.derive_successor(refresh.token)
    outcome = await parts.store.rotate_refresh_token(
        token_digest,
        RefreshToken(digest(candidates[0]), grant.grant_id, now, expires_at),
        max(expires_at, now + policy.access_token_ttl),
        now,
        policy.refresh_grace,
        audited(
            now,
            "token.refreshed",
            actor=grant.person.sub,
            client_id=client.client_id,
            address=address,
            grant=grant.grant_id,
        ),
        vouched,
    )
    match outcome.rotation:
        case Rotation.ROTATED | Rotation.REPEATED:
            for value in candidates:
                if digest(value) == outcome.successor_digest:
                    return _answer(parts, grant, scopes, value, now)
            raise Refusal(Reason.REFRESH_UNKNOWN)
        case Rotation.REPLAYED:
            raise Refusal(Reason.REFRESH_REPLAYED)
        case Rotation.EXPIRED:
            raise Refusal(Reason.REFRESH_EXPIRED)
        case Rotation.ENDED:
            raise Refusal(Reason.GRANT_ENDED)


async def _recheck(parts: IssuingParts, grant: Grant, now: int) -> int:
    """When the person's directory last stood by them.

    Whoever left it gets no new token: the grant ends here and now.
    """
    last = grant.created_at if grant.vouched_at is None else grant.vouched_at
    vouched = await vouched_at(parts, grant.person, last, now)
    if vouched is None:
        await parts.store.end_grant(
            grant.grant_id,
            "person_gone",
            now,
            audited(
                now,
                "grant.ended",
                actor=grant.person.sub,
                client_id=grant.client_id,
                reason="person_gone",
            ),
        )
        raise Refusal(Reason.GRANT_ENDED)
    return vouched


def _answer(
    parts: IssuingParts, grant: Grant, scopes: tuple[str, ...], refresh: str | None, now: int
) -> TokenAnswer:
    """The token response (RFC 6749 section 5.1); the scope is always named."""
    learned(sub=grant.person.sub)
    access = parts.issuer.mint(grant, scopes, now)
    answer: TokenAnswer = {
        "access_token": access.value,
        "token_type": "Bearer",
        "expires_in": access.expires_in,
        "scope": " ".join(scopes),
    }
    if refresh is not None:
        answer["refresh_token"] = refresh
    return answer
