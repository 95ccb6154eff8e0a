"""What an operator does to somebody of any directory: end what they have here, or say who they are.

Plain functions for the command line, each one store step with its audit event. What is wrong with
the operator's input raises `PeopleError` with a sentence. Never here: what only people of the
embedded directory have (`people`), nor the rules by which a WorkOS user is matched without an
operator (`workos.linking`, the AuthKit issuer's linking).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from authgate.directories.people import PeopleError, find_person
from authgate.protocol.records import AuditEvent, Link
from authgate.store.contract import Store

HOW = "operator"  # the rule by which such a link was made
_REASON = "disconnected"
_WORKOS_ID = re.compile(r"user_[A-Za-z0-9]{1,64}")
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as an operator named them; `email` if they are of the embedded directory."""

    sub: str
    email: str | None = None

    @property
    def shown(self) -> str:
        return f"{self.email} ({self.sub})" if self.email else self.sub


async def find_somebody(store: Store, named: str) -> Somebody:
    """Whom the operator means, by an address of the embedded directory or by any `sub`.

    People of other directories are known here by their `sub` alone, so an unknown one is taken as
    it is, but for what the embedded directory would have made itself.
    """
    if "@" in named:
        account = await find_person(store, named)
        return Somebody(account.sub, account.email)
    if not named.isascii() or not named.isprintable() or not 0 < len(named) <= _LONGEST:
        raise PeopleError("That is neither an e-mail address nor the sub of a person.")
    found = await store.account(named)
    if found is None and named.startswith("ag_"):
        raise PeopleError("There is no person with that sub. See: authgate people list")
    return Somebody(named, found.email if found else None)


async def connections_of(store: Store, sub: str, now: int) -> int:
    """How many connections a person has; 1,000 are counted at most."""
    return len(await store.grants(sub=sub, live_at=now))


async def disconnect(store: Store, sub: str, now: int) -> int:
    """End every connection and browser session of a person; how many connections that was.

    A code that is on its way expires too, and tokens that others issued to them are taken again
    only after they sign in anew. A session kept at their directory stays there.
    """
    audit = AuditEvent(now, "person.disconnect", "done", "operator", detail={"sub": sub})
    return await store.end_grants_of(sub, _REASON, now, audit)


async def link_by_hand(store: Store, workos_id: str, sub: str, now: int) -> Link:
    """Keep which person a WorkOS user is; a link that says so already stays as it was made."""
    _check_workos_id(workos_id)
    detail = {"workos": workos_id, "sub": sub, "how": HOW}
    audit = AuditEvent(now, "person.linked", "done", "operator", detail=detail)
    holds = await store.link(Link(workos_id, sub, HOW, now), audit)
    if holds.sub != sub:
        raise PeopleError(
            f"{workos_id} is linked to {holds.sub}. If that is wrong: "
            f"authgate people unlink {workos_id}"
        )
    return holds


async def unlink_by_hand(store: Store, workos_id: str, now: int) -> Link:
    """Forget which person a WorkOS user is; the link that was."""
    _check_workos_id(workos_id)
    known = await store.link_of(workos_id)
    sub = known.sub if known else ""
    detail = {"workos": workos_id, "sub": sub, "reason": HOW}
    audit = AuditEvent(now, "person.unlinked", "done", "operator", detail=detail)
    gone = await store.unlink(workos_id, audit)
    if gone is None:
        raise PeopleError(f"{workos_id} is linked to nobody.")
    return gone


def _check_workos_id(text: str) -> None:
    if not _WORKOS_ID.fullmatch(text):
        raise PeopleError("A WorkOS user's id looks like user_01H…; it is in their dashboard.")
