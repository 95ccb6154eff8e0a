"""People's sessions at Supabase, kept to ask with them whether they are still good.

One a person, encrypted in our store, put there by a sign-in and replaced by the next. While its
access token lives, it is asked with; then it is refreshed, by one holder at a time. There are two
kinds of end: the person signed out, changed their password, was banned or deleted; or the session
is lost through a fault, which says nothing about them.
Never here: what a row holds (`kept_state`), how often somebody is asked about, and who answers
where nothing is kept (`standing`).
"""

from __future__ import annotations

from enum import Enum

from authgate.directories.contract import Gone, Recheck, StillGood, Unavailable
from authgate.directories.supabase.api import Reply, Said, SupabaseApi
from authgate.directories.supabase.errors import REFRESH, RETRY_OUTAGE, react
from authgate.directories.supabase.farewell import Farewells
from authgate.directories.supabase.kept_state import KeptState, SealedSessions, session_of
from authgate.directories.supabase.people import Member, Session, read_member, read_session
from authgate.directories.supabase.timing import Timing
from authgate.observe import log
from authgate.protocol.records import KeptSession
from authgate.security.vault import Vault
from authgate.store.contract import Store, StoreUnavailable

# Longer than both tries of one refresh together, so that a holder who answers at all is heard. A
# second one would do no harm while the first's answer is not kept (Supabase gives the parent of its
# newest token that newest one); it would if it came an hour late.
HOLD = 30
WAIT = 0.5
TURNS = 8  # four seconds at most for somebody else's refresh; after that the last word must do


class _Word(Enum):
    """What Supabase says of a session that is not good."""

    OVER = "over"
    LOST = "lost"
    STALE = "stale"


# Codes alone and no texts; the statuses beside them are those of refusals (`_word`).
_WORDS = {
    "session_not_found": _Word.OVER,
    "session_expired": _Word.OVER,
    # It is told of a session that ended by itself too. Nobody is wronged by one sign-in more.
    "refresh_token_not_found": _Word.OVER,
    "user_banned": _Word.OVER,
    "user_not_found": _Word.OVER,
    # Supabase looks for the token, the ban and the session's end before the reuse: somebody used
    # our token, a restored copy of this database most likely, and the person did nothing.
    "refresh_token_already_used": _Word.LOST,
    "validation_failed": _Word.LOST,
    "bad_jwt": _Word.STALE,
    "no_authorization": _Word.STALE,
}


class _Else(Enum):
    """Not a word about the person: look again, or there is nothing kept to ask with."""

    CHANGED = 1
    NOTHING = 2


class KeptSessions:
    """The sessions of everybody who signed in while they are to be kept."""

    def __init__(
        self, api: SupabaseApi, store: Store, vault: Vault, farewells: Farewells, timing: Timing
    ) -> None:
        self._api = api
        self._store = store
        self._sealed = SealedSessions(vault, timing.clock)
        self._farewells = farewells
        self._clock = timing.clock
        self._sleep = timing.sleep

    async def keep(self, session: Session) -> None:
        """Keep this session in place of an older one, which is signed out at Supabase.

        Raises `StoreUnavailable`, and then this one is.
        """
        sub, sealed = session.member.sub, self._sealed.seal(session)
        if sealed is None:
            log.warning("supabase.session_not_kept", detail="its tokens are too long or missing")
            self._farewells.say(session.access_token)
            await self.let_go(sub)
            return
        try:
            older = await self._store.keep_session(sub, sealed, int(self._clock()))
        except StoreUnavailable:
            self._farewells.say(session.access_token)
            raise
        # Two right answers to one factor end in one session there, which must not end here.
        if older is not None:
            self._part(older, unless=session_of(session.access_token))

    async def let_go(self, sub: str) -> None:
        """Sign out at Supabase what is kept for a person and forget it."""
        row = await self._store.kept_session(sub)
        if row is not None and await self._store.drop_kept_session(sub, row.version):
            self._part(row)

    async def standing(self, sub: str) -> Recheck | None:
        """Supabase's word on a person by their session. None: there is none to ask with."""
        doubted: int | None = None  # the version whose access token is taken no more, early
        for _ in range(TURNS):
            row = await self._store.kept_session(sub)
            state = await self._opened(row) if row is not None else None
            if row is None or state is None:
                return None
            if state.access and self._clock() < state.ends and row.version != doubted:
                reply = await self._api.user(state.access)
                if _word(reply) is _Word.STALE:
                    doubted = row.version
                    continue
                said = await self._asked(row, reply)
            else:
                said = await self._refreshed(row, state)
            if said is _Else.NOTHING:
                return None
            if not isinstance(said, _Else):
                return said
        return Unavailable(RETRY_OUTAGE)

    async def _asked(self, row: KeptSession, reply: Reply) -> Recheck | _Else:
        member = read_member(reply.body) if isinstance(reply, Said) and reply.ok else None
        if member is not None and member.sub == row.sub:
            return await self._judged(row, member)
        return await self._ended(row, _word(reply)) or _trouble(reply)

    async def _refreshed(self, row: KeptSession, state: KeptState) -> Recheck | _Else:
        """Refresh as the one holder, or wait a moment for who is.

        A holder that dies after Supabase answered leaves the parent of the newest token here. The
        next holder asks with it and is given that newest one, for a day at least: later Supabase
        may have cleared the parent away, and the person signs in once more.
        """
        now = int(self._clock())
        if not await self._store.hold_kept_session(row.sub, row.version, now, now + HOLD):
            await self._sleep(WAIT)
            return _Else.CHANGED
        reply = await self._api.refresh_grant(state.refresh)
        session = read_session(reply.body) if isinstance(reply, Said) and reply.ok else None
        sealed = self._sealed.seal(session) if session is not None else None
        if session is not None and sealed is not None and session.member.sub == row.sub:
            judged = await self._judged(row, session.member)
            if isinstance(judged, StillGood):
                # Where it changed meanwhile, a newer sign-in keeps its own; the word still holds.
                await self._replace(row, sealed)
            return judged
        ended = await self._ended(row, _word(reply))
        if ended is None:
            await self._replace(row, row.sealed)  # lets go of it: the next may try at once
        return ended or _trouble(reply)

    async def _judged(self, row: KeptSession, member: Member) -> Recheck | _Else:
        """What a person is worth whom Supabase has just shown us."""
        if member.shut_out(self._clock()) or member.anonymous:
            return await self._ended(row, _Word.OVER) or Gone()
        return StillGood(member.person(()))

    async def _ended(self, row: KeptSession, word: _Word | None) -> Recheck | _Else | None:
        """The end of a session, decided in its row: a newer one that came meanwhile is asked.

        No trace is left that would make later rechecks say the same: whoever hears `Gone` ends all
        that was granted, in one step. And a person may come back by a door that keeps no session.
        """
        match word:
            case _Word.OVER:
                dropped = await self._store.drop_kept_session(row.sub, row.version)
                # Or another process heard the same a moment ago, and there is nothing newer.
                alone = dropped or await self._store.kept_session(row.sub) is None
                return Gone() if alone else _Else.CHANGED
            case _Word.LOST:
                if not await self._store.drop_kept_session(row.sub, row.version):
                    return _Else.CHANGED
                log.warning("supabase.session_lost", detail="Supabase takes its token no more")
                return _Else.NOTHING
            case _:
                return None

    async def _replace(self, row: KeptSession, sealed: str) -> bool:
        now = int(self._clock())
        return await self._store.replace_kept_session(row.sub, row.version, sealed, now)

    async def _opened(self, row: KeptSession) -> KeptState | None:
        """What is in a row. One that a lost secret sealed is of no use to anybody, and goes."""
        state = self._sealed.open(row.sealed)
        if state is None:
            log.warning("supabase.session_lost", detail="its secret is not in AUTHGATE_SECRET_KEY")
            await self._store.drop_kept_session(row.sub, row.version)
        return state

    def _part(self, row: KeptSession, unless: str = "") -> None:
        """Sign out at Supabase what is no longer kept, unless it is this session."""
        state = self._sealed.open(row.sealed)
        if state is not None and state.session != unless:
            self._farewells.say(state.access, state.refresh)


def _word(reply: Reply) -> _Word | None:
    """Supabase's own word; a rate limit, a gateway or a fault has none."""
    if not isinstance(reply, Said) or reply.status not in (400, 401, 403, 404):
        return None
    return _WORDS.get(reply.code or "")


def _trouble(reply: Reply) -> Unavailable:
    outcome = react(reply, REFRESH, "recheck")
    return outcome if isinstance(outcome, Unavailable) else Unavailable(RETRY_OUTAGE)
