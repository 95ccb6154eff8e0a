"""Is the person behind a code or a grant still one whom the directory stands by?

Gone ends all that was granted to the person. A directory that cannot be asked ends nothing: clients
throw their tokens away on `invalid_grant`, and everybody would have to sign in again after each
outage. It is believed for a while instead, counted from when it last stood by the person, which no
refresh during the outage moves; after that the answer is 503 and nothing is spent. People of a
directory that can never be asked end by the clock (`refresh_until`).
"""

from __future__ import annotations

from itertools import count

from authgate.directories.contract import Gone, StillGood, Unavailable
from authgate.observe import log
from authgate.protocol import standing
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Person
from authgate.steps.parts import Parts, audited

RETRY_UNSAID = 30

# How often this process believed, or did not, for the log: an operator sees how large an outage is.
_believed, _refused = count(1), count(1)


async def vouched_at(parts: Parts, person: Person, last: int, now: int) -> int | None:
    """When the directory last stood by this person: `now`, or `last` where it cannot tell.

    None: they are gone, or their directory is, or the operator demands more factors by now than
    they signed in with. Raises `Refusal` when `last` is too long ago to go on believing it.
    """
    directory = parts.home_of(person)
    if directory is None or person.assurance < parts.policy.required_assurance:
        return None
    match await directory.recheck(person.sub):
        case StillGood():
            return now
        case Gone():
            # All of it at once, the browser sessions too: whoever signed out at their directory
            # could else go from a session that is left here to a code, and be refused with it each
            # time, without ever being asked for the password that would mend it.
            await parts.store.end_grants_of(
                person.sub,
                "person_gone",
                now,
                audited(now, "grant.ended", actor=person.sub, reason="person_gone"),
            )
            return None
        case Unavailable(retry_after):
            if directory.can_recheck:
                _believe(parts, directory.name, now - last, retry_after)
            return last


def _believe(parts: Parts, directory: str, age: int, retry_after: int | None) -> None:
    """Go on with a word that is `age` seconds old, or refuse to."""
    left = standing.believed_for(age, parts.policy)
    if left is not None:
        log.warning(
            "recheck.believed", directory=directory, age=age, left=left, count=next(_believed)
        )
        return
    grace = parts.policy.outage_grace
    log.error("recheck.refused", directory=directory, age=age, grace=grace, count=next(_refused))
    raise Refusal(Reason.RECHECK_UNAVAILABLE, retry_after=retry_after or RETRY_UNSAID)


def refresh_until(parts: Parts, person: Person, authenticated_at: int, now: int) -> int:
    """When a refresh token that is issued now stops being usable."""
    directory = parts.home_of(person)
    can_recheck = directory is not None and directory.can_recheck
    return standing.refresh_until(parts.policy, authenticated_at, now, can_recheck=can_recheck)
