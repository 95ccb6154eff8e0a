"""Who is calling the MCP server, as the guard established it: all that anything behind it may know.

The token itself is not here, on purpose: what is not handed on cannot leak or be replayed upstream
(MCP authorization, token passthrough). Neighbours: `guard` makes one, `example` and proxies read it
from `scope["authgate.caller"]`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A person and the client acting for them; `expires_at` in seconds since the epoch.

    `sub` is the person's own identifier, whoever issued the token. `client_id` and `grant_id` are
    empty where an issuer elsewhere does not tell them.
    """

    sub: str
    client_id: str
    scopes: tuple[str, ...]
    grant_id: str
    display: str
    expires_at: int
