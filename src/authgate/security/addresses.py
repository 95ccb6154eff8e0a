"""E-mail and network addresses as keys: which spellings are one and the same.

`fold_email` is for the throttles and the embedded directory, which must agree: or a spelling that
the directory takes for the same person would have throttle counters of its own. `same_address` is
for where an address of another service joins accounts, and a look-alike would be somebody else.
"""

from __future__ import annotations

import ipaddress
import unicodedata

MAX_EMAIL = 320  # 64 + "@" + 255, RFC 5321 section 4.5.3.1
_MAX_ADDRESS = 64


def fold_email(text: str) -> str:
    """The form in which two spellings of an e-mail address are compared.

    NFC and not NFKC: RFC 6532 section 3.1 asks for the one (a keyboard may send a letter and its
    accent apart) and advises against the other, which would make different mailboxes one. The
    local part may be case-sensitive by RFC 5321 and never is to people. Folding can undo NFC, so
    it is done again.
    """
    folded = unicodedata.normalize("NFC", text.strip()).casefold()
    return unicodedata.normalize("NFC", folded)


def same_address(one: str, other: str) -> bool:
    """Letter case aside, for plain letters alone: others have forms that are plain (the Kelvin sign
    becomes `k`, `ß` becomes `ss`), and would make two people's addresses one."""
    if one.isascii() and other.isascii():
        return one.lower() == other.lower()
    return one == other


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 /64.

    A household or a rented server has a whole /64 and could use each of its addresses once
    (RFC 6177); an IPv4 address written as IPv6 is that IPv4 address (RFC 4291 section 2.5.5.2).
    Anything that is no address (a test's transport, a Unix socket) counts as itself.
    """
    if ":" not in address:
        return address[:_MAX_ADDRESS]
    try:
        parsed = ipaddress.IPv6Address(address[:_MAX_ADDRESS].partition("%")[0])
    except ValueError:
        return address[:_MAX_ADDRESS]
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:8].hex() + "/64"
