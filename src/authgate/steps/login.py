"""A login that an issuer elsewhere asked of us: opened by a browser, completed by a person, once.

The issuer (AuthKit) issues the tokens and asks for consent; what it wants of us is who somebody is.
Its word for that sign-in is kept sealed beside ours, and only our own handle is in any page: so a
page's address completes nothing, and the issuer's word is of use to nobody who reads the database.

The order of a completion. First our row is answered, by the one statement that answers any request:
of two posts at once one goes on, and AuthKit is asked once. Then AuthKit is told. If it did not
take it the answer is taken back, and the person can try again or as somebody else. What a crash
between the two leaves is an answered login whose person is sent back to their application: asking
AuthKit first and answering afterwards would leave two people completed for one request instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from authgate.issuers.logins import Completed, NotCompleted, Snag, Vouched
from authgate.observe import log
from authgate.protocol import logins
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import Approval, AuthorizationRequest, Person, Session
from authgate.security.digests import digest, new_secret
from authgate.security.limits import MAX_RETRY_AFTER
from authgate.security.vault import SealedValueUnreadable
from authgate.steps.authorize import Asker
from authgate.steps.parts import LoginParts, Parts, audited
from authgate.steps.recheck import vouched_at

RETRY_UNSAID = 5

_PURPOSE = "external login"
_REASONS: Mapping[Snag, Reason] = {
    Snag.COMPLETED_BEFORE: Reason.LOGIN_COMPLETED_BEFORE,
    Snag.EXPIRED: Reason.LOGIN_EXPIRED_THERE,
    Snag.EMAIL_TAKEN: Reason.LOGIN_EMAIL_TAKEN,
    Snag.EMAIL_CHANGE: Reason.LOGIN_EMAIL_CHANGE,
    Snag.EMAIL_INVALID: Reason.LOGIN_EMAIL_INVALID,
    Snag.KEY_REFUSED: Reason.LOGIN_KEY_REFUSED,
    Snag.MISCONFIGURED: Reason.LOGIN_MISCONFIGURED,
    Snag.REJECTED: Reason.LOGIN_REJECTED,
    Snag.THROTTLED: Reason.LOGIN_THROTTLED,
    Snag.UNAVAILABLE: Reason.LOGIN_UNAVAILABLE,
    Snag.LEADS_ELSEWHERE: Reason.LOGIN_LEADS_ELSEWHERE,
}
_FOR_LATER = (Snag.THROTTLED, Snag.UNAVAILABLE)
FINAL = frozenset(_REASONS[snag] for snag in Snag if snag.final)
"""Reasons after which nobody can answer the login here any more."""


async def open_login(parts: Parts, asked: Parameters, asker: Asker) -> str:
    """Keep a login until a person answers it; returns its handle. Raises `Refusal`.

    Every call opens one of its own, as an authorization request does: the same word of AuthKit's
    may be opened twice in a browser, or in two, and is completed by whoever comes first.
    """
    name = logins.external_name(asked)
    if asker.address is not None:
        wait = await parts.throttles.hit_authorization(asker.address)
        if wait is not None:
            raise Refusal(Reason.THROTTLED, retry_after=wait)
    handle, now = new_secret(), parts.clock()
    await parts.store.open_request(
        AuthorizationRequest(
            request_digest=digest(handle),
            kind="login",
            client_id="",
            redirect_uri="",
            state=None,
            code_challenge="",
            scopes=(),
            resource="",
            prompt=(),
            cross_site=asker.cross_site,
            browser_digest=asker.browser_digest,
            created_at=now,
            expires_at=now + logins.LASTS,
            external=parts.vault.seal(name, _PURPOSE),
        )
    )
    return handle


async def still_good(parts: Parts, session: Session) -> Person:
    """The person of a session that goes on without a new sign-in; raises `Refusal`.

    They proved themselves hours ago: the directory is asked whether it still stands by them, as it
    is before a code of ours is redeemed. Whoever is gone is signed out and barred by that.
    """
    if await vouched_at(parts, session.person, session.created_at, parts.clock()) is None:
        raise Refusal(Reason.LOGIN_PERSON_GONE)
    return session.person


async def complete(
    parts: LoginParts, request: AuthorizationRequest, person: Person, *, address: str, via: str
) -> str:
    """Tell AuthKit who signed in, and get where the browser goes on. Raises `Refusal`.

    `via` says in the audit trail how the person came to it (sign_in or page).
    """
    name = _unsealed(parts, request)
    email = logins.email_of(person)
    if email is None:
        raise Refusal(Reason.LOGIN_EMAIL_MISSING)
    home = parts.home_of(person)
    confirmed = home is not None and home.confirms_addresses
    if not confirmed:
        # AuthKit takes whatever it is told for verified, and tells others so.
        log.warning("login.address_unconfirmed", sub=person.sub, directory=person.directory)
    vouched = Vouched(person.sub, email, confirmed)
    now = parts.clock()
    told = audited(now, "login.answered", actor=person.sub, address=address, via=via)
    _refuse_unless_first(await parts.store.deny(request.request_digest, now, told))
    try:
        outcome = await parts.logins.complete(name, vouched)
    except BaseException:  # a bug, or a process that ends: the person must not pay for either
        await _take_back(parts, request, now, person, "interrupted")
        raise
    if isinstance(outcome, Completed):
        await parts.logins.learn(person.sub)
        return outcome.onward
    await _note_refused(parts, request, now, person, outcome)
    raise _refusal(outcome)


def _unsealed(parts: Parts, request: AuthorizationRequest) -> str:
    try:
        return parts.vault.open(request.external or "", _PURPOSE)
    except SealedValueUnreadable:  # the secret that sealed it is gone
        raise Refusal(Reason.INTERACTION_UNKNOWN) from None


def _refuse_unless_first(outcome: Approval) -> None:
    match outcome:
        case Approval.APPROVED:
            return
        case Approval.ALREADY_ANSWERED:
            raise Refusal(Reason.INTERACTION_ANSWERED)
        case Approval.EXPIRED:
            raise Refusal(Reason.INTERACTION_EXPIRED)


async def _note_refused(
    parts: Parts,
    request: AuthorizationRequest,
    answered_at: int,
    person: Person,
    outcome: NotCompleted,
) -> None:
    """What cannot be mended stays answered: no page of ours offers what AuthKit will not take."""
    if not outcome.snag.final:
        await _take_back(parts, request, answered_at, person, outcome.snag.value)
        return
    await parts.store.record(
        audited(
            parts.clock(), "login.answered", "refused", actor=person.sub, why=outcome.snag.value
        )
    )


async def _take_back(
    parts: Parts, request: AuthorizationRequest, answered_at: int, person: Person, why: str
) -> None:
    refused = audited(parts.clock(), "login.answered", "refused", actor=person.sub, why=why)
    await parts.store.reopen_login(request.request_digest, answered_at, refused)


def _refusal(outcome: NotCompleted) -> Refusal:
    wait = outcome.retry_after
    if outcome.snag in _FOR_LATER:
        wait = min(MAX_RETRY_AFTER, wait or RETRY_UNSAID)
    return Refusal(_REASONS[outcome.snag], retry_after=wait)
