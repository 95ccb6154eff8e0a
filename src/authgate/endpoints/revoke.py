"""POST /oauth/revoke: a client hands a token back (RFC 7009 section 2)."""

from __future__ import annotations

from authgate.steps.parts import IssuingParts
from authgate.steps.revoke import revoke
from authgate.web.answers import NO_STORE, Answer
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request


def endpoint(parts: IssuingParts) -> Endpoint:
    """The revocation endpoint: 200 with an empty body, for unknown tokens too."""

    async def post(request: Request) -> Answer:
        await revoke(parts, request.header(b"authorization"), request.form(), request.address)
        return Answer(200, b"", [*NO_STORE])

    return Endpoint(post=post, cors=True)
