"""The answer to `tools/list` on its way to the client, with some tools left out or a word added.

Only the answers to requests that asked for the list are opened; whatever else comes in the same
stream passes as it came and when it came, an event at a time. An answer is held until it is whole,
up to a limit; its other members, the cursor of the next page among them, stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from authgate.gateway.jsonrpc import refusal_answer
from authgate.observe import log
from authgate.protocol.errors import Reason, Refusal
from authgate.web.answers import AnswerCut, Header
from authgate.web.request import Message, Send

LIMIT = 8_388_608  # bytes of one answer

Change = Callable[[Any], Any]

_END = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE = re.compile(rb"\r\n|\r|\n")
# They speak of bytes that we change.
_OF_THE_BYTES = frozenset(
    (b"content-length", b"content-digest", b"repr-digest", b"digest", b"content-md5", b"etag")
)


class ListAnswer:
    """ASGI's `send` for a request that asked for the list: a result with tools in it is the answer,
    as no other of MCP has any. (By its id it would not always be known: some servers give a number
    back in another form.)

    `change` gives a tool as the client sees it, None for one that it does not. `private`: another
    caller would see another list. `resumed`: the request was sent before, and its answer may come
    among many others. `request_id` is for an answer of our own.
    """

    def __init__(
        self,
        send: Send,
        change: Change,
        *,
        private: bool,
        resumed: bool,
        request_id: str | int | None,
    ) -> None:
        self._send = send
        self._change = change
        self._private = private
        self._resumed = resumed
        self._request_id = request_id
        self._take: Callable[[Message], Awaitable[None]] = send
        self._start: Message = {}
        self._held = bytearray()
        self._raw = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
        else:
            await self._take(message)

    async def _begin(self, message: Message) -> None:
        kind, coded = _described(message["headers"])
        events = kind == b"text/event-stream"
        if message["status"] != 200 or (self._resumed and (coded or not events)):
            await self._send(message)
        elif coded:
            await self._unreadable("it is compressed, although that was not asked for")
        elif events:
            self._take = self._event
            await self._send({**message, "headers": _without_length(message["headers"])})
        else:  # whatever it says that it is: some clients do not look at that
            self._start, self._take = message, self._document

    # --- one JSON document ----------------------------------------------------------------------

    async def _document(self, message: Message) -> None:
        self._held += message.get("body", b"")
        if len(self._held) > LIMIT:
            await self._unreadable(f"it is larger than {LIMIT} bytes")
        elif not message.get("more_body"):
            body = self._changed(bytes(self._held))
            headers = self._start["headers"]
            if body is not None:
                length = (b"content-length", str(len(body)).encode())
                headers = [*_without_length(headers), length]
            await self._send({**self._start, "headers": headers})
            await self._send({"type": "http.response.body", "body": body or bytes(self._held)})

    async def _unreadable(self, why: str) -> None:
        """An upstream whose list cannot be opened gives none: it might show what shall be hidden.

        The rest of what it says is taken, and goes nowhere.
        """
        log.warning("tools.list_unreadable", why=why)
        self._held.clear()
        self._take = _nowhere
        answer = refusal_answer(Refusal(Reason.UPSTREAM_BROKEN), self._request_id)
        await answer.send(self._send)

    # --- a stream of events ---------------------------------------------------------------------

    async def _event(self, message: Message) -> None:
        part, more = message.get("body", b""), message.get("more_body", False)
        look_from = max(0, len(self._held) - 3)
        self._held += part
        ready = bytearray()
        while match := _END.search(self._held, look_from):
            ready += self._passed(bytes(self._held[: match.end()]))
            del self._held[: match.end()]
            look_from = 0
        if not more:  # a last event without its end is none, but some clients take it for one
            ready += self._passed(bytes(self._held))
            self._held.clear()
        elif self._raw or len(self._held) > LIMIT:
            self._too_large()
            ready += self._held[:-3]  # the rest may be the beginning of its end
            del self._held[:-3]
        if ready or not more:
            await self._send({**message, "body": bytes(ready), "more_body": more})

    def _too_large(self) -> None:
        """Let an event pass unread that is too large to be held; not one that may be the list."""
        if not self._resumed:
            log.warning("tools.list_unreadable", why=f"it is larger than {LIMIT} bytes")
            raise AnswerCut
        self._raw = True

    def _passed(self, event: bytes) -> bytes:
        if self._raw:
            self._raw = False
            return event
        if b'"tools"' not in event:
            return event
        lines = _LINE.split(event)
        data = [line for line in lines if line.startswith(b"data:")]
        body = self._changed(b"\n".join(line[5:].removeprefix(b" ") for line in data))
        if body is None:
            return event
        others = [line for line in lines if line and not line.startswith(b"data:")]
        return b"\n".join([*others, b"data: " + body, b"", b""])

    # --- what they hold -------------------------------------------------------------------------

    def _changed(self, text: bytes) -> bytes | None:
        """A message with its list changed; None if it has none, or is for the client to judge."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        messages = document if isinstance(document, list) else [document]
        changed = [self._change_message(message) for message in messages]
        return json.dumps(document, separators=(",", ":")).encode() if any(changed) else None

    def _change_message(self, message: Any) -> bool:
        result = message.get("result") if isinstance(message, dict) else None
        if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
            return False
        shown = (self._change(tool) for tool in result["tools"])
        result["tools"] = [tool for tool in shown if tool is not None]
        if self._private and result.get("cacheScope") == "public":
            result["cacheScope"] = "private"  # MCP 2026-07-28: whom a kept answer may be given to
        return True


def _described(headers: Collection[Header]) -> tuple[bytes, bool]:
    """The type of a body, and whether it is coded."""
    kind, coded = b"", False
    for name, value in headers:
        if name.lower() == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
        elif name.lower() == b"content-encoding":
            coded = value.strip().lower() != b"identity"
    return kind, coded


def _without_length(headers: Collection[Header]) -> list[Header]:
    return [item for item in headers if item[0].lower() not in _OF_THE_BYTES]


async def _nowhere(_: Message) -> None:
    """Take what nobody gets."""
