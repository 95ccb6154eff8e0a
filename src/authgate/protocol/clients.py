"""Client authentication at the back-channel endpoints (RFC 6749 2.3, OAuth 2.1 section 2.4).

What a client may register is in `registration`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from authgate.protocol.digests import same_digest
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import Parameters
from authgate.protocol.records import AuthenticatedClient, AuthMethod, Client

BASIC_CHALLENGE = 'Basic realm="authgate"'


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client presented. `method` is the way it was presented, not the registered one."""

    client_id: str
    method: AuthMethod
    secret: str | None = field(default=None, repr=False)

    @property
    def challenge(self) -> str | None:
        """The challenge a failure must carry: only for a client that used the header."""
        return BASIC_CHALLENGE if self.method == "client_secret_basic" else None


def read_credentials(authorization: str | None, form: Parameters) -> Credentials:
    """Read how a client identifies itself: header or body, never both (RFC 6749 section 2.3)."""
    body_id, body_secret = form.get("client_id"), form.get("client_secret")
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        if body_secret is not None:
            raise Refusal(Reason.CLIENT_AUTH_TWICE)
        client_id, secret = _read_basic(encoded)
        if body_id is not None and body_id != client_id:
            raise Refusal(Reason.CLIENT_AUTH_TWICE)
        return Credentials(client_id, "client_secret_basic", secret)
    if body_id is None:
        raise Refusal(Reason.CLIENT_MISSING)
    if body_secret is not None:
        return Credentials(body_id, "client_secret_post", body_secret)
    return Credentials(body_id, "none")


def _read_basic(encoded: str) -> tuple[str, str]:
    """Both halves of HTTP Basic, form-urldecoded as RFC 6749 section 2.3.1 asks."""
    try:
        text = b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        client_id = unquote_plus(client_id, errors="strict")
        if not colon or not client_id or "\0" in client_id:
            raise ValueError
        return client_id, unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise Refusal(Reason.CLIENT_AUTH_MALFORMED, www_authenticate=BASIC_CHALLENGE) from None


def authenticate(credentials: Credentials, client: Client | None) -> AuthenticatedClient:
    """The proven client, or the refusal. A client must use the method it registered.

    Public clients (`none`) are identified only; what binds their requests is PKCE, the redirect
    URI and refresh token rotation (OAuth 2.1 section 2.4).
    """
    challenge = credentials.challenge
    if client is None:
        raise Refusal(Reason.CLIENT_UNKNOWN, www_authenticate=challenge)
    if credentials.method != client.auth_method:
        raise Refusal(
            Reason.CLIENT_AUTH_METHOD,
            registered=client.auth_method,
            used=credentials.method,
            www_authenticate=challenge,
        )
    if client.auth_method == "none":
        return AuthenticatedClient(client)
    kept = client.secret_digest
    if kept is None or credentials.secret is None or not same_digest(credentials.secret, kept):
        raise Refusal(Reason.CLIENT_SECRET_WRONG, www_authenticate=challenge)
    return AuthenticatedClient(client)


def require_grant_type(authenticated: AuthenticatedClient, grant_type: str) -> None:
    """A client may only use the grant types it registered (RFC 6749 section 5.2)."""
    if grant_type not in authenticated.client.grant_types:
        raise Refusal(Reason.CLIENT_GRANT_NOT_ALLOWED, grant=grant_type)
