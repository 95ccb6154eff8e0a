"""A tool's sign-in at a provider: from the provider's word to the one-time code and its use.

A tool cannot see whom a browser signed in, and a browser cannot see which program asked. So the
person consents in the browser that came back, is shown a code of ours, and carries it over by hand.
It is good for one challenge and one provider, so a code of another's is worth nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import (
    Approval,
    AuthorizationRequest,
    Client,
    HandOver,
    PendingFactor,
    Person,
    SocialTransaction,
)
from authgate.security.digests import digest, new_one_time_code
from authgate.steps.factor import FactorDue, keep
from authgate.steps.parts import Parts, audited
from authgate.steps.social import Returned, open_request_of

CODE_LASTS = 300


@dataclass(frozen=True, slots=True)
class Asked:
    """What the consent page is about. `vouched` is a factor where the person owes one still."""

    transaction: SocialTransaction
    request: AuthorizationRequest
    client: Client
    vouched: Person | PendingFactor

    @property
    def sub(self) -> str | None:
        return self.vouched.sub if isinstance(self.vouched, Person) else None


async def vouch(
    parts: Parts, returned: Returned, vouched: Person | PendingFactor, address: str
) -> None:
    """Keep the provider's word until the person consents."""
    digest_ = returned.transaction.transaction_digest
    if not await parts.store.vouch_transaction(digest_, vouched):
        raise Refusal(Reason.INTERACTION_UNKNOWN)
    await parts.store.record(
        audited(
            parts.clock(),
            "person.sign_in",
            "vouched",
            actor=vouched.sub if isinstance(vouched, Person) else None,
            client_id=returned.request.client_id,
            address=address,
            provider=returned.transaction.provider,
        )
    )


async def load(parts: Parts, name: str, browser_digest: str | None) -> Asked:
    """What this browser may consent to under the transaction `name`; raises `Refusal`."""
    transaction = await parts.store.transaction(digest(name))
    if transaction is None or transaction.kind != "tool":
        raise Refusal(Reason.INTERACTION_UNKNOWN)
    if transaction.browser_digest != browser_digest:
        raise Refusal(Reason.BROWSER_MISMATCH)
    if transaction.vouched is None:
        raise Refusal(Reason.INTERACTION_UNKNOWN)
    if transaction.handed_over_at is not None:
        raise Refusal(Reason.INTERACTION_ANSWERED)
    request = await open_request_of(parts, transaction)
    client = await parts.store.client(request.client_id)
    if client is None:
        raise Refusal(Reason.CLIENT_UNKNOWN)
    if min(transaction.expires_at, _ends(transaction.vouched, request)) <= parts.clock():
        raise Refusal(Reason.INTERACTION_EXPIRED)
    return Asked(transaction, request, client, transaction.vouched)


def _ends(vouched: Person | PendingFactor, request: AuthorizationRequest) -> int:
    return vouched.expires_at if isinstance(vouched, PendingFactor) else request.expires_at


async def approve(parts: Parts, asked: Asked, address: str) -> str:
    """The one-time code, for the one caller who gets it; raises `Refusal` for the others."""
    code, now = new_one_time_code(), parts.clock()
    ends = min(now + CODE_LASTS, _ends(asked.vouched, asked.request))
    issued = await parts.store.issue_hand_over(
        asked.transaction.transaction_digest,
        asked.transaction.browser_digest,
        digest(code),
        ends,
        now,
        audited(
            now,
            "consent.handed_over",
            actor=asked.sub,
            client_id=asked.request.client_id,
            address=address,
            provider=asked.transaction.provider,
            scope=" ".join(asked.request.scopes),
        ),
    )
    if not issued:
        raise Refusal(Reason.INTERACTION_ANSWERED)
    return code


async def deny(parts: Parts, asked: Asked, address: str) -> None:
    """Answer the challenge with access_denied: no sign-in can answer it any more."""
    now = parts.clock()
    denied = audited(
        now,
        "consent.denied",
        actor=asked.sub,
        client_id=asked.request.client_id,
        address=address,
        provider=asked.transaction.provider,
    )
    outcome = await parts.store.deny(asked.request.request_digest, now, denied)
    if outcome is not Approval.APPROVED:
        raise Refusal(Reason.INTERACTION_ANSWERED)


async def with_code(
    parts: Parts, request: AuthorizationRequest, provider: str, code: str, address: str
) -> HandOver | FactorDue:
    """Whom this code is for, or the factor they still owe. A wrong one leaves all as it was.

    128 bits are not guessed; what is counted is the trouble of looking.
    """
    async with parts.throttles.sign_in(f"challenge {request.request_digest}", address) as attempt:
        if attempt.retry_after is not None:
            raise Refusal(Reason.SIGN_IN_THROTTLED, retry_after=attempt.retry_after)
        found = await parts.store.take_hand_over(
            digest(code.strip()), request.request_digest, provider, parts.clock()
        )
        if found is not None:
            attempt.succeeded()
        else:
            attempt.failed()
    if found is None:
        refused = audited(
            parts.clock(), "person.sign_in", "refused", address=address, provider=provider
        )
        await parts.store.record(refused)
        raise Refusal(Reason.OAUTH_CODE_WRONG)
    if isinstance(found.vouched, PendingFactor):
        return await keep(parts, request, found.vouched, address, parts.clock())
    return found
