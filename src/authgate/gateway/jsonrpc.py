"""JSON-RPC in and out: the call in a body, and a refusal in the form MCP clients read."""

from __future__ import annotations

from typing import Any

import orjson

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import Call, read_call
from authgate.web.answers import Answer, json_answer, refusal_headers

INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603
# The specifications' own; whatever else is refused is the request's fault below 500, ours above.
_CODES = {
    Reason.MCP_BODY_MALFORMED: -32700,  # JSON-RPC 2.0 section 5.1
    Reason.MCP_HEADER_MISMATCH: -32020,  # MCP 2026-07-28, Streamable HTTP, server validation
}


def parse(body: bytes) -> Call:
    """The call in a body; raises `Refusal` for what is no JSON."""
    try:
        return read_call(orjson.loads(body))
    except orjson.JSONDecodeError:
        raise Refusal(Reason.MCP_BODY_MALFORMED) from None


def request_id(body: bytes | None) -> str | int | None:
    """The id to answer with; None where there is none to be had."""
    if not body:
        return None
    try:
        return parse(body).request_id
    except Refusal:
        return None


def refusal_answer(refusal: Refusal, answered: str | int | None) -> Answer:
    """A refusal as a JSON-RPC error with our code and hint as its data."""
    document = {"jsonrpc": "2.0", "id": answered, "error": error_of(refusal)}
    return json_answer(refusal.face.status, document, refusal_headers(refusal))


def error_of(refusal: Refusal) -> dict[str, Any]:
    """The error in it."""
    server_fault = refusal.face.status >= 500
    code = _CODES.get(refusal.reason, INTERNAL_ERROR if server_fault else INVALID_REQUEST)
    return {
        "code": code,
        "message": refusal.sentence,
        "data": {"error": refusal.code, "hint": refusal.hint},
    }
