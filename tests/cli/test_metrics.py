"""The metrics as Prometheus finds them: their own listener, one process or several."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from authgate.cli import scraping
from tests.cli.conftest import PASSWORD, Operator
from tests.cli.serving import HandClient, Server, running
from tests.cli.test_serve import workers_of


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


@contextmanager
def counted(operator: Operator, *arguments: str) -> Iterator[tuple[Server, str]]:
    """A server with metrics, and where they are."""
    bind = f"127.0.0.1:{free_port()}"
    operator.env["AUTHGATE_METRICS_BIND"] = bind
    operator.env["TMPDIR"] = str(operator.folder)
    with running(operator, *arguments) as server:
        yield server, f"http://{bind}/metrics"


def scrape(address: str) -> dict[str, float]:
    """Every line of a scrape by its name with its labels."""
    answer = httpx2.get(address, trust_env=False, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def until(address: str, name: str, wanted: float) -> dict[str, float]:
    ends = time.monotonic() + 15
    while True:
        found = scrape(address)
        if found.get(name) == wanted:
            return found
        assert time.monotonic() < ends, found
        time.sleep(0.1)


@pytest.mark.parametrize("workers", [(), ("--workers", "2")])
def test_one_scrape_tells_everything(operator: Operator, workers: tuple[str, ...]) -> None:
    operator.add()
    with counted(operator, *workers) as (server, address):
        client = HandClient(server)
        client.sign_in()
        client.refresh()
        assert client.call() == 200
        for _ in range(8):
            httpx2.get(f"{server.url}/nobody/{client.client_id}", trust_env=False)
        found = scrape(address)
        assert found['authgate_tokens_issued_total{grant_type="authorization_code"}'] == 1
        assert found['authgate_tokens_issued_total{grant_type="refresh_token"}'] == 1
        signed_in = 'authgate_sign_ins_total{directory="embedded",outcome="signed_in"}'
        assert found[signed_in] == 1
        assert found['authgate_request_seconds_count{endpoint="/oauth/token",status="2xx"}'] == 2
        assert found['authgate_request_seconds_count{endpoint="elsewhere",status="4xx"}'] == 8
        assert found['authgate_refusals_total{endpoint="elsewhere",reason="not_found"}'] == 8
        assert found['authgate_store_seconds_count{operation="redeem_code"}'] == 1
        assert any(name.startswith("authgate_build_info{") for name in found)
        age = time.time() - found["authgate_signing_key_timestamp_seconds"]
        assert 0 <= age < 120
        assert found["authgate_signing_keys"] == 1
        assert found["authgate_sweep_timestamp_seconds"] == 0  # not yet: app.steady
        told = httpx2.get(address, trust_env=False).text
        for secret in (client.client_id, client.email, PASSWORD, *map(str, client.tokens.values())):
            assert len(secret) < 8 or secret not in told
        # what everybody is served at has no such path, and this listener has no other
        assert httpx2.get(f"{server.url}/metrics", trust_env=False).status_code == 404
        other = address.replace("/metrics", "/oauth/token")
        assert httpx2.get(other, trust_env=False).status_code == 404
        server.stop()
    assert not list(operator.folder.glob("authgate-metrics-*"))


def test_a_dead_worker_leaves_its_counts_and_no_gauges(operator: Operator) -> None:
    with counted(operator, "--workers", "2") as (server, address):
        for _ in range(6):
            httpx2.get(f"{server.url}/healthz", trust_env=False)
        name = 'authgate_request_seconds_count{endpoint="/healthz",status="2xx"}'
        before = scrape(address)[name]
        folder = next(operator.folder.glob("authgate-metrics-*"))
        victim = workers_of(server.process.pid)[0]
        assert list(folder.glob(f"gauge_live*_{victim}.db"))
        os.kill(victim, signal.SIGKILL)
        ends = time.monotonic() + 20
        while list(folder.glob(f"gauge_live*_{victim}.db")):
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert scrape(address)[name] >= before


def test_the_public_port_is_refused(operator: Operator) -> None:
    port = free_port()
    operator.env["AUTHGATE_METRICS_BIND"] = f"127.0.0.1:{port}"
    done = operator.spawn("authgate.server", "--port", str(port))
    assert done.code == 1
    assert f"port {port} is the one that everybody is served at" in done.err


def test_a_taken_port_is_one_sentence(operator: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        operator.env["AUTHGATE_METRICS_BIND"] = f"127.0.0.1:{port}"
        done = operator.spawn("authgate.server", "--port", "0")
    assert done.code == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in done.err
    assert "Traceback" not in done.err


def test_an_open_door_is_said(operator: Operator) -> None:
    operator.env["AUTHGATE_METRICS_BIND"] = f"0.0.0.0:{free_port()}"
    with running(operator) as server:
        assert "metrics.public" in server.said


def test_without_the_setting_nothing_of_it_is_loaded(operator: Operator) -> None:
    with running(operator) as server:
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "prometheus" not in maps
    code = (
        "import sys; from authgate.app import build; from authgate.settings import Settings; "
        "import authgate.cli.serving; build(Settings(_env_file=None)); "
        "print([m for m in sys.modules if re.match('prometheus|opentelemetry.sdk', m)])"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", "import re; " + code],
        env={**operator.env, "HOME": str(operator.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.sub(r"\s", "", done.stdout) == "[]"


def test_half_open_scrapers_hold_nobody_up(operator: Operator) -> None:
    with counted(operator) as (server, address):
        port = int(address.rpartition(":")[2].partition("/")[0])
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        began = time.monotonic()
        assert httpx2.get(f"{server.url}/healthz", trust_env=False).status_code == 200
        assert time.monotonic() - began < 2
        for each in held:
            each.close()
        name = 'authgate_request_seconds_count{endpoint="/healthz",status="2xx"}'
        ends = time.monotonic() + 15
        while True:
            try:
                assert scrape(address)[name] >= 1
                break
            except httpx2.HTTPError:
                assert time.monotonic() < ends
                time.sleep(0.1)


def test_who_says_what_they_want_byte_by_byte_keeps_nobody_else_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scraping, "WITHIN", 1.0)
    port = free_port()
    with scraping.scraped(f"127.0.0.1:{port}", 1, port=1):
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(scraping.AT_ONCE)]
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            for connection in slow:
                with suppress(OSError):
                    connection.send(b"G")
            time.sleep(0.2)
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).status_code == 200
        for connection in slow:
            connection.close()


def test_of_a_head_without_end_no_more_is_read_than_a_head_has() -> None:
    port = free_port()
    with scraping.scraped(f"127.0.0.1:{port}", 1, port=1):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /metrics HTTP/1.0\r\n")
            with suppress(OSError):  # closed in the middle of it
                for _ in range(100):
                    connection.sendall(b"x-much: " + b"y" * 8000 + b"\r\n")
                while connection.recv(65_536):
                    pass
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).status_code == 200
