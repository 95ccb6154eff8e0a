"""Whose address a request comes from: the peer's, unless the peer is a proxy the operator trusts.

Forwarded headers are a claim anybody can make; believed from a stranger they would defeat every
throttle. Documents never depend on them at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from authgate.web.request import Scope

Network = IPv4Network | IPv6Network


def networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and CIDR ranges as networks; raises ValueError for anything else."""
    return tuple(ip_network(name, strict=False) for name in names)


def is_from(scope: Scope, trusted: Sequence[Network]) -> bool:
    """Does the connection come from one of these?"""
    client = scope.get("client")
    return client is not None and _is_in(client[0], trusted)


def caller(scope: Scope, trusted: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy's, read from the right of X-Forwarded-For."""
    client = scope.get("client")
    peer: str = client[0] if client else "unknown"
    if not _is_in(peer, trusted):
        return peer
    claims: list[str] = []
    for key, value in scope["headers"]:
        if key == b"x-forwarded-for":
            claims.extend(part.strip() for part in value.decode("latin-1").split(","))
    for claim in reversed(claims):
        if not _is_address(claim):
            return peer
        if not _is_in(claim, trusted):
            return claim
        peer = claim
    return peer


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(text: str, trusted: Sequence[Network]) -> bool:
    if not _is_address(text):
        return False
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # how a socket for both families names an IPv4 peer
    return any(address in network for network in trusted)
