"""Who is calling, as the upstream may be told: nothing, plain headers, or a token made for it.

Never the token that the client sent: it is for authgate, and whoever else holds it could use it
(MCP authorization, token passthrough).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from secrets import token_urlsafe
from typing import Protocol
from urllib.parse import quote

import orjson

from authgate.gateway.caller import Caller

Headers = Sequence[tuple[str, str]]

TOKEN_TYPE = "authgate-upstream+jwt"  # noqa: S105 - a media type; no verifier of at+jwt takes it
TOKEN_SECONDS = 60
REUSE_SECONDS = 30  # so that the upstream always has half a minute left to look at it
MAX_REMEMBERED = 4096

_VISIBLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class Identity(Protocol):
    """One way to tell."""

    def headers(self, caller: Caller) -> Headers:
        """What is added to a request of `caller`."""


class Nothing:
    """The upstream need not know."""

    def headers(self, caller: Caller) -> Headers:
        return ()


class Plain:
    """Headers, for an upstream that only the gateway can reach."""

    def headers(self, caller: Caller) -> Headers:
        said = (
            ("X-Authgate-Subject", caller.sub),
            ("X-Authgate-Client", caller.client_id),
            ("X-Authgate-Scopes", " ".join(caller.scopes)),
            ("X-Authgate-Display", caller.display),
        )
        return [(name, _shown(value)) for name, value in said if value]


@lru_cache(maxsize=MAX_REMEMBERED)
def _shown(value: str) -> str:
    """Visible ASCII as it is, all else and % percent-encoded UTF-8; identifiers need none of it."""
    return quote(value, safe=_VISIBLE, errors="replace").strip(" ")


class Signed:
    """A token of our issuer for the upstream alone, which checks it with our published keys.

    One serves a person's calls through one client for half a minute: a signature costs a quarter of
    what the rest of a call does (with RSA twice as much as the rest).
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        sign: Callable[[str, bytes, int], str],
        clock: Callable[[], int],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._sign = sign
        self._clock = clock
        self._made: OrderedDict[tuple[str, str, tuple[str, ...]], tuple[int, str]] = OrderedDict()

    def headers(self, caller: Caller) -> Headers:
        key = (caller.sub, caller.client_id, caller.scopes)
        now = self._clock()
        made_at, token = self._made.get(key, (0, ""))
        if not 0 <= now - made_at < REUSE_SECONDS:
            token = self._make(caller, now)
            self._made[key] = (now, token)
            if len(self._made) > MAX_REMEMBERED:
                self._made.popitem(last=False)
        return (("X-Authgate-Token", token),)

    def _make(self, caller: Caller, now: int) -> str:
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": caller.sub,
            "aud": self._audience,
            "scope": " ".join(caller.scopes),
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "jti": token_urlsafe(16),
        }
        if caller.client_id:
            claims["client_id"] = caller.client_id
        return self._sign(TOKEN_TYPE, orjson.dumps(claims), now)
