"""The last messages of a session, so that a client whose stream broke off can have them again.

`Last-Event-ID` (MCP 2025-11-25, Streamable HTTP, resumability). A store for each session: an
identifier means nothing in anybody else's. What is too old is forgotten, and its client goes on
with what comes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage, jsonrpc_message_adapter

COUNT = 256
SIZE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class _Event:
    number: int
    stream: str
    message: bytes  # empty for the one that only begins a stream


class Events(EventStore):
    """At most `COUNT` messages and `SIZE` bytes of them, the newest."""

    def __init__(self) -> None:
        self._events: deque[_Event] = deque()
        self._size = 0
        self._last = 0

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """The SDK's: keep a message of a stream, and name it."""
        said = b""
        if message is not None:
            said = message.model_dump_json(by_alias=True, exclude_unset=True).encode()
        self._last += 1
        self._events.append(_Event(self._last, stream_id, said))
        self._size += len(said)
        while len(self._events) > COUNT or self._size > SIZE:
            self._size -= len(self._events.popleft().message)
        return str(self._last)

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """The SDK's: say again what came after an event on its stream, and which that is."""
        known = {str(event.number): event for event in self._events}
        last = known.get(last_event_id)
        if last is None:
            return None
        for event in list(self._events):
            if event.stream == last.stream and event.number > last.number and event.message:
                message = jsonrpc_message_adapter.validate_json(event.message, by_name=False)
                await send_callback(EventMessage(message, str(event.number)))
        return last.stream
