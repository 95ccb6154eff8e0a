"""What a request shows as its credential, told without proof: by who says it issued it.

A token that names our issuer is ours, also when it is expired or forged: a wrong guess in that
direction keeps a stranger's token from the upstream, a wrong guess in the other hands a good one of
ours on. So ours are looked for in every scheme and place where a client may have put one. Never
here: whether it is any good (`guard`, `legacy`).
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

import orjson

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.rollout import Kind
from authgate.web.request import Scope

AUTHORIZATION, X_API_KEY = b"authorization", b"x-api-key"
_CREDENTIALS = (AUTHORIZATION, X_API_KEY)
KEY_PREFIX = "agk_"
_WHENCE = frozenset(
    (b"origin", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user")
)

_PIECE = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)
# Not in the middle of a word: a long token of somebody else's may well hold these four characters.
_KEY = re.compile(r"(?<![A-Za-z0-9_-])agk_[A-Za-z0-9_-]*", re.ASCII)
_SECRET = re.compile(r"(?<![A-Za-z0-9_.~+/-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_.~+/-])", re.ASCII)
_LOOKED_UP = 4  # at most, of one request
_STAYS = (Kind.OURS, Kind.API_KEY)

Raw = tuple[bytes, bytes]
_Told = tuple[Kind, str, str, int]  # the first four members of `Presented`
_NOTHING: _Told = (Kind.NONE, "", "", 0)


@dataclass(frozen=True, slots=True)
class Presented:
    """`value` is the credential itself, of an unknown kind only if it may be a key of its own.

    `claimed` is whom a token says it speaks for: no proof of anything. `own` are the headers with
    credentials that are not ours, `whence` a browser's word on where its page stands.
    """

    kind: Kind
    value: str = field(default="", repr=False)
    claimed: str = ""
    expires_at: int = 0
    own: tuple[Raw, ...] = field(default=(), repr=False)
    whence: tuple[Raw, ...] = ()

    @property
    def may_be_refresh_tokens(self) -> tuple[str, ...]:
        """Ours have no mark of their own, only a shape; the store knows them."""
        if not self.own:
            return ()
        texts = (_readable(value) for _, value in self.own)
        found = dict.fromkeys(match for text in texts for match in _SECRET.findall(text))
        return tuple(found)[:_LOOKED_UP]

    def without(self, secret: str) -> Presented:
        """The same without a refresh token of ours, which is a bad credential of ours wherever it
        is the only one, or the one that counts."""
        own = tuple(item for item in self.own if secret not in _readable(item[1]))
        counts = self.kind is Kind.UNKNOWN and (self.value == secret or not own)
        return replace(self, kind=Kind.OURS if counts else self.kind, own=own)


@dataclass(frozen=True, slots=True)
class Credentials:
    """`ours` are the issuers whose tokens are ours, `supabase` is the project's, if any."""

    ours: frozenset[str]
    supabase: str | None = None

    def read(self, scope: Scope) -> Presented:
        """The credential of a request; raises `Refusal` where two claim to be it."""
        own, whence, authorization, key = [], [], None, None
        for name, value in scope["headers"]:
            if name == AUTHORIZATION:
                if authorization is not None:
                    raise Refusal(
                        Reason.REQUEST_MALFORMED, why="the header authorization came twice"
                    )
                authorization = self._told(value)
                if authorization[0] not in _STAYS:
                    own.append((name, value))
            elif name == X_API_KEY:
                key = self._told(b"Bearer " + value) if value.strip() else _NOTHING
                if key[0] not in _STAYS:
                    own.append((name, value))
            elif name in _WHENCE:
                whence.append((name, value))
        return Presented(*_first(authorization, key), tuple(own), tuple(whence))

    def headers_without_ours(self, headers: Iterable[Raw]) -> list[Raw]:
        """Headers without those that credentials stand in, and without any other that a token of
        ours was put in as well; of cookies, without that cookie."""
        others = [item for item in headers if item[0] not in _CREDENTIALS]
        # Nearly always the answer is no, and one look at all of them costs the least.
        together = b"\n".join([value for _, value in others])
        if b"eyJ" not in together and b"agk_" not in together:
            return others
        kept: list[Raw] = []
        for name, value in others:
            if not self._holds_ours(value):
                kept.append((name, value))
            elif name == b"cookie":
                pairs = (pair.strip() for pair in value.split(b";"))
                kept.append((name, b"; ".join(x for x in pairs if not self._holds_ours(x))))
        return kept

    def query_without_ours(self, query: bytes) -> bytes:
        """A query string without any token of ours, wherever it stands in it."""
        if not query:
            return query
        kept = [
            pair
            for pair in query.split(b"&")
            if not any(self._holds_ours(unquote_to_bytes(part)) for part in pair.split(b"=", 1))
        ]
        return b"&".join(kept)

    def _holds_ours(self, value: bytes) -> bool:
        return self._told(b"Bearer " + value)[0] in _STAYS

    def _told(self, header: bytes) -> _Told:
        """What an Authorization header holds; the scheme matters to others' tokens only."""
        text = header.decode("latin-1")
        if not text.strip():
            return _NOTHING
        scheme, _, rest = text.partition(" ")
        bearer = scheme.lower() == "bearer"
        rest = rest.strip(" ")
        pieces: Iterable[str] = (rest,)
        if not bearer or not _PIECE.fullmatch(rest):
            pieces = _PIECE.findall(text + " " + _basic(rest))
        found: _Told = Kind.UNKNOWN, rest if bearer else "", "", 0
        for piece in pieces:
            told = self._piece(piece)
            if told[0] in _STAYS:
                return told
            if bearer and told[0] is Kind.SUPABASE and piece == rest:
                found = told
        return found

    def _piece(self, piece: str) -> _Told:
        if KEY_PREFIX in piece and (key := _KEY.search(piece)):
            return Kind.API_KEY, key[0], "", 0
        claims = _unverified_claims(piece)
        issuer = claims.get("iss")
        if issuer in self.ours:
            kind = Kind.OURS
        elif issuer is not None and issuer == self.supabase:
            kind = Kind.SUPABASE
        else:
            return Kind.UNKNOWN, piece, "", 0
        sub, expires_at = claims.get("sub"), claims.get("exp")
        return (
            kind,
            piece,
            sub if isinstance(sub, str) else "",
            int(expires_at) if isinstance(expires_at, int | float) else 0,
        )


def _first(authorization: _Told | None, key: _Told | None) -> _Told:
    """What counts where a request shows two: what is ours, then what stands in Authorization. A
    header with nothing in it shows nothing."""
    if key is None or key[0] is Kind.NONE:
        return authorization or _NOTHING
    if authorization is None or authorization[0] is Kind.NONE:
        return key
    if authorization[0] is not Kind.OURS and key[0] in _STAYS:
        return authorization if authorization[0] is Kind.API_KEY is key[0] else key
    return authorization


def _unverified_claims(token: str) -> dict[str, object]:
    """What a token says, in any spelling that some reader may take: nothing here is proof."""
    parts = token.split(".")
    if len(parts) < 3:
        return {}
    try:
        value = orjson.loads(urlsafe_b64decode(parts[1] + "=="))
    except ValueError:
        return {}
    return _hashable(value) if isinstance(value, dict) else {}


def _hashable(claims: dict[str, object]) -> dict[str, object]:
    """An `iss` that is no string is nobody's, and must not be looked up in a set."""
    if not isinstance(claims.get("iss"), str):
        claims["iss"] = None
    return claims


def _basic(encoded: str) -> str:
    """The user name and password of Basic authentication, if that is what it is."""
    try:
        return b64decode(encoded).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _readable(header: bytes) -> str:
    """A header, and what it says if it is Basic authentication."""
    text = header.decode("latin-1")
    return text + " " + _basic(text.rpartition(" ")[2])
