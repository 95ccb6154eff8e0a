"""Whom of the home directory's people a WorkOS user is. Three rules, in this order:

1. a link that was made before;
2. the provider's own id of the account just used is among the accounts of the person at home;
3. the same e-mail address, proven on both sides, only where the operator switched that on.

An address finds candidates and decides nothing by itself: whoever may write an address that was not
proven would be whoever they like. What no rule covers is nobody's, in the same words whether there
is a candidate or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from authgate.directories.contract import Explain, Refused, Unavailable
from authgate.directories.linking import Known, People
from authgate.directories.workos.errors import SIGN_IN, react
from authgate.observe import log
from authgate.protocol.records import AuditEvent, Link
from authgate.workos import Identity, Trouble, WorkOS, WorkOSUser


class Links(Protocol):
    """The part of the store that remembers links."""

    async def link(self, link: Link, audit: AuditEvent) -> Link: ...

    async def link_of(self, workos_id: str) -> Link | None: ...

    async def unlink(self, workos_id: str, audit: AuditEvent) -> Link | None: ...


class Linking:
    """`by_address` is the operator's word on rule 3. `clock` in seconds since the epoch."""

    def __init__(
        self,
        workos: WorkOS,
        people: People,
        links: Links,
        clock: Callable[[], float],
        *,
        by_address: bool,
    ) -> None:
        self._workos = workos
        self._people = people
        self._links = links
        self._clock = clock
        self._by_address = by_address

    async def whose(
        self, user: WorkOSUser, provider: str, address: str
    ) -> Known | Refused | Unavailable:
        """The person at home who may be signed in now. `provider` is the one just used, or ""."""
        link = await self._links.link_of(user.id)
        if link is not None:
            found = await self._people.known(link.sub)
            if found is not None:
                return self._admitted(found) if isinstance(found, Known) else found
            # Deleted at home. Who comes back there is somebody new, to be found by the rules.
            await self._links.unlink(
                user.id, self._audit("person.unlinked", link, address, reason="gone")
            )
        chosen = await self._chosen(user, provider)
        if not isinstance(chosen, tuple):
            return chosen
        known, how = chosen
        refused = refusal_of(known)
        if refused is not None:
            return refused
        made = Link(user.id, known.person.sub, how, int(self._clock()))
        holds = await self._links.link(made, self._audit("person.linked", made, address, how=how))
        if holds.sub != known.person.sub:
            # Another sign-in of the same WorkOS user was judged at the same time, and was first.
            return Refused(Explain.SOCIAL_RETRY)
        return self._admitted(known)

    def _admitted(self, known: Known) -> Known | Refused:
        refused = refusal_of(known)
        if refused is not None:
            return refused
        self._people.signed_in(known.person)
        return known

    async def _chosen(
        self, user: WorkOSUser, provider: str
    ) -> tuple[Known, str] | Refused | Unavailable:
        candidates = await self._people.with_address(user.email)
        if isinstance(candidates, Unavailable):
            return candidates
        if candidates and provider:
            identities = await self._workos.identities(user.id)
            if isinstance(identities, Trouble):
                outcome = react(identities, SIGN_IN, "identities")
                return outcome if isinstance(outcome, Unavailable) else Unavailable()
            known = by_account(candidates, provider, identities)
            if known is not None:
                return known, "identity"
        if self._by_address:
            known = by_proven_address(candidates, user)
            if known is not None:
                return known, "email"
        log.info("workos.not_linked", workos=user.id, candidates=len(candidates))
        return Refused(Explain.SOCIAL_NOT_LINKED)

    def _audit(self, event: str, link: Link, address: str, **detail: str) -> AuditEvent:
        now, detail = int(self._clock()), {"workos": link.workos_id, **detail}
        return AuditEvent(now, event, "done", actor=link.sub, address=address, detail=detail)


def by_account(
    candidates: tuple[Known, ...], provider: str, identities: tuple[Identity, ...]
) -> Known | None:
    """Rule 2. With two accounts at one provider it cannot be told which was used: nobody's."""
    used = [one.provider_user_id for one in identities if one.provider == provider]
    if len(used) != 1:
        return None
    return _only([one for one in candidates if (provider, used[0]) in one.accounts])


def by_proven_address(candidates: tuple[Known, ...], user: WorkOSUser) -> Known | None:
    """Rule 3. The candidates all have the address; it must be proven, and one person's alone.

    A user whom an application of that environment calls by another id (`external_id`, where AuthKit
    issues: a person's own) has an owner already, who may have had this address before.
    """
    only = _only(list(candidates))
    if only is None or not (user.email_verified and only.address_proven):
        return None
    return only if user.external_id in (None, only.person.sub) else None


def refusal_of(known: Known) -> Refused | None:
    """Found, and still not everybody may come in this way."""
    if known.shut_out:
        return Refused()
    if known.anonymous:
        return Refused(Explain.ANONYMOUS)
    if known.needs_factor:
        # Home asks this person for a second factor, and this way would be one round it.
        return Refused(Explain.SOCIAL_FACTOR)
    return None


def _only(found: list[Known]) -> Known | None:
    return found[0] if len(found) == 1 else None
