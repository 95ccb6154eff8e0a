"""Is the person behind a code or a grant still one whom the directory stands by?

Gone ends what was granted. A directory that cannot be asked ends nothing: clients throw their
tokens away on `invalid_grant`, and everybody would have to sign in again after each outage. It is
believed for a while instead, counted from when it last stood by the person, which no refresh during
the outage moves; after that the answer is 503 and nothing is spent. People of a directory that can
never be asked end by the clock (`refresh_until`).
"""

from __future__ import annotations

from itertools import count

from authgate.directories.contract import Gone, StillGood, Unavailable
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.steps.parts import Parts

RETRY_UNSAID = 30

# How often this process believed, or did not, for the log: an operator sees how large an outage is.
_believed, _refused = count(1), count(1)


async def vouched_at(parts: Parts, sub: str, last: int, now: int) -> int | None:
    """When the directory last stood by this person: `now`, or `last` where it cannot tell.

    None: they are gone. Raises `Refusal` when `last` is too long ago to go on believing it.
    """
    match await parts.passwords.recheck(sub):
        case StillGood():
            return now
        case Gone():
            return None
        case Unavailable(retry_after):
            if parts.passwords.can_recheck:
                _believe(parts, now - last, retry_after)
            return last


def _believe(parts: Parts, age: int, retry_after: int | None) -> None:
    """Go on with a word that is `age` seconds old, or refuse to."""
    grace, directory = parts.policy.outage_grace, parts.passwords.name
    if age <= grace:
        left, times = grace - age, next(_believed)
        log.warning("recheck.believed", directory=directory, age=age, left=left, count=times)
        return
    log.error("recheck.refused", directory=directory, age=age, grace=grace, count=next(_refused))
    raise Refusal(Reason.RECHECK_UNAVAILABLE, retry_after=retry_after or RETRY_UNSAID)


def refresh_until(parts: Parts, authenticated_at: int, now: int) -> int:
    """When a refresh token that is issued now stops being usable."""
    until = now + parts.policy.refresh_token_ttl
    if parts.passwords.can_recheck:
        return until
    return min(until, authenticated_at + parts.policy.unchecked_ttl)
