"""The delay between "stop" and the end: a load balancer hears it, and nobody else notices."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.cli.conftest import Operator
from tests.cli.serving import Server, running

WORKERS = [(), ("--workers", "2")]


def asked(server: Server, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port or 0, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def until_it_drains(server: Server) -> None:
    """Every worker: each new connection may come to another one."""
    ends = time.monotonic() + 10
    said = 0
    while said < 10:
        assert time.monotonic() < ends
        said = said + 1 if asked(server, "/readyz") == 503 else 0


@pytest.mark.parametrize("workers", WORKERS)
def test_it_says_so_serves_on_and_then_ends(operator: Operator, workers: tuple[str, ...]) -> None:
    operator.env["AUTHGATE_DRAIN_DELAY"] = "3"
    with running(operator, *workers) as server:
        assert asked(server, "/readyz") == 200
        began = time.monotonic()
        server.process.terminate()
        until_it_drains(server)
        while time.monotonic() - began < 2:
            assert asked(server, "/.well-known/jwks.json") == 200
            time.sleep(0.05)
        assert server.process.wait(15) == 0
        assert 2.9 < time.monotonic() - began < 9
        assert "Traceback" not in server.said
        assert "worker.killed" not in server.said


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_waiting(
    operator: Operator, workers: tuple[str, ...], again: signal.Signals
) -> None:
    operator.env["AUTHGATE_DRAIN_DELAY"] = "600"
    with running(operator, *workers) as server:
        server.process.terminate()
        until_it_drains(server)
        began = time.monotonic()
        server.process.send_signal(again)
        assert server.process.wait(15) == 0
        assert time.monotonic() - began < 9
        assert "Traceback" not in server.said
        assert "worker.killed" not in server.said


def test_a_group_that_is_told_at_once_still_waits(operator: Operator) -> None:
    """systemd and terminals tell the workers too, who hear it from their supervisor once more."""
    operator.env["AUTHGATE_DRAIN_DELAY"] = "3"
    with running(operator, "--workers", "2") as server:
        began = time.monotonic()
        os.kill(server.process.pid, signal.SIGTERM)
        for child in workers_of(server.process.pid):
            os.kill(child, signal.SIGTERM)
        until_it_drains(server)
        assert server.process.wait(15) == 0
        assert time.monotonic() - began > 2.9


def workers_of(parent: int) -> list[int]:
    from tests.cli.test_serve import workers_of as found

    return found(parent)


def test_without_a_delay_it_ends_at_once(operator: Operator) -> None:
    with running(operator) as server:
        code, seconds = server.stop()
    assert code == 0
    assert seconds < 3


def test_a_second_signal_without_a_delay_cuts_nobody_off(operator: Operator) -> None:
    """The supervisor has nothing to tell its workers then; once it ended them on the spot."""
    body = b"grant_type=authorization_code&code=x"
    head = (
        "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with running(operator, "--workers", "2") as server:
        port = urlsplit(server.url).port or 0
        with socket.create_connection(("127.0.0.1", port), timeout=10) as held:
            held.sendall(head.encode() + body[:5])
            time.sleep(0.3)
            server.process.terminate()
            time.sleep(1.2)  # the supervisor looks twice a second
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.6)
            held.sendall(body[5:])
            assert held.recv(100).startswith(b"HTTP/1.1 4")
        assert server.process.wait(15) == 0
        assert "worker.killed" not in server.said
