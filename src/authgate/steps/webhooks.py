"""What follows from an event of WorkOS's: a user deleted there, or a session ended there.

Deliveries are repeated and come in any order, some of them days late. So an event is acted on first
and remembered afterwards: trouble in between costs a repetition and loses nothing, and whatever is
done here may be done twice. And what began after the event is left alone: a person who is linked to
another WorkOS user since, and a session of a later sign-in. Never here: whether it was WorkOS that
spoke (`workos.webhooks`, put before by `app`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from authgate.protocol import logins, standing
from authgate.steps.parts import Parts, audited

_DELETED = "workos_user_deleted"
_IDENTIFIER = re.compile(r"[!-~]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Told:
    """One event. `happened_at` in seconds since the epoch; None if it does not say."""

    event_id: str
    name: str
    happened_at: int | None
    data: Mapping[str, object] = field(repr=False)

    def identifier(self, name: str) -> str | None:
        """The member `name` of the data, if it has the form of an identifier."""
        value = self.data.get(name)
        return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


async def heed(parts: Parts, told: Told) -> str:
    """Act on an event; returns in a word what became of it, for the log."""
    if await parts.store.saw(told.event_id):
        return "repeated"
    match told.name:
        case "user.deleted":
            outcome = await _user_deleted(parts, told)
        case "session.revoked":
            outcome = await _session_revoked(parts, told)
        case _:
            return "ignored"
    await parts.store.first_sight(told.event_id, parts.clock())
    return outcome


async def _user_deleted(parts: Parts, told: Told) -> str:
    """End what the person has here, unless they are another WorkOS user by now.

    Our link says who that is, and the event's `external_id`: the id that we gave at a login, if it
    has the form of one. (Somebody else's application may have given it: nobody here has it.) Should
    they differ, both were this WorkOS user. Where people sign in at WorkOS they may be its own, by
    its own id. Whoever has none of these was never here, and leaves nothing: a bar and its line in
    the trail stay for ever. The link goes last: without it a repetition would find nobody.
    """
    workos_id, now = told.identifier("id"), parts.clock()
    if workos_id is None:
        return "nobody"
    link = await parts.store.link_of(workos_id)
    given = told.identifier("external_id")
    subs = {given} if given is not None and standing.directory_of(given) is not None else set()
    if link is not None:
        subs.add(link.sub)
    elif parts.social.name == "workos":
        subs.add(workos_id)
    if not subs:
        return "nobody"
    happened_at = now if told.happened_at is None else told.happened_at
    ended = [await _end_unless_newer(parts, sub, workos_id, happened_at) for sub in subs]
    if link is not None:
        gone = audited(now, "person.unlinked", actor=link.sub, workos=workos_id, reason=_DELETED)
        await parts.store.unlink(workos_id, gone)
    return "ended" if any(ended) else "unlinked"


async def _end_unless_newer(parts: Parts, sub: str, workos_id: str, happened_at: int) -> bool:
    """False: they were linked to another WorkOS user after that, and what they have is its."""
    now = parts.clock()
    linked = await parts.store.links_to(sub)
    if any(one.workos_id != workos_id and one.linked_at > happened_at for one in linked):
        return False
    ended = audited(now, "person.barred", actor=sub, reason=_DELETED)
    await parts.store.end_grants_of(sub, _DELETED, now, ended)
    return True


async def _session_revoked(parts: Parts, told: Told) -> str:
    """Close the browser sessions that the person had by then.

    Not where it was we who ended it: signing out in one browser would sign out all of them, and
    ending what a sign-in leaves there would undo that very sign-in.
    """
    session_id, workos_id = told.identifier("id"), told.identifier("user_id")
    if session_id is None or workos_id is None:
        return "nobody"
    if await parts.store.saw(logins.ended_by_us(session_id)):
        return "ours"
    link = await parts.store.link_of(workos_id)
    sub = link.sub if link is not None else workos_id
    now = parts.clock()
    begun_by = now if told.happened_at is None else told.happened_at
    closed = audited(now, "person.sign_out", actor=sub, reason="workos_session_revoked")
    count = await parts.store.close_sessions_of(sub, closed, begun_by)
    return "signed out" if count else "nobody"
