"""The listening socket, taken before anything else is started; trouble is one clear sentence."""

from __future__ import annotations

import errno
import socket

from authgate.cli.common import fail
from authgate.web.sockets import watch_peer

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections from now on; the server answers them once it is up."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        fail(f"--host {host} is not an address to listen on ({error.strerror}).")
    try:
        # A restarted server must not wait for the last connections' TIME_WAIT; Linux still refuses
        # a port that somebody listens on.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        watch_peer(listener)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        fail(_why(error, host, port))
    return listener


def _why(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            other = port + 1 if port < 65535 else 8000
            return (
                f"Port {port} on {host} is taken by another program. "
                f"Stop it, or choose another port: authgate serve --port {other}"
            )
        case errno.EACCES:
            return (
                f"This user may not listen on port {port}. Choose one above 1023 and put a "
                f"reverse proxy before it: authgate serve --port 8000"
            )
        case errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine; see --host."
        case _:
            return f"Cannot listen on {host}, port {port}: {error.strerror}."
