"""What every long-lived socket of ours has set, on either side of the gateway."""

from __future__ import annotations

import socket

# Asked after a minute of silence, then four times more: a peer that vanished without a word (a
# machine that lost power, a network that was left) is missed within two minutes. Without this an
# idle stream to nobody would keep its place for ever.
_PROBES = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPINTVL", 15),
    ("TCP_KEEPCNT", 4),
)


def watch_peer(made: socket.socket) -> None:
    """Have the system ask a silent peer for a sign of life; what a listener accepts inherits it."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES:
        if hasattr(socket, name):  # Linux has them all
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
