"""Proving the client at the token, revocation and introspection endpoints, throttled."""

from __future__ import annotations

from authgate.protocol import clients
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthenticatedClient
from authgate.steps.parts import Parts, audited


async def authenticate(
    parts: Parts, authorization: str | None, form: Parameters, address: str
) -> AuthenticatedClient:
    """The client that sent this form; raises `Refusal` (RFC 6749 section 5.2, invalid_client).

    Wrong secrets are throttled per client and address, so that nobody can lock a client out from
    elsewhere.
    """
    form.refuse_repeated()
    credentials = clients.read_credentials(authorization, form)
    client = await parts.store.client(credentials.client_id)
    # Judged first, since comparing a digest costs nothing, and told only if the throttle lets it be
    # told: counting a wrong one is one step, so a burst of them, on many nodes, cannot pass it.
    try:
        proven = clients.authenticate(credentials, client)
    except Refusal as refusal:
        if refusal.reason is Reason.CLIENT_SECRET_WRONG:
            wait = await parts.throttles.client_failed(credentials.client_id, address)
            if wait is not None:
                raise Refusal(Reason.THROTTLED, retry_after=wait) from None
            await parts.store.record(
                audited(
                    parts.clock(),
                    "client.authentication",
                    "refused",
                    client_id=credentials.client_id,
                    address=address,
                )
            )
        raise
    if credentials.secret is not None:
        wait = await parts.throttles.check_client(credentials.client_id, address)
        if wait is not None:
            raise Refusal(Reason.THROTTLED, retry_after=wait)
    return proven
