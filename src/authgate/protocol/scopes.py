"""Scopes: reading a list, narrowing what is asked to what exists, never widening a grant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from authgate.protocol.errors import Reason, Refusal

OFFLINE_ACCESS = "offline_access"
MAX_LENGTH = 2048

# scope-token = 1*( %x21 / %x23-5B / %x5D-7E ), RFC 6749 section 3.3
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+", re.ASCII)


def parse(value: str | None) -> tuple[str, ...] | None:
    """The scope names of a parameter in the order asked, each once; None when there are none.

    RFC 6749 section 3.3. Surplus spaces are tolerated (clients join empty lists); any other
    character outside the grammar is `invalid_scope`.
    """
    if value is None:
        return None
    if len(value) > MAX_LENGTH:
        raise Refusal(Reason.SCOPE_MALFORMED)
    names = [name for name in value.split(" ") if name]
    if not all(_TOKEN.fullmatch(name) for name in names):
        raise Refusal(Reason.SCOPE_MALFORMED)
    return tuple(dict.fromkeys(names)) or None


def is_token(name: str) -> bool:
    """Is `name` one well-formed scope name?"""
    return bool(_TOKEN.fullmatch(name))


def grantable(asked: Iterable[str] | None, offered: Collection[str]) -> tuple[str, ...]:
    """What an authorization request may be granted: known names in our order, unknown left out.

    Nothing asked, or nothing known asked, means everything offered: clients copy scopes from
    elsewhere, and the consent page shows what is given. `offline_access` is accepted from everyone.
    """
    wanted = set(asked or ())
    ours = tuple(name for name in offered if name != OFFLINE_ACCESS)
    known = tuple(name for name in ours if name in wanted) or ours
    return (*known, OFFLINE_ACCESS) if OFFLINE_ACCESS in wanted else known


def narrowed(asked: Iterable[str] | None, granted: tuple[str, ...]) -> tuple[str, ...]:
    """The scopes of one access token at refresh: a part of the grant (RFC 6749 section 6)."""
    if asked is None:
        return granted
    wanted = tuple(asked)
    for name in wanted:
        if name not in granted:
            raise Refusal(Reason.SCOPE_BEYOND_GRANT, scope=name)
    return tuple(name for name in granted if name in wanted)
