"""Resources (RFC 8707): which of ours a request means, and that a token never grows beyond it.

What was issued is always our own spelling of the identifier. What clients send differs from it in
ways that do not change the meaning (letter case of scheme and host, a default port, one slash at
the end, a query appended to an identifier that has none), so those are forgiven; anything else is
`invalid_target`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from authgate.protocol.errors import Reason, Refusal

MAX_LENGTH = 2048

_ABSOLUTE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/?#@\s]+?)(?P<port>:[0-9]{1,5})?(?P<path>/[^?#\s]*)?"
    r"(?P<query>\?[^#\s]*)?",
    re.ASCII | re.IGNORECASE,
)
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def canonical(identifier: str) -> str | None:
    """`identifier` without what does not matter when two are compared; None if it is none.

    Without its query, too: whether that matters depends on the identifier it is compared with.
    """
    match = _ABSOLUTE.fullmatch(identifier) if len(identifier) <= MAX_LENGTH else None
    if match is None:
        return None
    scheme = match["scheme"].lower()
    port = match["port"] or ""
    port = "" if port == _DEFAULT_PORT[scheme] else port
    return f"{scheme}://{match['host'].lower()}{port}{(match['path'] or '').removesuffix('/')}"


def _means(asked: str, ours: str) -> bool:
    """Does `asked` name our identifier `ours`? A query of ours is part of its name."""
    if asked == ours:
        return True
    wanted, query = canonical(asked), ours.partition("?")[2]
    same = wanted is not None and wanted == canonical(ours)
    return same and (not query or query == asked.partition("?")[2])


def choose(asked: Sequence[str], known: Sequence[str]) -> str:
    """The one of `known` that an authorization request means; the first when it names none."""
    if not asked:
        return known[0]
    if len(asked) > 1:
        raise Refusal(Reason.RESOURCE_REPEATED)
    if asked[0] in known:  # two of ours may differ in no more than a slash
        return asked[0]
    for identifier in known:
        if _means(asked[0], identifier):
            return identifier
    raise Refusal(Reason.RESOURCE_UNKNOWN, known=", ".join(known))


def stay_within(asked: Sequence[str], granted: str) -> str:
    """The resource of a token request: the granted one, named or not (RFC 8707 section 2.2)."""
    if not asked:
        return granted
    if len(asked) > 1:
        raise Refusal(Reason.RESOURCE_REPEATED)
    if not _means(asked[0], granted):
        raise Refusal(Reason.RESOURCE_BEYOND_GRANT)
    return granted
