"""Webhooks as WorkOS sends them: milliseconds, comma and space, HMAC-SHA256 over `t.body`."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import aiohttp

from tests.standins.workos_environment import Environment


def signature(secret: str, body: bytes, at: float, *, bad: bool = False) -> str:
    """The header `WorkOS-Signature`; `at` in seconds since the epoch."""
    sent = str(int(at * 1000))
    digest = hmac.new(secret.encode(), sent.encode() + b"." + body, hashlib.sha256).hexdigest()
    if bad:
        digest = ("0" if digest[0] != "0" else "1") + digest[1:]
    return f"t={sent}, v1={digest}"


class Webhooks:
    def __init__(self, environment: Environment) -> None:
        self.environment = environment

    def make(
        self,
        event: str,
        data: dict[str, Any],
        *,
        event_id: str | None = None,
        at: float | None = None,
        secret: str | None = None,
        bad_signature: bool = False,
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a delivery, without sending it; the event is in `/events` too."""
        made = self.environment.emit(event, data, event_id)
        body = json.dumps(made, separators=(",", ":")).encode()
        at = self.environment.now() if at is None else at
        key = self.environment.webhook_secret if secret is None else secret
        header = signature(key, body, at, bad=bad_signature)
        return body, {"Content-Type": "application/json", "WorkOS-Signature": header}

    async def send(self, url: str, event: str, data: dict[str, Any], **how: Any) -> tuple[int, str]:
        """Deliver once; the status and the text that came back."""
        body, headers = self.make(event, data, **how)
        timeout = aiohttp.ClientTimeout(total=10)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(url, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()
