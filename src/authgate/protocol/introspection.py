"""What a client is told of one of its own tokens (RFC 7662 section 2.2): everything, or nothing."""

from __future__ import annotations

from authgate.protocol.records import AuthenticatedClient, Grant, RefreshToken

INACTIVE: dict[str, object] = {"active": False}


def may_tell(grant: Grant, client: AuthenticatedClient, now: int) -> bool:
    """Is this a live grant of the client that asks? Of anything else nothing is told."""
    mine = grant.client_id == client.client_id
    return mine and grant.revoked_at is None and grant.expires_at > now


def is_active(token: RefreshToken, now: int) -> bool:
    """Would this refresh token still buy anything, were it used now?"""
    return token.superseded_at is None and token.expires_at > now


def facts(grant: Grant, issuer: str) -> dict[str, object]:
    """What is true of every active token of a grant."""
    return {
        "active": True,
        "iss": issuer,
        "sub": grant.person.sub,
        "aud": grant.resource,
        "client_id": grant.client_id,
        "scope": " ".join(grant.scopes),
    }
