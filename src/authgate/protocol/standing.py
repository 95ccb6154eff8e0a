"""How long a directory's word on a person is believed while it cannot be asked again."""

from __future__ import annotations

from authgate.protocol.policy import Policy


def believed_for(age: int, policy: Policy) -> int | None:
    """Seconds for which a word `age` seconds old is still believed; None: no longer."""
    left = policy.outage_grace - age
    return left if left >= 0 else None


def refresh_until(policy: Policy, authenticated_at: int, now: int, *, can_recheck: bool) -> int:
    """When a refresh token that is issued `now` stops being usable.

    Where the directory can never be asked, a sign-in is worth `unchecked_ttl` seconds and no more.
    """
    until = now + policy.refresh_token_ttl
    return until if can_recheck else min(until, authenticated_at + policy.unchecked_ttl)
