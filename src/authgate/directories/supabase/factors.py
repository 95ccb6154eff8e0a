"""The second factor: from a first that was right to a code, and from the code to a person.

The aal1 session waits sealed, at most 300 s; its refresh token is dropped at once, since the verify
call makes a new session of the same one. An authenticator's challenge is opened when the code is
there, in one go with the verification and with the same address, because Supabase binds the two to
one; a phone's must be opened before, as that is what sends the message.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from authgate.directories.contract import (
    Explain,
    NeedsFactor,
    Refused,
    SignedIn,
    SignIn,
    Unavailable,
)
from authgate.directories.sealed import Ended, Sealed
from authgate.directories.supabase.api import Reply, Said, SupabaseApi
from authgate.directories.supabase.errors import (
    FACTOR,
    NEW_CHALLENGE,
    RETRY_OUTAGE,
    react,
    unexpected,
)
from authgate.directories.supabase.people import Factor, Session, read_session
from authgate.observe import log

WAITS = 300
# A person may have a second authenticator and the page does not ask which: each is tried. Bounded,
# since every one tried is another chance for a guess, and a request.
MOST_TRIED = 3

_METHODS = {"totp": "otp", "phone": "sms"}  # RFC 8176
_CODE = re.compile(r"[0-9]{6,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The state between the two factors."""

    access_token: str = field(repr=False)
    sub: str
    display: str
    methods: tuple[str, ...]
    kind: str
    factors: tuple[str, ...]
    ends: float
    phone: str = ""
    challenge: str | None = None


class Factors:
    """`welcome` is told of the session of everybody who is signed in by a factor; `passed` of every
    access token whose session is of no more use."""

    def __init__(
        self,
        api: SupabaseApi,
        sealed: Sealed,
        clock: Callable[[], float],
        welcome: Callable[[Session], Awaitable[None]],
        passed: Callable[[str], None],
    ) -> None:
        self._api = api
        self._sealed = sealed
        self._clock = clock
        self._welcome = welcome
        self._passed = passed

    async def begin(self, session: Session, methods: tuple[str, ...], address: str) -> SignIn:
        """Ask for one of the person's verified factors; there is at least one."""
        member = session.member
        kind, usable = _choose(member.factors)
        if not usable:
            log.warning("supabase.factor_unsupported")
            self._passed(session.access_token)
            return Refused(Explain.FACTOR_UNSUPPORTED)
        waiting = _Waiting(
            access_token=session.access_token,
            sub=member.sub,
            display=member.display,
            methods=methods,
            kind=kind,
            factors=tuple(factor.id for factor in usable),
            ends=self._clock() + WAITS,
            phone=usable[0].phone,
        )
        if kind == "phone":
            return self._left(waiting, await self._send(waiting, address, None))
        return self._needs(waiting, None)

    async def answer(self, sealed: str, answer: str, address: str) -> SignIn:
        """Judge a code. Only `Explain.CODE_WRONG` leaves `sealed` worth another."""
        try:
            state = self._sealed.open(sealed)
        except Ended:
            return Refused(Explain.SIGN_IN_EXPIRED)
        if state is None:
            return Refused()
        waiting = _waiting(state)
        code = "".join(answer.split())
        if not _CODE.fullmatch(code):
            return Refused(Explain.CODE_WRONG)
        outcome: SignIn = Refused(Explain.CODE_WRONG)
        for factor in waiting.factors:
            outcome = await self._try(waiting, factor, code, address)
            if outcome != Refused(Explain.CODE_WRONG):
                break
        return self._left(waiting, outcome)

    def _left(self, waiting: _Waiting, outcome: SignIn) -> SignIn:
        """A refusal that no other code can mend ends the session that waited for one."""
        if isinstance(outcome, Refused) and outcome.explain != Explain.CODE_WRONG:
            self._passed(waiting.access_token)
        return outcome

    async def _try(self, waiting: _Waiting, factor: str, code: str, address: str) -> SignIn:
        """One factor's verdict, with a second challenge where Supabase wants another."""
        challenge = waiting.challenge
        for _ in range(2):
            if challenge is None:
                opened = await self._challenge(waiting, factor, address)
                if not isinstance(opened, str):
                    return opened
                challenge = opened
            reply = await self._api.verify(waiting.access_token, factor, challenge, code, address)
            if not isinstance(reply, Said) or reply.code not in NEW_CHALLENGE:
                return await self._judged(waiting, reply)
            if waiting.kind == "phone":
                # The code belonged to the challenge; another one has to be sent.
                return await self._send(waiting, address, Explain.CODE_SENT_AGAIN)
            challenge = None
        log.warning("supabase.challenge_refused_twice")
        return Unavailable(RETRY_OUTAGE)

    async def _judged(self, waiting: _Waiting, reply: Reply) -> SignIn:
        if not isinstance(reply, Said) or not reply.ok:
            return react(reply, FACTOR, "verify")
        session = read_session(reply.body)
        if session is None or session.member.sub != waiting.sub:
            return unexpected(reply, "verify")
        if session.member.shut_out(self._clock()):
            return Refused()  # one session, so the earlier access token ends it
        await self._welcome(session)
        methods = (*waiting.methods, _METHODS[waiting.kind], "mfa")
        return SignedIn(session.member.person(methods, assurance=2))

    async def _send(self, waiting: _Waiting, address: str, explain: Explain | None) -> SignIn:
        opened = await self._challenge(waiting, waiting.factors[0], address)
        if not isinstance(opened, str):
            return opened
        return self._needs(replace(waiting, challenge=opened), explain)

    async def _challenge(
        self, waiting: _Waiting, factor: str, address: str
    ) -> str | Refused | Unavailable:
        sends = waiting.kind == "phone"
        reply = await self._api.challenge(waiting.access_token, factor, address, sends=sends)
        if not isinstance(reply, Said) or not reply.ok:
            return react(reply, FACTOR, "challenge")
        challenge = reply.body.get("id")
        if not isinstance(challenge, str) or not challenge:
            return unexpected(reply, "challenge")
        return challenge

    def _needs(self, waiting: _Waiting, explain: Explain | None) -> NeedsFactor:
        state = {name: getattr(waiting, name) for name in _Waiting.__slots__}
        sealed = self._sealed.seal(state, waiting.ends)
        left = max(1, int(waiting.ends - self._clock()))
        hint = waiting.phone[-2:] if waiting.kind == "phone" else ""
        account = waiting.display or waiting.sub
        return NeedsFactor(waiting.kind, hint, sealed, left, explain, account)


def _choose(factors: tuple[Factor, ...]) -> tuple[str, tuple[Factor, ...]]:
    """An authenticator before a phone: no message to wait for, and none to intercept."""
    for kind, most in (("totp", MOST_TRIED), ("phone", 1)):
        found = tuple(factor for factor in factors if factor.kind == kind)
        if found:
            return kind, found[:most]
    return "", ()


def _waiting(state: dict[str, Any]) -> _Waiting:
    return _Waiting(**state | {name: tuple(state[name]) for name in ("methods", "factors")})
