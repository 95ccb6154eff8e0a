"""Telling AuthKit who signed in (Standalone Connect), and ending what it remembers of them.

AuthKit's answer is believed only as far as it has to be: the browser is sent to its own domain and
nowhere else. Neighbours: `steps.login` decides when; `workos` makes the calls; `linking` joins a
person to a WorkOS user who has their address already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from authgate import workos
from authgate.issuers.authkit.background import Background
from authgate.issuers.authkit.linking import EmailLinking, kept_link
from authgate.issuers.logins import Completed, NotCompleted, Snag, Vouched
from authgate.observe import log
from authgate.protocol.errors import printable
from authgate.protocol.logins import leads_to
from authgate.store.contract import Store
from authgate.workos import Kind, Trouble, WorkOS

WAIT = 2.0  # seconds that a person waits for what may as well happen after them
LEARN_AGAIN = (0.0, 2.0, 10.0)  # seconds before each try
MOST_USERS = 5  # WorkOS users of one person
MOST_SESSIONS = 50  # sessions of one of them
AT_ONCE = 4

_SNAGS: Mapping[str, Snag] = {
    "external_auth_session_already_completed": Snag.COMPLETED_BEFORE,
    "email_not_available": Snag.EMAIL_TAKEN,
    "email_change_not_allowed": Snag.EMAIL_CHANGE,
    "invalid_email": Snag.EMAIL_INVALID,
    "invalid_request_parameters": Snag.REJECTED,
}
_KINDS: Mapping[Kind, Snag] = {
    Kind.KEY_REFUSED: Snag.KEY_REFUSED,
    Kind.NOT_FOUND: Snag.EXPIRED,
    Kind.LIMITED: Snag.THROTTLED,
    Kind.UNAVAILABLE: Snag.UNAVAILABLE,
    Kind.UNEXPECTED: Snag.MISCONFIGURED,
}
# What an operator can do about it, where anything.
_FIXES: Mapping[Snag, str] = {
    Snag.EXPIRED: "nothing, unless it is so every time: then WORKOS_API_KEY is another "
    "environment's than WORKOS_AUTHKIT_DOMAIN",
    Snag.EMAIL_TAKEN: "give that WorkOS user the person's id as external_id, or set "
    "AUTHGATE_LINK_VERIFIED_EMAIL=true",
    Snag.EMAIL_CHANGE: "allow e-mail changes in the WorkOS dashboard, or change it there",
    Snag.KEY_REFUSED: "check WORKOS_API_KEY",
    Snag.MISCONFIGURED: "look the request up in the WorkOS dashboard by its id; check "
    "WORKOS_API_URL",
    Snag.REJECTED: "look the request up in the WorkOS dashboard by its id, and report it",
    Snag.LEADS_ELSEWHERE: "set WORKOS_AUTHKIT_DOMAIN to the domain that AuthKit answers at",
}


@dataclass(frozen=True, slots=True)
class CompletionPolicy:
    """What the operator decided. `origin` is the AuthKit domain, `https://…` without a path."""

    origin: str
    link_verified_email: bool = False


class AuthKitLogins:
    """`issuers.logins.Logins` at AuthKit. `clock` in seconds since the epoch."""

    def __init__(
        self,
        workos: WorkOS,
        store: Store,
        policy: CompletionPolicy,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._workos = workos
        self._store = store
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._linking = EmailLinking(workos, store, clock, allowed=policy.link_verified_email)
        self.background = Background()

    @property
    def host(self) -> str:
        return urlsplit(self._policy.origin).netloc

    async def complete(self, name: str, person: Vouched) -> Completed | NotCompleted:
        """Once; a second time only after an address that was in the way was made this person's."""
        outcome = await self._workos.complete(name, person.sub, person.email)
        if isinstance(outcome, Trouble) and _snag(outcome) is Snag.EMAIL_TAKEN:
            joined = await self._linking.join(person)
            if isinstance(joined, Trouble):
                return _not_completed(joined)
            if joined:
                outcome = await self._workos.complete(name, person.sub, person.email)
        if isinstance(outcome, Trouble):
            return _not_completed(outcome)
        return self._checked(outcome)

    async def learn(self, sub: str) -> None:
        """A lookup by our own id; three tries, since the first calls come in a few seconds."""
        await self.background.run("learn", self._learn(sub), WAIT)

    async def sign_out(self, sub: str) -> None:
        """All sessions of the person at WorkOS: which of them is this browser's nobody can tell."""
        await self.background.run("sign_out", self._sign_out(sub), WAIT)

    async def close(self) -> None:
        """Let what is under way end. `workos` is its maker's to close."""
        await self.background.close()

    def _checked(self, completed: workos.Completed) -> Completed | NotCompleted:
        if leads_to(completed.redirect_uri, self._policy.origin):
            return Completed(completed.redirect_uri)
        log.error(
            "login.leads_elsewhere",
            came=_host_of(completed.redirect_uri),
            expected=self._policy.origin,
            fix=_FIXES[Snag.LEADS_ELSEWHERE],
        )
        return NotCompleted(Snag.LEADS_ELSEWHERE)

    async def _learn(self, sub: str) -> None:
        why = ""
        for pause in LEARN_AGAIN:
            await self._sleep(pause)
            user = await self._workos.user_by_external_id(sub)
            if not isinstance(user, Trouble):
                await kept_link(self._store, user.id, sub, "completed", self._clock())
                return
            why = user.kind.value
        fix = "a token that names the person by WorkOS's own id is refused until they sign in again"
        log.warning("login.link_missing", sub=sub, why=why, fix=fix)

    async def _sign_out(self, sub: str) -> None:
        ids = [link.workos_id for link in await self._store.links_to(sub)]
        if not ids:
            user = await self._workos.user_by_external_id(sub)
            ids = [] if isinstance(user, Trouble) else [user.id]
        ended, left = 0, 0
        for workos_id in ids[:MOST_USERS]:
            sessions = await self._workos.sessions(workos_id)
            if isinstance(sessions, Trouble):
                left += sessions.kind is not Kind.NOT_FOUND
                continue
            active = [session.id for session in sessions if session.active][:MOST_SESSIONS]
            turns = asyncio.Semaphore(AT_ONCE)
            outcomes = await asyncio.gather(*(self._end(one, turns) for one in active))
            ended, left = ended + sum(outcomes), left + outcomes.count(False)
        tell = log.warning if left else log.info
        tell("login.signed_out_there", sub=sub, ended=ended, left=left)

    async def _end(self, session_id: str, turns: asyncio.Semaphore) -> bool:
        async with turns:
            outcome = await self._workos.revoke_session(session_id)
        # Refused or not found: there is no such session any more, which is what was wanted.
        return not isinstance(outcome, Trouble) or outcome.kind in (Kind.REFUSED, Kind.NOT_FOUND)


def _host_of(url: str) -> str:
    """For the log, and no more: what comes behind the host opens the login."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return printable(host) if host else "no web address"


def _snag(trouble: Trouble) -> Snag:
    """An error with a name is told by it, one without by its status; 400 without a name is a
    consent option or a claim that cannot be."""
    named = _SNAGS.get(trouble.code or "")
    if named is not None:
        return named
    if trouble.status == 422:
        return Snag.REJECTED
    return _KINDS.get(trouble.kind, Snag.MISCONFIGURED)


def _not_completed(trouble: Trouble) -> NotCompleted:
    snag = _snag(trouble)
    tell = log.info if snag in (Snag.COMPLETED_BEFORE, Snag.EXPIRED) else log.error
    tell(
        "login.not_completed",
        why=snag.value,
        status=trouble.status,
        code=trouble.code,
        workos_request_id=trouble.request_id,
        fix=_FIXES.get(snag),
    )
    return NotCompleted(snag, trouble.retry_after)
