"""A peer that vanishes is missed: on what is accepted, and on what is connected."""

from __future__ import annotations

import socket

from authgate.cli.listening import listen
from tests.gateway.proxying import in_front_of
from tests.standins.upstream import RawUpstream


def watched(found: socket.socket) -> bool:
    idle = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    return found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1 and idle == 60


def test_what_a_listener_accepts() -> None:
    with listen("127.0.0.1", 0) as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
        with accepted:
            assert watched(accepted)


async def test_what_leads_to_the_upstream(monkeypatch) -> None:
    made: list[socket.socket] = []
    plain = socket.socket

    class Noted(plain):
        def __init__(self, *arguments, **more) -> None:
            super().__init__(*arguments, **more)
            made.append(self)

    async with RawUpstream() as upstream, in_front_of(upstream.url) as http:
        monkeypatch.setattr("authgate.gateway.upstream.socket.socket", Noted)
        assert (await http.post("/mcp", json={})).status_code == 200
        monkeypatch.undo()
        assert any(watched(one) for one in made if one.fileno() != -1)
