"""Whose a person is, and how long their directory's word is believed while it cannot be asked."""

from __future__ import annotations

import re

from authgate.protocol.policy import Policy

# Which directory made an identifier shows in its form: no row has to be read to know whom to ask.
_FORMS = {
    "embedded": re.compile(r"ag_[A-Za-z0-9_-]{22}", re.ASCII),
    "supabase": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII),
}
_WORKOS = re.compile(r"user_[A-Za-z0-9]{1,128}", re.ASCII)


def directory_of(sub: str) -> str | None:
    """The name of the directory that gives out identifiers like `sub`; None for none of ours."""
    return next((name for name, form in _FORMS.items() if form.fullmatch(sub)), None)


def is_workos_id(sub: str) -> bool:
    """May this be the identifier of a WorkOS user?"""
    return bool(_WORKOS.fullmatch(sub))


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
