"""Is a person still one who may be signed in? Whom to ask, and how often.

Where sessions are kept, the person's own is asked first: it sees a sign-out as well as a ban. The
admin API, which knows only of bans and deletions, is asked about people without one. When the
session cannot be asked, the admin API is not asked in its place: its good word would move the
grace, and somebody who signed out would go on for as long as the trouble lasts.
"""

from __future__ import annotations

from authgate.directories.contract import Gone, Recheck, StillGood, Unavailable
from authgate.directories.recent import Recent
from authgate.directories.supabase.api import Said, SupabaseApi
from authgate.directories.supabase.errors import RETRY_OUTAGE, key_refused, react
from authgate.directories.supabase.kept import KeptSessions
from authgate.directories.supabase.people import read_member
from authgate.directories.supabase.policy import SupabasePolicy
from authgate.directories.supabase.timing import Timing
from authgate.observe import log
from authgate.protocol.records import Person
from authgate.store.contract import StoreUnavailable

AT_MOST_EVERY = 60.0
# Trouble passes. And whoever is gone may sign in anew in another process, which must be seen by the
# time they come here with their code; they have nothing left that would ask about them meanwhile.
ASK_AGAIN_SOON = 5.0


class Standing:
    """What is known of people's standing, and how to hear more. For one event loop."""

    def __init__(
        self, api: SupabaseApi, policy: SupabasePolicy, kept: KeptSessions, timing: Timing
    ) -> None:
        self._api = api
        self._policy = policy
        self._kept = kept
        self._clock = timing.clock
        self._recent: Recent[Recheck] = Recent(_keep_for, clock=timing.monotonic)

    async def of(self, sub: str) -> Recheck:
        """The word on a person, at most a minute old."""
        return await self._recent.get(sub, lambda: self._ask(sub))

    def learn(self, person: Person) -> None:
        """Somebody signed in: as good as a recheck. The code that follows within the minute is
        redeemed without asking again, so that an outage in between breaks nothing."""
        self._recent.learn(person.sub, StillGood(person))

    async def close(self) -> None:
        """Drop what is being asked."""
        await self._recent.close()

    async def _ask(self, sub: str) -> Recheck:
        try:
            if not self._policy.keep_session:
                await self._kept.let_go(sub)  # of the time before the switch was turned off
                return await self._ask_admin(sub)
            said = await self._kept.standing(sub)
        except StoreUnavailable:
            log.warning("supabase.session_unread", detail="the store does not answer")
            return Unavailable(RETRY_OUTAGE)
        if said is not None:
            return said
        if self._policy.secret_key is None:
            # Nobody can stand by them: they signed in before sessions were kept, or theirs is lost.
            # "Cannot tell" would end in a 503 that no client can mend; a sign-in mends this.
            return Gone()
        return await self._ask_admin(sub)

    async def _ask_admin(self, sub: str) -> Recheck:
        """Only Supabase's own word ends a grant; a wrong key, URL or gateway never does."""
        reply = await self._api.admin_user(sub)
        if not isinstance(reply, Said):
            return Unavailable(RETRY_OUTAGE)
        if reply.status == 404 and reply.code == "user_not_found":
            return Gone()
        if reply.status in (401, 403):
            return key_refused("recheck")
        member = read_member(reply.body) if reply.ok else None
        if member is None or member.sub != sub:
            outcome = react(reply, {}, "recheck")
            return outcome if isinstance(outcome, Unavailable) else Unavailable(RETRY_OUTAGE)
        if member.shut_out(self._clock()) or member.anonymous:
            return Gone()
        return StillGood(member.person(()))


def _keep_for(value: Recheck) -> float:
    return AT_MOST_EVERY if isinstance(value, StillGood) else ASK_AGAIN_SOON
