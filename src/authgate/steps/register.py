"""Dynamic client registration (RFC 7591): bounded, throttled, and nothing is fetched."""

from __future__ import annotations

from authgate.protocol import registration
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.records import Client
from authgate.security.digests import digest, new_identifier, new_secret
from authgate.steps.parts import Parts, audited


async def register(parts: Parts, document: object, address: str) -> dict[str, object]:
    """Register the client that `document` describes; returns the client information response.

    `document` is decoded JSON. Raises `Refusal` (RFC 7591 section 3.2.2, or throttled).
    """
    wait = await parts.throttles.hit_registration(address)
    if wait is not None:
        raise Refusal(Reason.THROTTLED, retry_after=wait)
    judged = registration.judge(
        document,
        private_schemes=parts.policy.redirect_schemes,
        offered=parts.policy.scopes,
    )
    secret = None if judged.auth_method == "none" else new_secret()
    now = parts.clock()
    client = Client(
        client_id=new_identifier("client_"),
        redirect_uris=judged.redirect_uris,
        auth_method=judged.auth_method,
        grant_types=judged.grant_types,
        response_types=judged.response_types,
        scopes=judged.scopes,
        application_type=judged.application_type,
        name=judged.name,
        metadata=judged.metadata,
        issued_at=now,
        secret_digest=None if secret is None else digest(secret),
    )
    await parts.store.register_client(
        client,
        audited(now, "client.registered", client_id=client.client_id, address=address),
    )
    return registration.answer(client, secret)
