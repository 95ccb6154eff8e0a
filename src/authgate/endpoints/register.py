"""POST /oauth/register: dynamic client registration (RFC 7591 section 3)."""

from __future__ import annotations

from authgate.protocol.errors import Reason, Refusal
from authgate.steps.parts import Parts
from authgate.steps.register import register
from authgate.web.answers import Answer, json_answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request


def endpoint(parts: Parts) -> Endpoint:
    """The registration endpoint: JSON in, 201 with everything that was registered out."""

    async def post(request: Request) -> Answer:
        try:
            document = request.json()
        except Refusal as refusal:
            if refusal.reason is Reason.REQUEST_MALFORMED:
                raise Refusal(Reason.REGISTRATION_MALFORMED) from None
            raise
        return json_answer(201, await register(parts, document, request.address))

    return Endpoint(post=post, cors=True)
