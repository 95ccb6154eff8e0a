"""What a client is told of one of its own tokens (RFC 7662 section 2.2): everything, or nothing."""

from __future__ import annotations

from authgate.protocol.records import AuthenticatedClient, Grant, RefreshToken

INACTIVE: dict[str, object] = {"active": False}


def may_tell(grant: Grant, client: AuthenticatedClient, now: int, *, access: bool = False) -> bool:
    """Is this a live grant that the client may be told of? Of anything else nothing is told.

    Its own it may. A resource server, which is a client that an operator vouches for, may be told
    of all grants, asking with an access token (`access`): such tokens are sent to it, and whether
    they still count it cannot see otherwise (section 2.1). A refresh token is sent to nobody but
    us, so whoever else has one should not learn what it is worth.
    """
    mine = grant.client_id == client.client_id
    theirs = access and not client.client.self_registered
    return (mine or theirs) and grant.revoked_at is None and grant.expires_at > now


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
