"""The part of the PostgreSQL store about people whom another service knows too.

Never here: who that service is.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from authgate.protocol.records import AuditEvent, Bar, KeptSession, Link
from authgate.store import postgres_sql as sql
from authgate.store import rows
from authgate.store.contract import StoreUnavailable
from authgate.store.postgres_away import lock_person
from authgate.store.postgres_engine import Engine
from authgate.store.postgres_rows import audited

# A link that is forgotten between the loss and the look leaves its place to be won again.
_TRIES = 5


class PeopleElsewhere(Engine):
    """See `contract.Store` for what each method promises."""

    # --- links and bars ---------------------------------------------------------------------

    async def link(self, link: Link, audit: AuditEvent) -> Link:
        given = audited(audit)
        given |= {
            "workos_id": link.workos_id,
            "sub": link.sub,
            "how": link.how,
            "linked_at": link.linked_at,
        }
        for _ in range(_TRIES):
            # The second statement sees whom the first one waited for and lost against.
            done = await self._together((sql.LINK_TOLD, given), (sql.LINK_OF, (link.workos_id,)))
            if done[0].rowcount == 1:
                return link
            if done[1].rows:
                return rows.link(done[1].rows[0])
        raise StoreUnavailable("the link is made and forgotten over and over")

    async def link_of(self, workos_id: str) -> Link | None:
        row = await self._one(sql.LINK_OF, (workos_id,))
        return rows.link(row) if row else None

    async def links_to(self, sub: str) -> Sequence[Link]:
        return [rows.link(row) for row in await self._all(sql.LINKS_TO, (sub,))]

    async def unlink(self, workos_id: str, audit: AuditEvent) -> Link | None:
        row = await self._one(sql.UNLINK_TOLD, {**audited(audit), "workos_id": workos_id})
        return rows.link(row) if row else None

    async def bar(self, sub: str, reason: str, now: int, audit: AuditEvent) -> bool:
        given = {**audited(audit), "sub": sub, "reason": reason, "barred_at": now}
        done = await self._forgetting(
            self._forget_person(sub), lock_person(sub), (sql.BAR_TOLD, given)
        )
        return done[-1].rowcount == 1

    async def bar_of(self, sub: str) -> Bar | None:
        return await self._bars.get(sub)

    async def first_sight(self, event_id: str, now: int) -> bool:
        return await self._changed(sql.INSERT_EVENT, (event_id, now)) == 1

    async def saw(self, event_id: str) -> bool:
        return await self._one(sql.EVENT, (event_id,)) is not None

    # --- sessions kept at the person's directory ----------------------------------------------

    async def keep_session(self, sub: str, sealed: str, now: int) -> KeptSession | None:
        # Not from 1: whoever knew version 1 of a session that was dropped meanwhile would put it
        # in place of this one. An older one that is still there is followed by its next.
        kept = KeptSession(sub, sealed, secrets.randbits(48), now)
        done = await self._together(
            lock_person(sub),
            (sql.KEPT_SESSION_HELD, (sub,)),
            (sql.KEEP_SESSION, rows.kept_session_row(kept)),
        )
        older = done[1].rows
        return rows.kept_session(older[0]) if older else None

    async def kept_session(self, sub: str) -> KeptSession | None:
        row = await self._one(sql.KEPT_SESSION, (sub,))
        return rows.kept_session(row) if row else None

    async def hold_kept_session(self, sub: str, version: int, now: int, until: int) -> bool:
        given = {"sub": sub, "version": version, "now": now, "until": until}
        return await self._changed(sql.HOLD_KEPT_SESSION, given) == 1

    async def replace_kept_session(self, sub: str, version: int, sealed: str, now: int) -> bool:
        given = {"sub": sub, "version": version, "sealed": sealed, "now": now}
        return await self._changed(sql.REPLACE_KEPT_SESSION, given) == 1

    async def drop_kept_session(self, sub: str, version: int) -> bool:
        given = {"sub": sub, "version": version}
        return await self._changed(sql.DROP_KEPT_SESSION, given) == 1
