"""Revocation (RFC 7009) and introspection (RFC 7662) of tokens, by whom they concern."""

from __future__ import annotations

from authgate.observe.about import learned
from authgate.protocol import introspection, tokens
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthenticatedClient
from authgate.security.digests import digest
from authgate.steps.client_authentication import authenticate
from authgate.steps.parts import IssuingParts, audited


async def revoke(
    parts: IssuingParts, authorization: str | None, form: Parameters, address: str
) -> None:
    """Revoke a token, and with it the whole grant: a client that hands back one token is done.

    An unknown token, or another client's, changes nothing and tells nothing (RFC 7009 section 2.2).
    The hint is not needed to find a token, so a wrong one does no harm.
    """
    client = await authenticate(parts, authorization, form, address)
    learned(client_id=client.client_id)
    grant_id = await _grant_of(parts, client, form.require("token"))
    if grant_id is None:
        return
    now = parts.clock()
    await parts.store.end_grant(
        grant_id,
        "revoked_by_client",
        now,
        audited(now, "token.revoked", client_id=client.client_id, address=address, grant=grant_id),
    )


async def _grant_of(parts: IssuingParts, client: AuthenticatedClient, token: str) -> str | None:
    """The grant of a token of this client, expired tokens included."""
    found = await parts.store.refresh_token(digest(token))
    if found is not None:
        return found[1].grant_id if found[1].client_id == client.client_id else None
    try:
        claims = parts.issuer.verify_any_time(token)
    except Refusal:
        return None
    return claims.grant_id if claims.client_id == client.client_id else None


async def introspect(
    parts: IssuingParts, authorization: str | None, form: Parameters, address: str
) -> dict[str, object]:
    """What a token is worth now, to its client or (an access token) to a resource server.

    Anything else is inactive and nothing more. Who asks must authenticate (RFC 7662 section 2.1),
    so public clients cannot.
    """
    client = await authenticate(parts, authorization, form, address)
    if client.client.auth_method == "none":
        raise Refusal(Reason.CLIENT_PUBLIC)
    token, now = form.require("token"), parts.clock()
    found = await parts.store.refresh_token(digest(token))
    if found is not None:
        row, grant = found
        if not (introspection.is_active(row, now) and introspection.may_tell(grant, client, now)):
            return introspection.INACTIVE
        facts = introspection.facts(grant, parts.policy.issuer)
        return {**facts, "exp": row.expires_at, "iat": row.issued_at}
    return await _introspect_access(parts, client, token, now)


async def _introspect_access(
    parts: IssuingParts, client: AuthenticatedClient, token: str, now: int
) -> dict[str, object]:
    try:
        claims = parts.issuer.verify_any_time(token)
        found = await parts.store.grant(claims.grant_id)
        grant = tokens.check_grant(found, sub=claims.sub, client_id=claims.client_id)
    except Refusal:
        return introspection.INACTIVE
    if claims.expires_at <= now or not introspection.may_tell(grant, client, now, access=True):
        return introspection.INACTIVE
    return {
        **introspection.facts(grant, parts.policy.issuer),
        "scope": " ".join(claims.scopes),
        "exp": claims.expires_at,
        "iat": claims.issued_at,
        "jti": claims.jti,
        "token_type": "Bearer",
    }
