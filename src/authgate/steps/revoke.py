"""Revocation (RFC 7009) and introspection (RFC 7662) of tokens, by the client they belong to."""

from __future__ import annotations

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthenticatedClient, Grant
from authgate.security.digests import digest
from authgate.steps.client_authentication import authenticate
from authgate.steps.parts import Parts, audited

INACTIVE: dict[str, object] = {"active": False}


async def revoke(parts: Parts, authorization: str | None, form: Parameters, address: str) -> None:
    """Revoke a token, and with it the whole grant: a client that hands back one token is done.

    An unknown token, or another client's, changes nothing and tells nothing (RFC 7009 section 2.2).
    The hint is not needed to find a token, so a wrong one does no harm.
    """
    client = await authenticate(parts, authorization, form, address)
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


async def _grant_of(parts: Parts, client: AuthenticatedClient, token: str) -> str | None:
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
    parts: Parts, authorization: str | None, form: Parameters, address: str
) -> dict[str, object]:
    """What a token of this client is worth now; anything else is inactive and nothing more.

    The caller must authenticate (RFC 7662 section 2.1), so public clients cannot ask.
    """
    client = await authenticate(parts, authorization, form, address)
    if client.client.auth_method == "none":
        raise Refusal(Reason.CLIENT_PUBLIC)
    token, now = form.require("token"), parts.clock()
    found = await parts.store.refresh_token(digest(token))
    if found is not None:
        row, grant = found
        alive = row.superseded_at is None and row.expires_at > now and _mine(grant, client, now)
        if not alive:
            return INACTIVE
        return {**_facts(parts, grant), "exp": row.expires_at, "iat": row.issued_at}
    return await _introspect_access(parts, client, token, now)


async def _introspect_access(
    parts: Parts, client: AuthenticatedClient, token: str, now: int
) -> dict[str, object]:
    try:
        claims = parts.issuer.verify_any_time(token)
    except Refusal:
        return INACTIVE
    grant = await parts.store.grant(claims.grant_id)
    if grant is None or claims.expires_at <= now or not _mine(grant, client, now):
        return INACTIVE
    return {
        **_facts(parts, grant),
        "scope": " ".join(claims.scopes),
        "exp": claims.expires_at,
        "iat": claims.issued_at,
        "jti": claims.jti,
        "token_type": "Bearer",
    }


def _mine(grant: Grant, client: AuthenticatedClient, now: int) -> bool:
    return (
        grant.client_id == client.client_id and grant.revoked_at is None and grant.expires_at > now
    )


def _facts(parts: Parts, grant: Grant) -> dict[str, object]:
    return {
        "active": True,
        "iss": parts.policy.issuer,
        "sub": grant.person.sub,
        "aud": grant.resource,
        "client_id": grant.client_id,
        "scope": " ".join(grant.scopes),
    }
