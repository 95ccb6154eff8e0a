"""POST /oauth/token: codes and refresh tokens for access tokens (RFC 6749 section 3.2)."""

from __future__ import annotations

from authgate.steps.parts import IssuingParts
from authgate.steps.token import token
from authgate.web.answers import Answer, json_answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request


def endpoint(parts: IssuingParts) -> Endpoint:
    """The token endpoint."""

    async def post(request: Request) -> Answer:
        answer = await token(
            parts, request.header(b"authorization"), request.form(), request.address
        )
        return json_answer(200, answer)

    return Endpoint(post=post, cors=True)
