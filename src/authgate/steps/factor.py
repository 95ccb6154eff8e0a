"""The second factor: kept in the request's row when the password was right, then answered or ended.

Between the two nobody is signed in: there is no session, no consent page and no code until the
factor is right, because all of those begin with the person that only `answer_factor` returns.
What waits is sealed here once more, together with the user name (or what the
directory gives in its place after a provider): the answer counts into the same
throttles as the password did, and those know accounts by user name. Any other key would not do. The
request's would give whoever knows the password a fresh count with each request, and a digest of an
address can be guessed from a list of addresses. So the row says of nobody who is about to sign in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from authgate.directories.contract import (
    Directory,
    Explain,
    NeedsFactor,
    Refused,
    SignedIn,
    Unavailable,
    Visitor,
)
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import AuthorizationRequest, PendingFactor, Person
from authgate.security.vault import SealedValueUnreadable
from authgate.steps import providers
from authgate.steps.parts import Parts, audited

MAX_TRIES = 5
MAX_WAIT = 300
RETRY_UNSAID = 5

# Where saying more than "begin again" helps the person, who has proved the first factor.
EXPLAINED: Mapping[str | None, Reason] = {
    Explain.EMAIL_NOT_CONFIRMED: Reason.EMAIL_UNCONFIRMED,
    Explain.FACTOR_MISSING: Reason.FACTOR_MISSING,
    Explain.FACTOR_UNSUPPORTED: Reason.FACTOR_UNSUPPORTED,
}

_PURPOSE = "pending factor"


@dataclass(frozen=True, slots=True)
class FactorDue:
    """The password was right, and a code is due within `expires_in` seconds."""

    kind: str
    hint: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class First:
    """The factor that was right: under which name failures count, and at which provider it was
    proved (None: by a password)."""

    account: str
    provider: str | None = None


async def wait_for(
    parts: Parts, request: AuthorizationRequest, needs: NeedsFactor, first: First, address: str
) -> FactorDue:
    """Keep what the factor needs until it is answered; raises `Refusal` if nobody can any more."""
    now = parts.clock()
    factor = sealed_factor(parts, request, needs, first, now)
    return await keep(parts, request, factor, address, now)


async def keep(
    parts: Parts, request: AuthorizationRequest, factor: PendingFactor, address: str, now: int
) -> FactorDue:
    """Put a factor into its request's row, where the next step looks for it; raises `Refusal`."""
    if not await parts.store.await_factor(request.request_digest, factor, now):
        raise Refusal(await why_over(parts, request))
    due = audited(now, "person.sign_in", "factor_due", address=address, factor=factor.kind)
    await parts.store.record(due)
    return FactorDue(factor.kind, factor.hint, factor.expires_at - now)


def sealed_factor(
    parts: Parts,
    request: AuthorizationRequest,
    needs: NeedsFactor,
    first: First,
    now: int,
    failures: int = 0,
) -> PendingFactor:
    """The factor as it may wait in a row."""
    ends = min(now + min(needs.expires_in, MAX_WAIT), request.expires_at)
    state = json.dumps([first.account, needs.sealed, first.provider])
    return PendingFactor(needs.kind, needs.hint, parts.vault.seal(state, _PURPOSE), ends, failures)


def first_of(parts: Parts, request: AuthorizationRequest) -> First | None:
    """Which first factor the pending one follows; None if none is pending, or none readable."""
    waiting = _unsealed(parts, request.factor) if request.factor is not None else None
    return waiting[0] if waiting is not None else None


async def answer_factor(
    parts: Parts, request: AuthorizationRequest, answer: str, address: str
) -> Person:
    """The person whose second factor this answers; raises `Refusal`.

    A wrong answer leaves the factor due up to `MAX_TRIES`, an outage leaves it as it was; anything
    else ends it, and the password is due again. Of two right answers at once one signs in.
    """
    factor = request.factor
    if factor is None:
        raise Refusal(Reason.FACTOR_ENDED)
    waiting = _unsealed(parts, factor) if factor.expires_at > parts.clock() else None
    if waiting is None:
        await give_up(parts, request)
        raise Refusal(Reason.FACTOR_ENDED)
    first, sealed = waiting
    async with parts.throttles.sign_in(first.account, address, factor=True) as attempt:
        if attempt.retry_after is not None:
            raise Refusal(Reason.SIGN_IN_THROTTLED, retry_after=attempt.retry_after)
        directory = parts.passwords if first.provider is None else parts.social
        outcome = await directory.answer_factor(sealed, answer, Visitor(address))
        match outcome:
            case SignedIn(person):
                if not await parts.store.settle_factor(request.request_digest, factor.sealed):
                    raise Refusal(Reason.FACTOR_ENDED)
                attempt.succeeded()
                return strong_enough(parts, person)
            case Unavailable(retry_after):
                raise unavailable(directory, retry_after)
            case NeedsFactor() | Refused():
                # A code that was sent again counts too, or the messages would have no limit.
                attempt.failed()
    refused = audited(
        parts.clock(), "person.sign_in", "refused", address=address, factor=factor.kind
    )
    await parts.store.record(refused)
    if isinstance(outcome, NeedsFactor):
        raise Refusal(await _again(parts, request, factor, outcome, first))
    raise await _refused(parts, request, outcome, first)


def unavailable(directory: Directory, retry_after: int | None) -> Refusal:
    """This directory cannot judge anybody now; which one that is, tools tell their caller."""
    return Refusal(
        Reason.SIGN_IN_UNAVAILABLE,
        retry_after=retry_after or RETRY_UNSAID,
        directory=directory.name,
    )


async def give_up(parts: Parts, request: AuthorizationRequest) -> None:
    """Forget the pending factor: the password is due again, perhaps another person's."""
    if request.factor is not None:
        await parts.store.settle_factor(request.request_digest, request.factor.sealed)


def strong_enough(parts: Parts, person: Person) -> Person:
    """The person, if the sign-in was as strong as the operator demands; raises `Refusal`.

    Without this a sign-in would succeed that the journey then does not count, and the form would
    come again and again without a word.
    """
    if person.assurance < parts.policy.required_assurance:
        raise Refusal(Reason.FACTOR_MISSING)
    return person


def _unsealed(parts: Parts, factor: PendingFactor) -> tuple[First, str] | None:
    """The first factor and the directory's state; None if the secret that sealed them is gone."""
    try:
        account, sealed, *provider = json.loads(parts.vault.open(factor.sealed, _PURPOSE))
    except SealedValueUnreadable:
        return None
    # A row of the version before has no third member; then it was a password.
    return First(account, provider[0] if provider else None), sealed


async def _again(
    parts: Parts,
    request: AuthorizationRequest,
    factor: PendingFactor,
    needs: NeedsFactor,
    first: First,
) -> Reason:
    """Another code was sent in place of the one answered, which counts as a try."""
    failures = factor.failures + 1
    if failures >= MAX_TRIES:
        await give_up(parts, request)
        return Reason.FACTOR_SPENT
    now = parts.clock()
    newer = sealed_factor(parts, request, needs, first, now, failures)
    if not await parts.store.await_factor(request.request_digest, newer, now):
        raise Refusal(await why_over(parts, request))
    return Reason.FACTOR_SENT_AGAIN


async def _refused(
    parts: Parts, request: AuthorizationRequest, refused: Refused, first: First
) -> Refusal:
    if refused.explain != Explain.CODE_WRONG:
        await give_up(parts, request)
        if first.provider is None:
            return Refusal(EXPLAINED.get(refused.explain, Reason.FACTOR_ENDED))
        reason = providers.EXPLAINED.get(refused.explain, Reason.FACTOR_ENDED)
        return Refusal(reason, provider=providers.PROVIDERS[first.provider])
    failures = await parts.store.count_factor_failure(request.request_digest, MAX_TRIES)
    return Refusal(Reason.FACTOR_SPENT if failures >= MAX_TRIES else Reason.FACTOR_WRONG)


async def why_over(parts: Parts, request: AuthorizationRequest) -> Reason:
    """Why nothing can be kept for this request any more."""
    tool = request.kind == "tool"
    found = await parts.store.request(request.request_digest)
    if found is not None and found.answered_at is not None:
        return Reason.CHALLENGE_ANSWERED if tool else Reason.INTERACTION_ANSWERED
    return Reason.CHALLENGE_UNKNOWN if tool else Reason.INTERACTION_EXPIRED
