"""`authgate serve` as a process: what it says, what it refuses, how it ends, what it sees."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.conftest import Operator
from tests.cli.serving import HandClient, running


def test_it_says_where_it_is_and_who_signs_people_in(operator: Operator) -> None:
    operator.env |= {"WORKOS_API_KEY": "sk_test_secret", "WORKOS_CLIENT_ID": "client_1"}
    operator.env["WORKOS_API_URL"] = "http://127.0.0.1:9"  # nobody there, and no harm in that
    with running(operator) as server:
        said = re.sub(r" +", " ", server.said)
        code, _ = server.stop()
    assert code == 0
    assert f"MCP URL {server.url}/mcp\n" in said
    assert f"store {operator.folder}/data/authgate.db\n" in said
    workos = "workos (http://127.0.0.1:9)"
    assert f"passwords → embedded\n GitHub → {workos}\n Google → {workos}\n" in said
    assert "authgate people add name@example.com" in said
    assert f"{server.url}/oauth/callback" in said
    assert "sk_test_secret" not in said
    assert "\x1b" not in said


def test_a_taken_port_is_one_sentence(operator: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = operator.spawn("authgate.server", "--port", port, "--workers", "2")
    assert (done.code, done.out) == (1, "")
    assert f"Port {port} on 127.0.0.1 is taken" in done.err
    assert done.err.count("\n") == 1


def test_an_address_that_is_not_ours(operator: Operator) -> None:
    done = operator.spawn("authgate.server", "--host", "203.0.113.1", "--port", "0")
    assert (done.code, done.out) == (1, "")
    assert "not an address of this machine" in done.err


def test_wrong_settings_are_told_together(operator: Operator) -> None:
    operator.env |= {"AUTHGATE_CODE_TTL": "soon", "AUTHGATE_WORKERS": "3", "LOG_LEVEL": "LOUD"}
    done = operator.spawn("authgate.server")
    assert (done.code, done.out) == (2, "")
    assert "3 settings are wrong; nothing was done." in done.err
    assert done.err.count("\n") == 4


def test_ctrl_c_is_no_failure(operator: Operator) -> None:
    with running(operator) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert "Traceback" not in server.said


# --- what it sees of the operator's commands ------------------------------------------------------


def test_what_the_operator_does_counts_at_once(operator: Operator) -> None:
    with running(operator) as server:
        operator.add()  # the server runs already
        client = HandClient(server)
        client.sign_in()
        assert client.call() == 200

        shown = operator.run("clients", "show", client.client_id, "--json").json
        assert [grant["person"] for grant in shown["grants"]] == ["ada@example.com"]
        assert client.tokens["refresh_token"] not in str(shown)

        assert operator.run("people", "disable", "ada@example.com").code == 0
        assert client.call() == 401
        assert operator.run("people", "enable", "ada@example.com").code == 0
        assert client.call() == 401  # what ended stays ended
        time.sleep(1.0 - time.time() % 1.0)  # no sign-in of the second of a disabling counts
        client.sign_in()
        assert client.call() == 200

        assert operator.run("clients", "remove", client.client_id, "--yes").code == 0
        assert client.call() == 401


def test_a_rotated_key_signs_within_seconds(operator: Operator) -> None:
    operator.add()
    with running(operator) as server:
        assert "no people yet" not in server.said
        client = HandClient(server)
        client.sign_in()
        before = client.kid
        new = operator.run("keys", "rotate", "--at-once", "--json").json["kid"]
        ends = time.monotonic() + 10
        while client.kid != new:
            assert time.monotonic() < ends
            time.sleep(0.3)
            client.refresh()
        assert client.call() == 200
        published = [key["kid"] for key in server.get("/.well-known/jwks.json")["keys"]]
        assert published == [new] != [before]  # a leaked key is believed no longer


# --- several workers ------------------------------------------------------------------------------


def workers_of(parent: int) -> list[int]:
    """The server processes below the supervisor (not multiprocessing's resource tracker)."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_two_workers_are_one_server(operator: Operator) -> None:
    """One flow, each half at another worker: the other one is stopped meanwhile."""
    operator.add()
    with running(operator, "--workers", "2") as server:
        first, second = workers_of(server.process.pid)
        wait_for_both(server.url, (first, second))
        client = HandClient(server)
        os.kill(second, signal.SIGSTOP)
        try:
            client.sign_in()
        finally:
            os.kill(second, signal.SIGCONT)
        os.kill(first, signal.SIGSTOP)
        try:
            assert client.call() == 200
            client.refresh()
            assert client.call() == 200
        finally:
            os.kill(first, signal.SIGCONT)
        code, seconds = server.stop()
        assert code == 0, server.said
        assert seconds < 10
        assert not any(Path(f"/proc/{worker}").exists() for worker in (first, second))
        assert "Traceback" not in server.said


def test_the_upstream_of_the_command_line_reaches_every_worker(operator: Operator) -> None:
    operator.add()
    with socket.socket() as nobody:  # bound, and never listening
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/mcp"
        with running(operator, "--workers", "2", "--upstream", url + "?key=secret") as server:
            assert re.search(rf"upstream +{re.escape(url)}\n", server.said)
            client = HandClient(server)
            client.sign_in()
            assert {client.call() for _ in range(20)} == {502}
            assert "key=secret" not in server.said
            server.stop()
    operator.env["AUTHGATE_UPSTREAM"] = "http://elsewhere.example/mcp"
    done = operator.spawn("authgate.server", "--upstream", "nonsense")
    assert (done.code, done.out) == (2, "")  # the command line goes before the environment
    assert "AUTHGATE_UPSTREAM: write the MCP server's whole address" in done.err


def wait_for_both(url: str, workers: tuple[int, int]) -> None:
    """Until either worker answers while the other is stopped."""
    for stopped in workers:
        os.kill(stopped, signal.SIGSTOP)
        try:
            parts = urlsplit(url)
            connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=20)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            os.kill(stopped, signal.SIGCONT)


def test_workers_do_not_outlive_their_parent(operator: Operator) -> None:
    with running(operator, "--workers", "2") as server:
        workers = workers_of(server.process.pid)
        server.process.kill()
        server.process.wait()
        ends = time.monotonic() + 15
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < ends
            time.sleep(0.05)


def test_half_a_request_does_not_keep_it_from_ending(operator: Operator) -> None:
    with running(operator, "--workers", "2") as server:
        port = urlsplit(server.url).port
        with socket.create_connection(("127.0.0.1", port)) as half:
            half.sendall(
                b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\nhalf"
            )
            time.sleep(0.2)
            code, seconds = server.stop()
        assert code == 0, server.said
        assert seconds < 10
        assert "Traceback" not in server.said
