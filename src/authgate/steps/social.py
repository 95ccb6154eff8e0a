"""Signing in at a provider: away, and back once, in the browser that was sent away.

What ends here is the provider's word for somebody. A browser's request goes on with it as after a
password; a tool's goes on in `hand_over`. The transaction's name travels through other people's
servers, so it opens nothing by itself: the browser's cookie has to come with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from authgate.directories.contract import (
    Explain,
    NeedsFactor,
    Refused,
    SignedIn,
    Unavailable,
    Visitor,
)
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import (
    AuthorizationRequest,
    PendingFactor,
    Person,
    SocialTransaction,
)
from authgate.security.digests import digest, new_secret
from authgate.security.vault import SealedValueUnreadable
from authgate.steps.factor import First, sealed_factor, strong_enough, unavailable
from authgate.steps.parts import Parts, audited
from authgate.steps.providers import EXPLAINED, PROVIDERS

CALLBACK = "/oauth/callback"
LASTS = 600

_PURPOSE = "social transaction"
_EXPLAINED = {**EXPLAINED, Explain.SIGN_IN_EXPIRED: Reason.SOCIAL_RETRY}


@dataclass(frozen=True, slots=True)
class Returned:
    """A transaction that came back to its browser, and the handle of the request it is for."""

    transaction: SocialTransaction
    request: AuthorizationRequest
    handle: str = field(repr=False)
    sealed: str = field(repr=False)


def offered(parts: Parts) -> tuple[str, ...]:
    """The providers to offer at this moment."""
    return tuple(name for name in parts.social.ways.providers if name in PROVIDERS)


async def start(
    parts: Parts,
    request: AuthorizationRequest,
    handle: str,
    provider: str,
    browser_digest: str,
    address: str,
) -> str:
    """Where to send this browser for `request`; raises `Refusal`.

    Nobody has to be signed in for it and each leaves a row, hence the brake.
    """
    wait = await parts.throttles.hit_authorization(address)
    if wait is not None:
        raise Refusal(Reason.THROTTLED, retry_after=wait)
    name = new_secret()
    begun = await parts.social.start_social(provider, parts.policy.issuer + CALLBACK, name)
    if isinstance(begun, Unavailable):
        raise unavailable(parts.social, begun.retry_after)
    if isinstance(begun, Refused):
        raise Refusal(Reason.PROVIDER_NOT_OFFERED, provider=PROVIDERS[provider])
    now = parts.clock()
    await parts.store.open_transaction(
        SocialTransaction(
            transaction_digest=digest(name),
            provider=provider,
            request_digest=request.request_digest,
            kind=request.kind,
            browser_digest=browser_digest,
            sealed=parts.vault.seal(json.dumps([handle, begun.sealed]), _PURPOSE),
            created_at=now,
            expires_at=min(now + LASTS, request.expires_at),
        )
    )
    return begun.url


async def find(parts: Parts, name: str | None, browser_digest: str | None) -> Returned:
    """The transaction `name` of this browser, whose request is still open. Spends nothing.

    Raises `Refusal`. Whether it was used is for `finish`, which settles it.
    """
    transaction = await parts.store.transaction(digest(name)) if name else None
    unknown = Refusal(Reason.SOCIAL_UNKNOWN, callback=parts.policy.issuer + CALLBACK)
    if transaction is None:
        raise unknown
    if transaction.browser_digest != browser_digest:
        raise Refusal(Reason.BROWSER_MISMATCH)
    try:
        handle, sealed = json.loads(parts.vault.open(transaction.sealed, _PURPOSE))
    except SealedValueUnreadable:
        raise unknown from None
    request = await open_request_of(parts, transaction)
    return Returned(transaction, request, handle, sealed)


async def open_request_of(parts: Parts, transaction: SocialTransaction) -> AuthorizationRequest:
    """The request a transaction is for, while a person can still answer it; raises `Refusal`."""
    request = await parts.store.request(transaction.request_digest)
    if request is None:
        raise Refusal(Reason.INTERACTION_UNKNOWN)
    if request.answered_at is not None:
        raise Refusal(Reason.INTERACTION_ANSWERED)
    if request.expires_at <= parts.clock():
        raise Refusal(Reason.INTERACTION_EXPIRED)
    return request


async def finish(
    parts: Parts, returned: Returned, answer: Mapping[str, str], address: str
) -> Person | PendingFactor:
    """Whom the provider stands by, or the factor that person owes; raises `Refusal`.

    The transaction is spent before anybody is asked, so of two returns at once one is judged. What
    goes wrong after that needs a new transaction, and a new start makes one.
    """
    transaction = returned.transaction
    provider = PROVIDERS[transaction.provider]
    taken = await parts.store.take_transaction(
        transaction.transaction_digest, transaction.browser_digest, parts.clock()
    )
    if not taken:
        raise Refusal(Reason.SOCIAL_USED, provider=provider)
    outcome = await parts.social.finish_social(
        transaction.provider, returned.sealed, answer, Visitor(address)
    )
    match outcome:
        case SignedIn(person):
            return strong_enough(parts, person)
        case NeedsFactor():
            first = First(outcome.account or transaction.transaction_digest, transaction.provider)
            return sealed_factor(parts, returned.request, outcome, first, parts.clock())
        case Unavailable(retry_after):
            raise unavailable(parts.social, retry_after)
        case Refused(explain):
            await _note_refused(parts, returned, address)
            raise Refusal(_EXPLAINED.get(explain, Reason.SOCIAL_FAILED), provider=provider)


async def _note_refused(parts: Parts, returned: Returned, address: str) -> None:
    refused = audited(
        parts.clock(),
        "person.sign_in",
        "refused",
        client_id=returned.request.client_id,
        address=address,
        provider=returned.transaction.provider,
    )
    await parts.store.record(refused)
