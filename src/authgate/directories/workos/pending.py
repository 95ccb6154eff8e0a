"""What WorkOS asks for between a provider's word and the end of a sign-in.

A code from a message, where the address was not verified yet; a code from an authenticator; one of
several organizations. The rest is refused in plain words (`errors`). What waits for a code is
WorkOS's pending token, sealed; the authenticator's challenge is opened when the code is there, so
that each try has a fresh one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from authgate.directories.contract import Explain, NeedsFactor, Refused, Unavailable
from authgate.directories.sealed import Ended, Sealed
from authgate.directories.workos.errors import FACTOR, SIGN_IN, react
from authgate.observe import log
from authgate.security.addresses import MAX_EMAIL
from authgate.workos import Authenticated, Kind, Origin, StepUp, Trouble, WorkOS

WAITS = 300
# A person may have several authenticators and the page does not ask which: each is tried. Bounded,
# since every one tried is another chance for a guess, and a request.
MOST_TRIED = 3

_CODE = re.compile(r"[0-9]{6,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Passed:
    """A sign-in that is complete: at which provider it was asked for, and the code that was due
    on the way (`totp`, `email`, or "")."""

    signed_in: Authenticated
    provider: str
    factor: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    token: str = field(repr=False)
    kind: str
    provider: str
    factors: tuple[str, ...]


class Pending:
    """`clock` in seconds since the epoch."""

    def __init__(self, workos: WorkOS, sealed: Sealed, clock: Callable[[], float]) -> None:
        self._workos = workos
        self._sealed = sealed
        self._clock = clock

    async def go_on(
        self, trouble: Trouble, provider: str, origin: Origin
    ) -> Passed | NeedsFactor | Refused | Unavailable:
        """The end of a sign-in that WorkOS stopped, or what it still wants."""
        step = trouble.step_up
        if step is not None and trouble.code == "organization_selection_required":
            outcome = await self._choose(step, origin)
            if isinstance(outcome, Authenticated):
                return Passed(outcome, provider)
            trouble, step = outcome, outcome.step_up
        match trouble.code:
            case "email_verification_required" if step is not None:
                return self._mailed(step, provider)
            case "mfa_challenge" if step is not None:
                return self._authenticator(step, provider)
        return react(trouble, SIGN_IN, "authenticate")

    async def answer(
        self, sealed: str, answer: str, origin: Origin
    ) -> Passed | NeedsFactor | Refused | Unavailable:
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
        outcome = await self._judged(waiting, code, origin)
        if isinstance(outcome, Authenticated):
            return Passed(outcome, waiting.provider, waiting.kind)
        if outcome.code == "organization_selection_required" and outcome.step_up is not None:
            outcome = await self._choose(outcome.step_up, origin)
            if isinstance(outcome, Authenticated):
                return Passed(outcome, waiting.provider, waiting.kind)
        if outcome.step_up is not None:
            # A second code after the first: this one was right, so the next sign-in asks for that.
            return Refused(Explain.SIGN_IN_EXPIRED)
        return react(outcome, FACTOR, waiting.kind)

    async def _judged(
        self, waiting: _Waiting, code: str, origin: Origin
    ) -> Authenticated | Trouble:
        if waiting.kind == "email":
            return await self._workos.authenticate_email_code(waiting.token, code, origin)
        outcome: Authenticated | Trouble | None = None
        for factor in waiting.factors:
            challenge = await self._workos.challenge_factor(factor)
            if isinstance(challenge, Trouble):
                return challenge
            outcome = await self._workos.authenticate_totp(waiting.token, challenge, code, origin)
            if isinstance(outcome, Authenticated) or outcome.code != "invalid_one_time_code":
                break
        assert outcome is not None  # nobody waits for an authenticator without one
        return outcome

    async def _choose(self, step: StepUp, origin: Origin) -> Authenticated | Trouble:
        """The first organization, without asking.

        Harmless: the choice is for what the session may do at WorkOS, and that session ends at
        once. Person, `sub` and tokens of ours hold nothing of it. Nor is it a way round a rule: the
        person could pick this very one at WorkOS, and its own rules are asked of them.
        """
        if not step.organizations:
            return Trouble(Kind.REFUSED, "organization_not_found")
        chosen = step.organizations[0].id
        return await self._workos.authenticate_organization(step.token, chosen, origin)

    def _mailed(self, step: StepUp, provider: str) -> NeedsFactor:
        """The hint is the mailbox's domain: enough to look in the right one."""
        email = _email(step)
        hint = email[email.rfind("@") :] if "@" in email else ""
        return self._needs(_Waiting(step.token, "email", provider, ()), hint, email)

    def _authenticator(self, step: StepUp, provider: str) -> NeedsFactor | Refused:
        usable = tuple(one.id for one in step.factors if one.kind == "totp")[:MOST_TRIED]
        if not usable:
            log.warning("workos.factor_unsupported")
            return Refused(Explain.FACTOR_UNSUPPORTED)
        return self._needs(_Waiting(step.token, "totp", provider, usable), "", _email(step))

    def _needs(self, waiting: _Waiting, hint: str, account: str) -> NeedsFactor:
        state = {name: getattr(waiting, name) for name in _Waiting.__slots__}
        sealed = self._sealed.seal(state, self._clock() + WAITS)
        return NeedsFactor(waiting.kind, hint, sealed, WAITS, account=account)


def _email(step: StepUp) -> str:
    email = (step.email or "").strip()
    return email if len(email) <= MAX_EMAIL and email.isprintable() else ""


def _waiting(state: dict[str, Any]) -> _Waiting:
    return _Waiting(**state | {"factors": tuple(state["factors"])})
