"""POST /webhooks/workos: what WorkOS tells us unasked. The signature is all that opens it.

Answered with 200 once it has been acted on, which is a few rows of ours and no call to anybody.
Anything else makes WorkOS tell it again, for days: right for an outage of the store, and harmless
for what it will never get through.
"""

from __future__ import annotations

from collections.abc import Callable

from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal, printable
from authgate.steps import webhooks
from authgate.steps.parts import Parts
from authgate.steps.webhooks import Told
from authgate.web.answers import Answer, json_answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request

PATH = "/webhooks/workos"

Reader = Callable[[bytes, str | None, int], Told | str]
"""The event of a body with this `WorkOS-Signature` header at this time, or why it is none."""


def endpoint(parts: Parts, read: Reader) -> Endpoint:
    """The webhook endpoint; exists only where a secret is set to `read` with."""

    async def post(request: Request) -> Answer:
        told = read(request.body, request.header(b"workos-signature"), parts.clock())
        if isinstance(told, str):
            log.warning("webhook.refused", why=told)
            raise Refusal(Reason.WEBHOOK_NOT_GENUINE, why=told)
        outcome = await webhooks.heed(parts, told)
        tell = log.debug if outcome == "ignored" else log.info
        tell("webhook.heard", told=printable(told.name), id=told.event_id, outcome=outcome)
        return json_answer(200, {})

    return Endpoint(post=post)
