"""Which headers cross the gateway, in either direction, and under which names.

What says who is calling is ours to say: every inbound header of such a name goes, whatever its
spelling, before ours is put there. What belongs to one connection (RFC 9110 section 7.6.1) or to
the whole origin never crosses. All else passes as it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.mcp import Routing

Raw = tuple[bytes, bytes]

SESSION = b"mcp-session-id"
OURS = b"authgate"  # in the name of every header and cookie that is ours

# One connection's own, and how a body is framed on it: the next connection frames it anew, so a
# length and a transfer coding can never both arrive (request smuggling, RFC 9112 section 11.2).
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_NOT_TO_UPSTREAM = _HOP_BY_HOP | {
    # The guard took both out already; a credential is worth two locks. What the upstream is to
    # judge itself comes back by `Passage.own`.
    b"authorization",
    b"x-api-key",
    b"cookie",  # put back without ours
    b"host",  # the client library writes the upstream's
    SESSION,  # put back as the upstream knows it
    # Claims about where a request comes from and where it was going: ours are the true ones, and
    # some frameworks let the last two choose another path than the one the operator set.
    b"forwarded",
    b"x-real-ip",
    b"x-request-id",  # ours goes, which may be the one that a trusted proxy gave
    b"x-original-url",
    b"x-rewrite-url",
    # The same for the method: a POST was judged, and a POST it stays.
    b"x-http-method",
    b"x-http-method-override",
    b"x-method-override",
    # A browser's word on how its page stands to us. The guard has judged the origin; a server that
    # judged it again, against its own address, would refuse the very origins we were told to allow.
    # (What the guard has not judged comes back, see above.)
    b"origin",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"sec-fetch-user",
}
_FORWARDED = b"x-forwarded-"
_NOT_TO_CLIENT = _HOP_BY_HOP | {
    b"date",  # our listener writes one
    b"set-cookie",  # put back without ours
    SESSION,  # put back sealed
    b"x-request-id",  # ours is in every answer
    # These speak for a whole origin, which here is the authorization server's.
    b"alt-svc",
    b"clear-site-data",
    b"strict-transport-security",
    # Orders to a proxy in front of us, to answer with something else: a file of its machine, or
    # another address here. (X-Accel-Buffering passes: it says that this is a stream.)
    b"x-accel-redirect",
    b"x-lighttpd-send-file",
    b"x-sendfile",
}


class Inbound(NamedTuple):
    """A request's headers, read once.

    `passing` may go upstream. `session` is what the client sent as Mcp-Session-Id. `length` is the
    body's, as declared; None if it was not.
    """

    passing: list[tuple[str, str]]
    routing: Routing
    session: bytes | None
    length: int | None


def read(raw: Iterable[Raw]) -> Inbound:
    """Sort a request's headers (lower-case names, as ASGI has them); raises `Refusal`."""
    passing: list[tuple[str, str]] = []
    once: dict[bytes, bytes] = {}
    cookies: list[bytes] = []
    connection: list[bytes] = []
    for name, value in raw:
        passes, special = _judged(name)
        if special:
            _note(name, value, once, cookies, connection)
        if passes:
            passing.append((passes, text(value)))
    if connection:
        hidden = _named_by(connection)
        passing = [item for item in passing if item[0].encode("ascii") not in hidden]
    if cookies and (kept := without_our_cookies(cookies)):
        passing.append(("cookie", text(kept)))
    return Inbound(
        passing,
        Routing(
            version=_value(once, b"mcp-protocol-version"),
            method=_value(once, b"mcp-method"),
            name=_value(once, b"mcp-name"),
        ),
        once.get(SESSION),
        _length(once),
    )


_ONCE = frozenset((b"content-length", b"mcp-method", b"mcp-name", b"mcp-protocol-version", SESSION))
_SPECIAL = _ONCE | {b"cookie", b"connection"}


@lru_cache(maxsize=256)
def _judged(name: bytes) -> tuple[str, bool]:
    """The name under which a header passes, empty if it does not; and whether we need its value.

    Clients send the same few names again and again.
    """
    hidden = name in _NOT_TO_UPSTREAM or _is_ours_to_say(name)
    return "" if hidden else name.decode("ascii"), name in _SPECIAL


def _note(
    name: bytes,
    value: bytes,
    once: dict[bytes, bytes],
    cookies: list[bytes],
    connection: list[bytes],
) -> None:
    if name == b"cookie":
        cookies.append(value)
    elif name == b"connection":
        connection.append(value)
    elif name in once:  # two copies would let two readers read two requests
        raise Refusal(
            Reason.REQUEST_MALFORMED, why=f"the header {name.decode()} came more than once"
        )
    else:
        once[name] = value


def _is_ours_to_say(name: bytes) -> bool:
    """CGI-like servers turn `-` and `_` into the same name, so the twin is the same claim."""
    if OURS in name:
        return True
    if b"_" in name:
        plain = name.replace(b"_", b"-")
        return plain in _NOT_TO_UPSTREAM or plain.startswith((_FORWARDED, b"mcp-"))
    return name.startswith(_FORWARDED)


def _named_by(connection: Iterable[bytes]) -> frozenset[bytes]:
    """What Connection headers make one connection's own (RFC 9110 section 7.6.1)."""
    return frozenset(option.strip().lower() for value in connection for option in value.split(b","))


def without_our_cookies(headers: Iterable[bytes]) -> bytes:
    """A Cookie header of all cookies but ours; empty if none is left."""
    pairs = (pair.strip() for header in headers for pair in header.split(b";"))
    return b"; ".join(pair for pair in pairs if pair and OURS not in pair.partition(b"=")[0])


def to_client(raw: Iterable[Raw], *, has_body: bool) -> list[Raw]:
    """The headers of the upstream's answer that a client gets; `has_body`: may the status have one.

    A length passes only where it alone says how long the body is.
    """
    kept: list[Raw] = []
    lengths: list[bytes] = []
    connection: list[bytes] = []
    for spelled, value in raw:
        name = spelled.lower()
        if name not in _NOT_TO_CLIENT:
            kept.append((name, value))
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            has_body = False  # its length is not said by a header
        elif name == b"connection":
            connection.append(value)
        elif name == b"set-cookie" and not _sets_ours(value):
            kept.append((name, value))
    if connection:
        hidden = _named_by(connection)
        kept = [item for item in kept if item[0] not in hidden]
    if has_body and len(lengths) == 1 and lengths[0].isdigit():
        kept.append((b"content-length", lengths[0]))
    return kept


def _sets_ours(value: bytes) -> bool:
    """One without a name comes back as its value alone, which may look like a name and a value."""
    name, _, rest = value.partition(b";")[0].partition(b"=")
    return OURS in (name.strip() or rest)


def _length(once: dict[bytes, bytes]) -> int | None:
    value = once.get(b"content-length")
    if value is None:
        return None
    if not value.isdigit():
        raise Refusal(Reason.REQUEST_MALFORMED, why="its length is no number")
    return int(value)


def _value(once: dict[bytes, bytes], name: bytes) -> str | None:
    found = once.get(name)
    return None if found is None else text(found)


def text(value: bytes) -> str:
    """A value as the client library wants it, which writes UTF-8: the bytes that arrived go out."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refusal(Reason.REQUEST_MALFORMED, why="a header is not UTF-8") from None
