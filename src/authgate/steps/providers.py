"""The providers by name, and what a directory's word about a sign-in with one is called.

Used where a sign-in comes back (`social`) and where its second step ends (`factor`). Never here:
which of them a directory offers.
"""

from __future__ import annotations

from collections.abc import Mapping

from authgate.directories.contract import Explain
from authgate.protocol.errors import Reason

# Paths are for every provider there may be: which of them a directory offers changes while we run.
# The last one's own name (AuthKit) is the operator's affair: people know what it is to them.
PROVIDERS: Mapping[str, str] = {
    "github": "GitHub",
    "google": "Google",
    "authkit": "single sign-on",
}

EXPLAINED: Mapping[str | None, Reason] = {
    Explain.EMAIL_NOT_CONFIRMED: Reason.SOCIAL_EMAIL_UNVERIFIED,
    Explain.ANONYMOUS: Reason.SOCIAL_ANONYMOUS,
    Explain.FACTOR_MISSING: Reason.FACTOR_MISSING,
    Explain.FACTOR_UNSUPPORTED: Reason.FACTOR_UNSUPPORTED,
    Explain.SOCIAL_CANCELLED: Reason.SOCIAL_CANCELLED,
    Explain.SOCIAL_EMAIL_UNVERIFIED: Reason.SOCIAL_EMAIL_UNVERIFIED,
    Explain.SOCIAL_FACTOR: Reason.SOCIAL_FACTOR,
    Explain.SOCIAL_FAILED: Reason.SOCIAL_FAILED,
    Explain.SOCIAL_NO_ACCOUNT: Reason.SOCIAL_NO_ACCOUNT,
    Explain.SOCIAL_NOT_ALLOWED: Reason.SOCIAL_NOT_ALLOWED,
    Explain.SOCIAL_NOT_LINKED: Reason.SOCIAL_NOT_LINKED,
    Explain.SOCIAL_RETRY: Reason.SOCIAL_RETRY,
    Explain.SOCIAL_WRONG_PROVIDER: Reason.SOCIAL_WRONG_PROVIDER,
}

# What can come of a second step too, once the code was right: whose sign-in it was shows only then.
REASONS = frozenset(EXPLAINED.values())
