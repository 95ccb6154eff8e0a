"""MCP over HTTP, as far as anybody in between has to understand it (2026-07-28, Streamable HTTP).

A request repeats parts of its body in headers, so that whoever routes need not read the body. Who
decides on a header while the server acts on the body can be deceived, so the two must agree. Never
here: JSON as text, and what a tool does. Neighbours: `gateway.jsonrpc` and `gateway.proxy`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from authgate.protocol.errors import Reason, Refusal

STATELESS_SINCE = "2026-07-28"
LISTEN = "subscriptions/listen"  # a POST whose answer stays open, as a GET's did before

_VERSION_MEMBER = "io.modelcontextprotocol/protocolVersion"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SENTINEL = re.compile(r"=\?base64\?(.*)\?=")
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


@dataclass(frozen=True, slots=True)
class Routing:
    """What a request's headers say of its body; None where a header was not sent."""

    version: str | None = None
    method: str | None = None
    name: str | None = None

    @property
    def stateless(self) -> bool:
        """Of an era without sessions? Versions are dates, so they compare as strings."""
        version = self.version
        return version is not None and bool(_DATE.fullmatch(version)) and version >= STATELESS_SINCE

    @property
    def needs_body(self) -> bool:
        """Is there anything that the body could contradict?"""
        return self.method is not None or self.name is not None or self.stateless


@dataclass(frozen=True, slots=True)
class Call:
    """What a JSON-RPC message asks: `name` is a tool's, a prompt's, or a resource's URI.

    All None but `request_id` in an answer of the client's, and all None in a batch.
    """

    request_id: str | int | None = None
    method: str | None = None
    name: object = None
    version: object = None


def read_call(message: object) -> Call:
    """The call in a decoded message; whatever is none is empty, for the server to judge."""
    if not isinstance(message, dict):
        return Call()
    method = message.get("method")
    method = method if isinstance(method, str) else None
    parameters = message.get("params")
    if not isinstance(parameters, dict):
        parameters = {}
    meta = parameters.get("_meta")
    return Call(
        request_id=_request_id(message),
        method=method,
        name=parameters.get(_NAMED_BY[method]) if method in _NAMED_BY else None,
        version=meta.get(_VERSION_MEMBER) if isinstance(meta, dict) else None,
    )


def _request_id(message: Mapping[str, object]) -> str | int | None:
    found = message.get("id")
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def check_agreement(routing: Routing, call: Call) -> None:
    """Refuse headers that say something else than the body (Streamable HTTP, server validation).

    Only what was sent is compared: that a header is missing the server finds itself, and before
    2026-07-28 there were none.
    """
    if routing.method is not None and routing.method != call.method:
        raise Refusal(Reason.MCP_HEADER_MISMATCH, header="Mcp-Method")
    if routing.name is not None and call.name is not None and _decoded(routing.name) != call.name:
        raise Refusal(Reason.MCP_HEADER_MISMATCH, header="Mcp-Name")
    if routing.version is not None and call.version is not None and routing.version != call.version:
        raise Refusal(Reason.MCP_HEADER_MISMATCH, header="MCP-Protocol-Version")


def _decoded(value: str) -> str | None:
    """A header's value, out of its Base64 form if it has one; None if that is broken."""
    match = _SENTINEL.fullmatch(value)
    if match is None:
        return value
    try:
        return b64decode(match[1], validate=True).decode()
    except (binascii.Error, ValueError):
        return None
