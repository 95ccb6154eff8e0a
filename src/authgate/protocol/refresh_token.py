"""The refresh token grant: may this token be used by this client, and for what?

RFC 6749 section 6, OAuth 2.1 section 4.3. A refresh token is used once; a repeat within the grace
window whose successor nobody used yet is a client that missed the answer, any later repeat is a
thief or his victim, and ends the grant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from authgate.protocol import resources, scopes
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthenticatedClient, Grant, RefreshToken, Rotation


@dataclass(frozen=True, slots=True)
class Refresh:
    """What a client sends to refresh. `scopes` None: as granted."""

    token: str = field(repr=False)
    scopes: tuple[str, ...] | None
    resources: Sequence[str]


def read(form: Parameters) -> Refresh:
    """Read the parameters of a refresh."""
    return Refresh(
        token=form.require("refresh_token"),
        scopes=scopes.parse(form.get("scope")),
        resources=form.resources,
    )


def judge(
    found: tuple[RefreshToken, Grant] | None,
    client: AuthenticatedClient,
    refresh: Refresh,
    *,
    now: int,
) -> tuple[Grant, tuple[str, ...]]:
    """The grant, and the scopes of the access token to mint; raises `Refusal`.

    Narrowing the access token leaves the grant as wide as it was (RFC 6749 section 6). A superseded
    token passes here, because the store must be the one to tell a repeat from a replay.
    """
    if found is None:
        raise Refusal(Reason.REFRESH_UNKNOWN)
    token, grant = found
    if grant.client_id != client.client_id:
        raise Refusal(Reason.REFRESH_FOREIGN)
    if grant.revoked_at is not None:
        raise Refusal(Reason.GRANT_ENDED)
    if token.superseded_at is None and token.expires_at <= now:
        raise Refusal(Reason.REFRESH_EXPIRED)
    resources.stay_within(refresh.resources, grant.resource)
    return grant, scopes.narrowed(refresh.scopes, grant.scopes)


def judge_repeat(*, superseded_at: int, successor_unused: bool, now: int, grace: int) -> Rotation:
    """What a superseded token that came back means, at `now`, with a window of `grace` seconds.

    The window is counted from the first rotation, so that repeats cannot stretch it. Stores ask
    this inside the transaction that found the token superseded.
    """
    in_time = now - superseded_at <= grace
    return Rotation.REPEATED if successor_unused and in_time else Rotation.REPLAYED
