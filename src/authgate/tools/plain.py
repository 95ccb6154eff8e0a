"""The guide's plain POST: {"method": …, "params": {…}} in, {"result": …} or {"error": …} out.

For curl and for programs without an MCP client. An error has the HTTP status and the headers that
the OAuth endpoints give the same refusal, so that a proxy or a retry loop understands it unread.
Never here: the MCP SDK, whose half second this face spares.
"""

from __future__ import annotations

from authgate.protocol.errors import Reason, Refusal
from authgate.tools.contract import Toolbox
from authgate.web.answers import Answer, json_answer, refusal_headers
from authgate.web.endpoint import Endpoint
from authgate.web.request import Request


def endpoint(toolbox: Toolbox) -> Endpoint:
    """The plain face as an endpoint."""

    async def post(request: Request) -> Answer:
        asked = request.json()
        if not isinstance(asked, dict):
            raise Refusal(Reason.REQUEST_MALFORMED, why="the body is not a JSON object")
        if asked.get("method") is None:
            raise Refusal(
                Reason.TOOL_UNKNOWN,
                name="nothing (method is missing)",
                known=", ".join(toolbox.tools),
            )
        result = await toolbox.call(asked["method"], asked.get("params"), request.address)
        return json_answer(200, {"result": result})

    return Endpoint(post=post, cors=True, refuse=refuse)


def refuse(refusal: Refusal) -> Answer:
    """The plain answer to a refusal."""
    return json_answer(refusal.face.status, {"error": error_of(refusal)}, refusal_headers(refusal))


def error_of(refusal: Refusal) -> dict[str, object]:
    """A refusal as both faces tell it: the OAuth code, a sentence, and what to do."""
    error: dict[str, object] = {
        "code": refusal.code,
        "message": _named(refusal),
        "hint": refusal.hint,
    }
    if refusal.retry_after is not None:  # also here: an MCP result has no headers
        error["retry_after"] = refusal.retry_after
    return error


# The trouble that programs and their people look up under these names: a sign-in that Supabase did
# not take, or WorkOS. Nothing follows about which of e-mail address and password was wrong.
_NAMES = {"supabase": "Supabase auth failed", "workos": "WorkOS API error"}


def _named(refusal: Refusal) -> str:
    name = _NAMES.get(refusal.fields.get("directory", ""))
    sentence = refusal.sentence
    return f"{name}: {sentence[0].lower()}{sentence[1:]}" if name else sentence
