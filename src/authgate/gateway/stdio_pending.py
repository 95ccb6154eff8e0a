"""A session's calls that its program has not answered, and which of them a message is about."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mcp_types import JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId


@dataclass(slots=True)
class Pending:
    """A client's request without an answer yet. `timer` runs until the program says something."""

    id: RequestId
    method: str
    token: str | None
    timer: asyncio.TimerHandle


class Underway:
    """Pending requests by their id as a string: `1` and `"1"` are one to the SDKs."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    def add(self, request: JSONRPCRequest, timer: asyncio.TimerHandle) -> None:
        self._pending[str(request.id)] = Pending(request.id, request.method, _token(request), timer)

    def get(self, key: str) -> Pending | None:
        return self._pending.get(key)

    def pop(self, key: str) -> Pending | None:
        """It is answered, or will not be."""
        pending = self._pending.pop(key, None)
        if pending is not None:
            pending.timer.cancel()
        return pending

    def all(self) -> list[str]:
        """The keys of all of them, as they are now."""
        return list(self._pending)

    def clear(self) -> None:
        for key in self.all():
            self.pop(key)

    def about(self, message: JSONRPCMessage, *, listens: bool) -> Pending | None:
        """The call that a message of the program belongs to, as far as that can be told.

        Progress names it. All else belongs to the only call, if there is one only; with more it
        goes to the stream that listens, and where none does to the newest.
        """
        if isinstance(message, JSONRPCNotification) and message.method == "notifications/progress":
            token = _named((message.params or {}).get("progressToken"))
            for pending in self._pending.values():
                if token is not None and pending.token == token:
                    return pending
        calls = list(self._pending.values())
        return calls[-1] if calls and (len(calls) == 1 or not listens) else None


def _token(request: JSONRPCRequest) -> str | None:
    meta = (request.params or {}).get("_meta")
    return _named(meta.get("progressToken")) if isinstance(meta, dict) else None


def _named(token: object) -> str | None:
    return str(token) if isinstance(token, str | int) else None
