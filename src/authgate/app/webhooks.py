"""The webhook endpoint where a secret is set for it, whoever issues the tokens; and what it has to
know of our own doings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from pydantic import SecretStr

from authgate.endpoints import webhooks
from authgate.observe import log
from authgate.protocol.logins import ended_by_us
from authgate.steps.parts import Parts
from authgate.steps.webhooks import Told
from authgate.store.contract import Store, StoreUnavailable
from authgate.web.request import App

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


def remembering(store: Store, clock: Callable[[], int]) -> Callable[[str], Awaitable[None]]:
    """For `WorkOS`: remember a session that we end, so that the event of it is not taken for
    somebody else's doing. Without the store the person is signed out once more, and no worse."""

    async def remember(session_id: str) -> None:
        try:
            await store.first_sight(ended_by_us(session_id), clock())
        except StoreUnavailable as trouble:
            log.warning("webhook.own_ending_forgotten", error=type(trouble).__name__)

    return remember


def _seconds(text: str) -> int | None:
    """ISO 8601, as WorkOS writes it; a time without a zone is UTC."""
    try:
        when = datetime.fromisoformat(text)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
