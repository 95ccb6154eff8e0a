"""Which WorkOS user is which person: kept as links, and made by e-mail only where that is allowed.

An address that AuthKit knows already is in the way of a person's first login: somebody with it came
to that environment before, through GitHub perhaps. That it is the same somebody is certain only if
both sides made sure of the address; then the WorkOS user gets the person's id, once and for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from authgate.issuers.logins import Vouched
from authgate.observe import log
from authgate.protocol.records import AuditEvent, Link
from authgate.security.addresses import same_address
from authgate.store.contract import Store
from authgate.workos import Kind, Trouble, WorkOS, WorkOSUser


class EmailLinking:
    """`allowed` is the operator's AUTHGATE_LINK_VERIFIED_EMAIL."""

    def __init__(
        self, workos: WorkOS, store: Store, clock: Callable[[], int], *, allowed: bool
    ) -> None:
        self._workos = workos
        self._store = store
        self._clock = clock
        self._allowed = allowed

    async def join(self, person: Vouched) -> bool | Trouble:
        """Make the WorkOS user with this address the person's own. False: it must not be."""
        if not self._allowed:
            return _refused("AUTHGATE_LINK_VERIFIED_EMAIL is off")
        if not person.confirmed:
            return _refused("the directory does not confirm addresses")
        found = await self._workos.users_by_email(person.email)
        if isinstance(found, Trouble):
            return _for_later(found)
        user = _the_one(found, person.email)
        if user is None:
            return _refused("not exactly one WorkOS user has it")
        why = await self._why_not(user, person.sub)
        if why is not None:
            return _refused(why)
        changed = await self._workos.set_external_id(user.id, person.sub)
        if isinstance(changed, Trouble):
            return _for_later(changed)
        await kept_link(self._store, user.id, person.sub, "email", self._clock())
        log.info("login.joined_by_email", sub=person.sub, workos=user.id)
        return True

    async def _why_not(self, user: WorkOSUser, sub: str) -> str | None:
        if not user.email_verified:
            return "WorkOS has not verified it"
        if user.external_id is not None:
            return "that WorkOS user is another person's already"
        known = await self._store.link_of(user.id)
        if known is not None and known.sub != sub:
            return "that WorkOS user is linked to another person here"
        return None


async def kept_link(store: Store, workos_id: str, sub: str, how: str, now: int) -> None:
    """Keep that this WorkOS user is this person, as WorkOS itself has just said.

    An older link to somebody else is wrong by now: the user's `external_id` was changed at WorkOS,
    and a token that names that user would be taken for the other person's. It is replaced, aloud.
    """
    audit = AuditEvent(now, "person.linked", "done", sub, detail={"workos": workos_id, "how": how})
    link = Link(workos_id, sub, how, now)
    holds = await store.link(link, audit)
    if holds.sub == sub:
        return
    log.error("login.link_moved", workos=workos_id, was=holds.sub, sub=sub)
    gone = AuditEvent(
        now, "person.unlinked", "done", holds.sub, detail={"workos": workos_id, "reason": "moved"}
    )
    await store.unlink(workos_id, gone)
    await store.link(link, audit)


def _the_one(found: tuple[WorkOSUser, ...], email: str) -> WorkOSUser | None:
    """WorkOS's filter compares as it likes, and may take a look-alike for the address."""
    same = [user for user in found if same_address(user.email.strip(), email.strip())]
    return same[0] if len(same) == 1 else None


def _for_later(trouble: Trouble) -> bool | Trouble:
    """Trouble that another try can mend; what WorkOS refuses leaves the address in the way. (It
    does so where the person has a WorkOS user of their own already, with an older address.)"""
    if trouble.kind in (Kind.UNAVAILABLE, Kind.LIMITED, Kind.KEY_REFUSED):
        return trouble
    return _refused(f"WorkOS refused it: {trouble.code or trouble.kind.value}")


def _refused(why: str) -> bool:
    log.warning("login.not_joined_by_email", why=why)
    return False
