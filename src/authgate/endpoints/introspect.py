"""POST /oauth/introspect: what a token is worth now (RFC 7662 section 2)."""

from __future__ import annotations

from authgate.steps.parts import IssuingParts
from authgate.steps.revoke import introspect
from authgate.web.answers import Answer, json_answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request


def endpoint(parts: IssuingParts) -> Endpoint:
    """The introspection endpoint."""

    async def post(request: Request) -> Answer:
        answer = await introspect(
            parts, request.header(b"authorization"), request.form(), request.address
        )
        return json_answer(200, answer)

    return Endpoint(post=post, cors=True)
