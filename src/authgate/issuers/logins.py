"""What the steps ask of an issuer elsewhere that has us sign in its people.

It issues the tokens and asks for consent; who somebody is, it is told by us (AuthKit's Standalone
Connect). Neighbours: `contract` is what tools, documents and guard ask of the same issuer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Snag(Enum):
    """Why the issuer did not take our word for somebody."""

    COMPLETED_BEFORE = "completed_before"  # this login was answered, perhaps by another browser
    EXPIRED = "expired"  # or was never known there
    EMAIL_TAKEN = "email_taken"
    EMAIL_CHANGE = "email_change"
    EMAIL_INVALID = "email_invalid"
    KEY_REFUSED = "key_refused"
    MISCONFIGURED = "misconfigured"
    REJECTED = "rejected"  # the shape of what we said
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    LEADS_ELSEWHERE = "leads_elsewhere"  # it was taken, but the way on is not the issuer's own

    @property
    def final(self) -> bool:
        """Nobody can answer this login any more, whoever signs in."""
        return self in (Snag.COMPLETED_BEFORE, Snag.EXPIRED, Snag.LEADS_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom we stand by. `confirmed`: the directory made sure that the address is theirs."""

    sub: str
    email: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """The issuer knows who signed in. `onward` is an address of its own, for the browser."""

    onward: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotCompleted:
    """It does not; the operator's log has the details. `retry_after` in seconds, if it said so."""

    snag: Snag
    retry_after: int | None = None


class Logins(Protocol):
    """The issuer, as far as it is told who people are."""

    @property
    def host(self) -> str:
        """Its host, as pages name it."""

    async def complete(self, name: str, person: Vouched) -> Completed | NotCompleted:
        """Say who signed in for the login that the issuer calls `name`.

        Never twice at once for one login: that is the caller's to see to.
        """

    async def learn(self, sub: str) -> None:
        """Find out what the issuer calls this person, and keep it as a link.

        It waits a moment for that and goes on in the background: whether a token names the person
        by our id or by the issuer's own is the issuer's choice.
        """

    async def sign_out(self, sub: str) -> None:
        """End the person's sessions at the issuer, which would otherwise answer for them without
        asking us. As far as it can: it waits a moment and goes on in the background."""
