"""What the tools do where tokens are issued elsewhere: nothing is kept here, all is asked there.

A challenge is the authorization URL itself, sealed. A row would buy nothing: there is no client of
ours for it to belong to, nothing can be answered with it, and so it need not be answered only once.
Sealed it must be all the same: the tool that opens it tells a model to put that URL before a
person, and nobody but us may choose it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from authgate.protocol import elsewhere
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.security.vault import SealedValueUnreadable
from authgate.steps.parts import ElsewhereParts

_PURPOSE = "challenge elsewhere"


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where a person answers a challenge. `expires_in` in seconds: how long we know it."""

    url: str
    expires_in: int
    challenge: str = field(default="", repr=False)


async def register(parts: ElsewhereParts, document: object, address: str) -> dict[str, object]:
    """Register a client at the issuer. Braked as at home: it counts our calls as one caller's."""
    wait = await parts.throttles.hit_registration(address)
    if wait is not None:
        raise Refusal(Reason.THROTTLED, retry_after=wait)
    return await parts.issuer.register(document)


async def point(parts: ElsewhereParts, asked: Parameters, address: str) -> Pointed:
    """Judge an authorization request and say where a person answers it; raises `Refusal`."""
    await _brake(parts, address)
    endpoint = (await parts.issuer.metadata()).authorization_endpoint
    url = elsewhere.authorization_url(endpoint, asked, parts.policy)
    ttl = parts.policy.request_ttl
    sealed = orjson.dumps([url, parts.clock() + ttl]).decode()
    return Pointed(url, ttl, parts.vault.seal(sealed, _PURPOSE))


def pointed(parts: ElsewhereParts, challenge: str) -> Pointed:
    """The same again for a challenge; raises `Refusal` if it is none of ours or too old."""
    try:
        url, expires_at = orjson.loads(parts.vault.open(challenge, _PURPOSE))
    except SealedValueUnreadable:
        raise Refusal(Reason.CHALLENGE_UNKNOWN) from None
    left = expires_at - parts.clock()
    if left <= 0:
        raise Refusal(Reason.CHALLENGE_UNKNOWN)
    return Pointed(url, left)


async def token(parts: ElsewhereParts, asked: Parameters, address: str) -> dict[str, object]:
    """Exchange a code or a refresh token at the issuer; raises `Refusal`."""
    await _brake(parts, address)
    form = elsewhere.token_form(asked, parts.policy.resources)
    if "client_secret" not in form:
        return await parts.issuer.token(form)
    client_id = form["client_id"]
    wait = await parts.throttles.check_client(client_id, address)
    if wait is not None:
        raise Refusal(Reason.THROTTLED, retry_after=wait)
    try:
        return await parts.issuer.token(form)
    except Refusal as refusal:
        if refusal.reason is Reason.ISSUER_CLIENT:
            wait = await parts.throttles.client_failed(client_id, address)
            if wait is not None:
                raise Refusal(Reason.THROTTLED, retry_after=wait) from None
        raise


async def _brake(parts: ElsewhereParts, address: str) -> None:
    wait = await parts.throttles.hit_authorization(address)
    if wait is not None:
        raise Refusal(Reason.THROTTLED, retry_after=wait)
