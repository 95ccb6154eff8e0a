"""The webhook endpoint where a secret is set for it, whoever issues the tokens."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import SecretStr

from authgate.endpoints import webhooks
from authgate.gateway.guard import App
from authgate.steps.parts import Parts
from authgate.steps.webhooks import Told

MAX_ID = 255


def webhook_routes(parts: Parts, setting: SecretStr | None) -> dict[str, App]:
    """Its path and what answers there; without a secret there is no such path."""
    if setting is None:
        return {}
    secret = setting.get_secret_value()
    from authgate.workos import NotGenuine, verify_webhook

    def read(body: bytes, signature: str | None, now: int) -> Told | str:
        event = verify_webhook(body, signature, secret, now)
        if isinstance(event, NotGenuine):
            return event.why
        if len(event.id) > MAX_ID or not event.id.isprintable():
            return "no event"
        return Told(event.id, event.name, _seconds(event.created_at), event.data)

    return {webhooks.PATH: webhooks.endpoint(parts, read)}


def _seconds(text: str) -> int | None:
    """ISO 8601, as WorkOS writes it; a time without a zone is UTC."""
    try:
        when = datetime.fromisoformat(text)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
