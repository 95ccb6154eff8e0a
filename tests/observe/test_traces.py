"""The spans of a whole story at a real receiver: what is in them, and what must not be."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from tests.cli.conftest import Operator
from tests.cli.serving import HandClient
from tests.cli.serving import running as running_server
from tests.endpoints.project import ANA, PASSWORD, quick
from tests.live import LiveServer
from tests.observe.story import Story
from tests.observe.test_leaks import beside
from tests.pages.abroad import OCTO
from tests.standins.collector import Collector, attributes, collecting
from tests.standins.running import running
from tests.standins.supabase import SupabaseStandin

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def project() -> Iterator[SupabaseStandin]:
    with running(quick()) as standin:
        standin.state.add_user(ANA, PASSWORD)
        standin.state.provider_people["github"].append(OCTO)
        yield standin


def until(said: Callable[[], bool]) -> None:
    ends = time.monotonic() + 15
    while not said():
        assert time.monotonic() < ends
        time.sleep(0.05)


async def test_the_spans_of_a_whole_story(project: SupabaseStandin) -> None:
    with collecting() as collector:
        exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **QUICK}
        with beside(project, **exporter) as server:
            story = Story(server.url)
            await story.tell()
            assert server.stop() == 0  # what is left is sent at the end
    named = {span.name for span in collector.spans}
    assert {"POST /oauth/token", "POST /oauth/sign-in", "GET /oauth/authorize"} <= named
    assert {"POST /mcp", "store.redeem_code", "store.rotate_refresh_token", "supabase"} <= named
    assert collector.resource["service.name"] == "authgate"
    by_id = {span.span_id: span for span in collector.spans}
    for span in collector.spans:
        if span.parent_span_id:
            parent = by_id[span.parent_span_id]
            assert (parent.kind, parent.trace_id) == (2, span.trace_id)
    roots = [span for span in collector.spans if span.kind == 2]
    assert len(roots) >= len(story.answers)
    refused = [attributes(span).get("authgate.reason") for span in roots]
    assert {"sign_in_wrong", "pkce_failed", "token_query"} & set(refused)
    statuses = {attributes(span)["http.response.status_code"] for span in roots}
    assert {200, 303, 400, 401} <= statuses
    ids = {attributes(span)["authgate.request_id"] for span in roots}
    assert {answer.headers["x-request-id"] for answer in story.answers} <= ids
    known = {"http.request.method", "http.route", "http.response.status_code"}
    known |= {"authgate.request_id", "authgate.reason"}
    assert {name for span in collector.spans for name in attributes(span)} <= known
    text = collector.raw.decode("latin-1")
    assert not story.leaked(text)
    assert "?" not in "".join(str(attributes(span)) for span in collector.spans)
    # third parties are told nothing of our traces
    assert not [seen for seen in project.gate.seen if "traceparent" in _headers(seen)]


def _headers(seen: object) -> str:
    return str(getattr(seen, "headers", "")).lower()


@pytest.mark.parametrize(("trusted", "joined"), [("127.0.0.1", True), ("203.0.113.1", False)])
def test_only_a_trusted_proxy_begins_a_trace(trusted: str, joined: bool) -> None:
    with collecting() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "AUTHGATE_TRUSTED_PROXIES": trusted,
            **QUICK,
        }
        with LiveServer(people=(), env=env) as server:
            headers = {"traceparent": TRACE}
            httpx2.get(server.url + "/healthz", headers=headers, trust_env=False)
            until(lambda: bool(_named(collector, "GET /healthz")))
    (span,) = _named(collector, "GET /healthz")
    assert (span.trace_id.hex() == TRACE.split("-")[1]) is joined


def _named(collector: Collector, name: str) -> list[Any]:
    return [span for span in collector.spans if span.name == name]


def test_a_password_hash_is_a_part_of_its_request(operator: Operator) -> None:
    operator.add()
    with collecting() as collector:
        operator.env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **QUICK}
        with running_server(operator) as server:
            HandClient(server).sign_in()
            assert server.stop()[0] == 0
    (hashed,) = _named(collector, "password.hash")
    (signed_in,) = _named(collector, "POST /oauth/sign-in")
    assert hashed.parent_span_id == signed_in.span_id


def test_the_upstream_is_told_our_span_and_our_id() -> None:
    with collecting() as collector, upstream() as (url, came):
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "AUTHGATE_UPSTREAM": url,
            "AUTHGATE_ROLLOUT": "off",
            **QUICK,
        }
        with LiveServer(people=(), env=env) as server:
            headers = {"traceparent": TRACE, "tracestate": "a=b", "x-request-id": "a-strangers-own"}
            answer = httpx2.post(server.url + "/mcp", json={}, headers=headers, trust_env=False)
            assert answer.status_code == 200
            assert server.stop() == 0
    (seen,) = came
    (root,) = _named(collector, "POST /mcp")
    assert seen["traceparent"].split("-")[1] == root.trace_id.hex() != TRACE.split("-")[1]
    assert seen["traceparent"].split("-")[2] == root.span_id.hex()
    assert "tracestate" not in seen
    assert answer.headers.get_list("x-request-id") == [seen["x-request-id"]]
    assert seen["x-request-id"] not in ("a-strangers-own", "the-upstreams-own")
    (asked,) = _named(collector, "upstream")
    assert asked.parent_span_id == root.span_id


@contextmanager
def upstream() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An MCP server as far as it takes to see what reaches it."""
    came: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("x-request-id", "the-upstreams-own")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/mcp", came
        finally:
            server.shutdown()


def test_a_collector_that_is_away_costs_nobody_anything() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, says nothing
        port = silent.getsockname()[1]
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", **QUICK}
        with LiveServer(people=(), env=env) as server:
            began = time.monotonic()
            for _ in range(20):
                assert httpx2.get(server.url + "/healthz", trust_env=False).status_code == 200
            assert time.monotonic() - began < 3
            time.sleep(0.3)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 8


def test_another_exporter_is_refused(operator: Operator) -> None:
    operator.env["OTEL_TRACES_EXPORTER"] = "zipkin"
    done = operator.spawn("authgate.server", "--port", "0")
    assert done.code == 1
    assert "write otlp or none" in done.err


def test_what_is_not_installed_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from authgate.app import observing

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr(observing, "find_spec", lambda _: None)
    said = observing.what_keeps_traces_from_going()
    assert said is not None
    assert "pip install 'authgate[otel]'" in said
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert observing.what_keeps_traces_from_going() is None
