"""What the operator decided about Supabase, and which key goes into which header.

Never here: a setting's name or its checks (`authgate.settings`), nor what the project itself has
switched on (`project`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

HOSTED_FORWARD_HEADER = "Sb-Forwarded-For"


@dataclass(frozen=True, slots=True)
class SupabasePolicy:
    """`auth_url` is the root of the Auth API (`https://<ref>.supabase.co/auth/v1`).

    `forward_header` may name another header (`X-Forwarded-For`) for a self-hosted server; such a
    server believes it whatever the key. `token_issuer` is the `iss` of the project's access
    tokens where it is not `auth_url`. With `keep_session` people's sessions there are kept and
    asked with; otherwise each ends right after the sign-in. Without `social` no provider is
    offered, whatever the project says.
    """

    auth_url: str
    publishable_key: str = field(repr=False)
    secret_key: str | None = field(default=None, repr=False)
    forward_address: bool = False
    forward_header: str = HOSTED_FORWARD_HEADER
    require_aal2: bool = False
    keep_session: bool = False
    social: bool = True
    allow_autoconfirm_social: bool = False
    token_issuer: str | None = None
    refusal_floor: float = 1.0

    @property
    def forwards(self) -> bool:
        """Is a visitor's address passed on? Hosted, only an sb_secret_ key allows it."""
        if not self.forward_address:
            return False
        return self.forward_header != HOSTED_FORWARD_HEADER or is_new_secret(self.secret_key)

    @property
    def issuer(self) -> str:
        """The `iss` that the project's access tokens must have."""
        return self.token_issuer or self.auth_url

    def visitor_headers(self, address: str | None) -> dict[str, str]:
        """For a call on behalf of somebody: the key, and the one address of theirs, if it may go.

        Made from nothing each time, so that no other header of theirs (X-JWT-AUD, cookies,
        Referer, User-Agent) can get in.
        """
        known = _address(address) if self.forwards else None
        if known is None:
            return key_headers(self.publishable_key)
        if self.forward_header == HOSTED_FORWARD_HEADER and self.secret_key is not None:
            return key_headers(self.secret_key) | {self.forward_header: known}
        return key_headers(self.publishable_key) | {self.forward_header: known}


def key_headers(key: str) -> dict[str, str]:
    """The headers of a key: the JWT-shaped ones also are bearer tokens, `sb_…` keys are none."""
    if is_legacy(key):
        return {"apikey": key, "Authorization": f"Bearer {key}"}
    return {"apikey": key}


def is_legacy(key: str) -> bool:
    """A key of the old kind, a long-lived JWT."""
    return key.startswith("eyJ") and key.count(".") == 2


def is_new_secret(key: str | None) -> bool:
    """An elevated key of the new kind."""
    return key is not None and key.startswith("sb_secret_")


def _address(text: str | None) -> str | None:
    """One plain IP address, or None: a list or a name would be the visitor's own words."""
    if not text:
        return None
    try:
        return str(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None
