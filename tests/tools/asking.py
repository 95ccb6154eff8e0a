"""Calling an ASGI application in-process: one request, one answer, no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from authgate.web.request import Message, Scope

JSON_TYPE = (b"content-type", b"application/json")


@dataclass(frozen=True)
class Heard:
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """The header's value; a test that asks for one of several has a bug."""
        found = [value for key, value in self.headers if key.decode().lower() == name]
        assert len(found) <= 1, (name, found)
        return found[0].decode() if found else None


def scope_of(
    method: str = "POST", headers: Iterable[tuple[bytes, bytes]] = (), **more: Any
) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": "/api/mcp",
        "raw_path": b"/api/mcp",
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("192.0.2.7", 40_000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


async def ask(app: Any, scope: Scope, *chunks: bytes) -> Heard:
    """Send one request; its body in `chunks`."""
    last = len(chunks) - 1
    pending: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": index != last}
        for index, chunk in enumerate(chunks)
    ] or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not pending:
            await asyncio.Event().wait()  # the caller stays and listens
        return pending.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent, "no answer at all"
    start, *rest = sent
    body = b"".join(message.get("body", b"") for message in rest)
    return Heard(start["status"], list(start["headers"]), body)


async def post(app: Any, document: object, *headers: tuple[bytes, bytes], **more: Any) -> Heard:
    """POST `document` as JSON."""
    return await ask(
        app, scope_of("POST", [JSON_TYPE, *headers], **more), json.dumps(document).encode()
    )
