"""Redirect URIs: what may be registered, and what matches what was registered.

A redirect URI is a string first: it is judged and compared character for character before any URL
type could tidy it up (RFC 9700 section 2.1, RFC 3986 section 6.2.1). The one exception is the port
of a loopback URI (RFC 8252 section 7.3), which real clients choose anew at each start; it holds for
`localhost` too, though 127.0.0.1 and localhost are never taken for one another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import AddressValueError, IPv6Address

MAX_LENGTH = 2048

# Schemes that run or read something on the person's machine instead of going somewhere.
NEVER = frozenset(
    (
        *("javascript", "data", "file", "vbscript", "blob", "about", "filesystem", "view-source"),
        *("jar", "mailto", "tel", "sms", "ws", "wss", "ftp", "intent", "chrome", "resource"),
        *("chrome-extension", "mhtml", "res"),
    )
)

_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>.+)", re.ASCII | re.DOTALL)
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?@!$&'()+,;=\[\]-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_AUTHORITY = re.compile(r"//(?P<authority>[^/?]*)(?P<tail>.*)", re.ASCII)
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_HOST = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[[0-9A-Fa-f:.]+\])" + _PORT,
    re.ASCII,
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LOOPBACK_HOST = re.compile(rf"localhost|\[::1\]|127(?:\.{_OCTET}){{3}}", re.ASCII)
_LOOPBACK = re.compile(
    rf"http://(?P<host>{_LOOPBACK_HOST.pattern}){_PORT}(?P<tail>[/?].*)?", re.ASCII
)
# Hosts whose last label is a number are IPv4 addresses to browsers, in any base and length (WHATWG
# URL 3.5); only the plain spelling says where it leads.
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)", re.ASCII)
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII)
_WEB_HOST = re.compile(r"https?://(?P<host>\[[^/?\]]*\]|[^/?:]*)", re.ASCII | re.IGNORECASE)
# Encoded separators and path parameters too: what decodes early sees a dot segment there.
_DOT_SEGMENT = re.compile(
    r"(?:^|/|%2f|%5c)(?:\.|%2e){1,2}(?:[/;]|%2f|%5c|$)", re.ASCII | re.IGNORECASE
)


class Verdict(Enum):
    """What becomes of one redirect URI in a registration."""

    ACCEPT = "accept"
    LEAVE_OUT = "leave_out"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and for a refusal what was wrong, in a few plain words."""

    verdict: Verdict
    why: str = ""


_ACCEPT = Judgement(Verdict.ACCEPT)
_LEAVE_OUT = Judgement(Verdict.LEAVE_OUT, "its private-use scheme is not allowed here")


def _refuse(why: str) -> Judgement:
    return Judgement(Verdict.REFUSE, why)


def judge(uri: str, private_schemes: Collection[str]) -> Judgement:
    """Judge one redirect URI of a registration (RFC 7591 section 2, OAuth 2.1 section 2.3.1).

    `private_schemes` are the private-use schemes the operator lists, in lower case. An unlisted one
    is left out of the registration; anything else that is wrong refuses it.
    """
    if len(uri) > MAX_LENGTH:
        return _refuse(f"it is longer than {MAX_LENGTH} characters")
    if "#" in uri:
        return _refuse("it has a fragment")
    if "*" in uri:
        return _refuse("it has a wildcard")
    match = _URI.fullmatch(uri)
    if match is None:
        return _refuse("it is not an absolute URI")
    if not _CHARACTERS.fullmatch(uri):
        return _refuse("it holds characters a URI cannot have")
    scheme, rest = match["scheme"].lower(), match["rest"]
    if scheme in NEVER:
        return _refuse(f"the scheme {scheme} is never allowed")
    if scheme in ("http", "https"):
        return _judge_web(scheme, rest)
    if _DOT_SEGMENT.search(rest.partition("?")[0]):
        return _refuse("its path has a dot segment")
    if "@" in rest.partition("?")[0]:
        return _refuse("it has user information")
    return _ACCEPT if scheme in private_schemes else _LEAVE_OUT


def _judge_web(scheme: str, rest: str) -> Judgement:
    """http and https: a real host, no user information, no dot segment, http only at home."""
    match = _AUTHORITY.fullmatch(rest)
    if match is None or not match["authority"]:
        return _refuse("it has no host")
    if "@" in match["authority"]:
        return _refuse("it has user information")
    host = _HOST.fullmatch(match["authority"])
    if host is None or not _valid_host(host["host"]) or not _valid_port(host["port"]):
        return _refuse("its host or port is malformed")
    if _DOT_SEGMENT.search(match["tail"].partition("?")[0]):
        return _refuse("its path has a dot segment")
    if scheme == "http" and not _LOOPBACK_HOST.fullmatch(host["host"]):
        return _refuse("plain http is allowed on a loopback host only")
    return _ACCEPT


def _valid_host(host: str) -> bool:
    """A name, an IPv4 address in its plain spelling, or an IPv6 address."""
    if host.startswith("["):
        return _ipv6(host) is not None
    return not _NUMERIC.fullmatch(host) or bool(_IPV4.fullmatch(host))


def _ipv6(host: str) -> IPv6Address | None:
    try:
        return IPv6Address(host[1:-1])
    except AddressValueError:
        return None


def _valid_port(port: str | None) -> bool:
    return port is None or 0 < int(port) <= 65535


def matches(asked: str, registered: Iterable[str]) -> bool:
    """Is `asked` one of `registered`: the same string, or the same but for a loopback port?

    RFC 9700 section 2.1 and RFC 8252 section 7.3. `localhost` and 127.0.0.1 are different hosts.
    """
    if len(asked) > MAX_LENGTH:
        return False
    known = tuple(registered)
    if asked in known:
        return True
    shape = _loopback_shape(asked)
    return shape is not None and any(shape == _loopback_shape(uri) for uri in known)


def _loopback_shape(uri: str) -> tuple[str, str] | None:
    """Host and everything after the port of a loopback http URI; None for any other URI."""
    match = _LOOPBACK.fullmatch(uri)
    if match is None or not _valid_port(match["port"]) or not _CHARACTERS.fullmatch(uri):
        return None
    return match["host"], match["tail"] or ""


def is_loopback(uri: str) -> bool:
    """Does this URI lead to the person's own machine (so that any program there can listen)?

    Wider than the port rule on purpose: however scheme and host are spelled, https included, the
    person is warned and asked alike.
    """
    match = _WEB_HOST.match(uri)
    if match is None:
        return False
    host = match["host"].lower()
    if host.startswith("["):
        address = _ipv6(host)
        return address is not None and (address.ipv4_mapped or address).is_loopback
    return host.endswith(".localhost") or bool(_LOOPBACK_HOST.fullmatch(host))


def is_private_use(uri: str) -> bool:
    """Does this URI open whatever application claimed its scheme (RFC 8252 section 8.4)?"""
    return uri.partition(":")[0].lower() not in ("http", "https")


def shown_host(uri: str) -> str:
    """What the consent page calls the destination: host and port, or an application's scheme."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in ("http", "https"):
        return scheme.lower() + ":"
    return re.split("[/?]", rest.removeprefix("//"), maxsplit=1)[0].lower()


def consent_host(uri: str) -> str:
    """The destination a consent is remembered for: `shown_host` without a loopback URI's port."""
    shape = _loopback_shape(uri)
    return shape[0] if shape else shown_host(uri)
