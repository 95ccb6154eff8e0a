"""Signing a person in and out: throttle, ask the directory, keep a browser session."""

from __future__ import annotations

from dataclasses import dataclass, field

from authgate.directories.contract import (
    Explain,
    NeedsFactor,
    Refused,
    SignedIn,
    Unavailable,
    Visitor,
)
from authgate.observe.about import learned
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import AuthorizationRequest, Person, Session
from authgate.security.digests import digest, new_secret
from authgate.steps.factor import (
    EXPLAINED,
    FactorDue,
    First,
    strong_enough,
    unavailable,
    wait_for,
)
from authgate.steps.parts import Parts, audited

# No password was looked at: true of everybody, so nothing that could count against somebody.
_SHUT = (Explain.CAPTCHA_REQUIRED, Explain.PASSWORDS_OFF)


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session just begun; `cookie` is its secret, known to this browser alone."""

    cookie: str = field(repr=False)
    session: Session


async def with_password(
    parts: Parts, request: AuthorizationRequest, username: str, password: str, address: str
) -> Person | FactorDue:
    """The person this user name and password belong to, or the factor they still owe.

    Raises `Refusal`, which never says which of the two was wrong. Pages and tools count into the
    same throttles, and only failures count. A factor that is due waits in the row of `request`;
    it clears no failures, or a password alone would buy guesses at the factor without end.
    """
    async with parts.throttles.sign_in(username, address) as attempt:
        if attempt.retry_after is not None:
            raise Refusal(Reason.SIGN_IN_THROTTLED, retry_after=attempt.retry_after)
        outcome = await parts.passwords.sign_in_with_password(username, password, Visitor(address))
        match outcome:
            case SignedIn(person):
                attempt.succeeded()
                return strong_enough(parts, person)
            case Unavailable(retry_after):
                raise unavailable(parts.passwords, retry_after)
            case NeedsFactor():
                return await wait_for(parts, request, outcome, First(username), address)
            case Refused(explain) if explain in _SHUT:
                raise Refusal(Reason.SIGN_IN_NOT_OFFERED)
            case Refused():
                attempt.failed()
    await parts.store.record(audited(parts.clock(), "person.sign_in", "refused", address=address))
    reason = EXPLAINED.get(outcome.explain, Reason.SIGN_IN_WRONG)
    raise Refusal(reason, directory=parts.passwords.name)


async def begin_session(parts: Parts, person: Person, address: str, asked_at: int) -> NewSession:
    """A new session for a person who just signed in: always a new secret (session fixation).

    `asked_at` is a moment before their directory was asked. Whoever was shut out since then is
    refused: the word for them was given without knowing that.
    """
    learned(sub=person.sub)
    cookie, now = new_secret(), parts.clock()
    session = Session(digest(cookie), person, asked_at, now + parts.policy.session_ttl)
    done = audited(now, "person.sign_in", actor=person.sub, address=address)
    if not await parts.store.open_session(session, done):
        late = audited(
            now, "person.sign_in", "refused", actor=person.sub, address=address, why="overtaken"
        )
        await parts.store.record(late)
        raise Refusal(Reason.SIGN_IN_OVERTAKEN)
    return NewSession(cookie, session)


async def find_session(parts: Parts, cookie: str | None) -> Session | None:
    """The live session behind a cookie.

    One of a person whose directory has no say here any more counts as none: the operator has moved
    on to another, which does not know them, and every code they allowed would be refused.
    """
    found = await parts.store.session(digest(cookie), parts.clock()) if cookie else None
    if found is None or parts.home_of(found.person) is None:
        return None
    learned(sub=found.person.sub)
    return found


async def end_session(parts: Parts, session: Session, address: str) -> None:
    """Sign out in this browser; what was granted to clients stays granted."""
    await parts.store.close_session(
        session.session_digest,
        audited(parts.clock(), "person.sign_out", actor=session.person.sub, address=address),
    )
