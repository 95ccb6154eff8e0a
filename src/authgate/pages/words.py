"""What pages call things: a client, its destination, its scopes, a time to wait.

Everything a client says about itself is a claim, and is handed to the templates as such. Never
here: HTML. Escaping is the templates' engine's, isolation of odd scripts theirs (`<bdi>`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from authgate.protocol import redirect_uris
from authgate.protocol.records import AuthorizationRequest, Client
from authgate.protocol.registration import displayable
from authgate.steps.consent import Interaction

_SCOPES = {
    "mcp:use": "Use the tools of this server on your behalf",
    "offline_access": "Stay connected when you are away",
}
_PLAIN_HOST = re.compile(r"[a-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: its own name, always shown, and plain words if we have any."""

    name: str
    words: str | None


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, for what, and where the answer goes.

    `name` is what the client calls itself, or its id if it has no name that can be shown (`named`
    tells which). `home` is the host of the web page it claims. `destination` is proven: it is the
    registered address that the answer goes to.
    """

    name: str
    named: bool
    home: str | None
    destination: str
    kind: Literal["web", "loopback", "private"]
    resource: str
    scopes: tuple[Scope, ...]


def describe(client: Client, request: AuthorizationRequest) -> Asking:
    """The request as the pages tell it."""
    name = (client.name or "").strip()
    named = bool(name) and displayable(name)
    return Asking(
        name=name if named else client.client_id,
        named=named,
        home=_home(client.metadata.get("client_uri")),
        destination=redirect_uris.shown_host(request.redirect_uri),
        kind=_kind(request.redirect_uri),
        resource=request.resource,
        scopes=tuple(Scope(name, _SCOPES.get(name)) for name in request.scopes),
    )


def asking(interaction: Interaction) -> Asking | None:
    """Who asks, as far as anybody told us: of a login's asker nobody did, and no page may guess."""
    if interaction.client is None:
        return None
    return describe(interaction.client, interaction.request)


def _kind(uri: str) -> Literal["web", "loopback", "private"]:
    """What can be at the address. A client whose addresses are all loopback is always `loopback`,
    since the one it asked for is among them; one that has others too is judged by what it asked."""
    if redirect_uris.is_loopback(uri):
        return "loopback"
    return "private" if redirect_uris.is_private_use(uri) else "web"


def _home(claimed: object) -> str | None:
    """The host of a claimed web page, if it is plain enough not to fool anybody's eye."""
    if not isinstance(claimed, str) or not claimed.lower().startswith(("http://", "https://")):
        return None
    host = redirect_uris.shown_host(claimed)
    return host if _PLAIN_HOST.fullmatch(host) else None


_CODES = {
    "totp": "Code from your authenticator app",
    "phone": "Code from the message to your phone",
    "email": "Code from the message in your mailbox",
}


def code_asked(kind: str, hint: str) -> str:
    """Which code a second factor asks for. `hint` is the end of a number or address, or empty."""
    words = _CODES.get(kind, "Code of your second factor")
    return f"{words} (…{hint})" if hint else words


def duration(seconds: int) -> str:
    """A time to wait in words, never shorter than it is."""
    if seconds < 60:
        return "1 second" if seconds <= 1 else f"{seconds} seconds"
    minutes = -(-seconds // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
