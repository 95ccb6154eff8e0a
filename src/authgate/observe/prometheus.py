"""The numbers as Prometheus wants them: imported only where `AUTHGATE_METRICS_BIND` is set.

Every metric is one row of a table here, and the table is what the docs are held to. With several
workers each writes its own files in a folder of ours (the client library's multiprocess mode), and
one scrape of the supervisor gives the sum; what a dead worker counted stays counted, and its gauges
go. A child (a metric with its labels) is looked up once and kept: that is most of the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from authgate import __version__
from authgate.observe.metrics import Recorder

CONTENT_TYPE = CONTENT_TYPE_LATEST

# Few, since each costs a comparison and a line of the scrape: around what an answer takes here
# (below a millisecond to 25), a password hash, somebody else's service, and too long.
SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
STORE_SECONDS = (0.0005, 0.002, 0.01, 0.05, 0.5, 5.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a line for each child, and nobody reads them

_Mode = Literal["livesum", "livemax", "livemostrecent", "mostrecent"]


@dataclass(frozen=True, slots=True)
class Metric:
    """`mode` is how the workers' values of a gauge become one."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    said: str
    labels: tuple[str, ...] = ()
    mode: _Mode = "livesum"
    buckets: tuple[float, ...] = SECONDS


METRICS = (
    Metric(
        "histogram",
        "authgate_request_seconds",
        "From a request's head to its answer's.",
        ("endpoint", "status"),
    ),
    Metric(
        "counter",
        "authgate_refusals_total",
        "Refused requests and requests that met trouble.",
        ("endpoint", "reason"),
    ),
    Metric(
        "counter",
        "authgate_sign_ins_total",
        "What directories said to those who signed in.",
        ("directory", "outcome"),
    ),
    Metric("counter", "authgate_tokens_issued_total", "Access tokens.", ("grant_type",)),
    Metric(
        "histogram",
        "authgate_outbound_seconds",
        "Calls to the upstream (to the head of its answer) and to directories.",
        ("service", "outcome"),
    ),
    Metric(
        "histogram",
        "authgate_store_seconds",
        "Steps of the store.",
        ("operation",),
        buckets=STORE_SECONDS,
    ),
    Metric("gauge", "authgate_open_streams", "Streams through the gateway."),
    Metric("counter", "authgate_swept_rows_total", "Rows that nothing could need any more."),
    Metric(
        "gauge",
        "authgate_sweep_timestamp_seconds",
        "When the last sweep went well.",
        mode="livemax",
    ),
    Metric(
        "gauge",
        "authgate_signing_key_timestamp_seconds",
        "When the key that signs was made.",
        mode="livemax",
    ),
    Metric("gauge", "authgate_signing_keys", "Published signing keys.", mode="livemax"),
    Metric(
        "gauge",
        "authgate_clock_offset_seconds",
        "By how much this node's clock is ahead of the database's.",
        mode="livemostrecent",
    ),
    Metric("gauge", "authgate_store_pool_size", "Connections to PostgreSQL that there may be."),
    Metric("gauge", "authgate_store_pool_open", "Connections to PostgreSQL that there are."),
    Metric("gauge", "authgate_store_pool_busy", "Connections to PostgreSQL that are in use."),
    Metric("gauge", "authgate_store_pool_waiting", "Steps that wait for a connection."),
    Metric("counter", "authgate_limit_fallbacks_total", "Limits judged without the limit store."),
    Metric("gauge", "authgate_build_info", "1.", ("version",), mode="livemax"),
)


class Numbers(Recorder):
    """Keeps them for this process. Create one a process: the files of two would be the same."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made = {each.name: self._metric(each) for each in METRICS}
        self._children: dict[tuple[str, ...], Any] = {}
        self._bare = {each.name: self._made[each.name] for each in METRICS if not each.labels}
        self._made["authgate_build_info"].labels(__version__).set(1)

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        self._child("authgate_request_seconds", endpoint, _CLASSES[status // 100 % 6]).observe(
            seconds
        )

    def refusal(self, endpoint: str, reason: str) -> None:
        self._child("authgate_refusals_total", endpoint, reason).inc()

    def sign_in(self, directory: str, outcome: str) -> None:
        self._child("authgate_sign_ins_total", directory, outcome).inc()

    def token_issued(self, grant_type: str) -> None:
        self._child("authgate_tokens_issued_total", grant_type).inc()

    def outbound(self, service: str, outcome: str, seconds: float) -> None:
        self._child("authgate_outbound_seconds", service, outcome).observe(seconds)

    def store(self, operation: str, seconds: float) -> None:
        self._child("authgate_store_seconds", operation).observe(seconds)

    def stream(self, change: int) -> None:
        self._bare["authgate_open_streams"].inc(change)

    def swept(self, rows: int, at: float) -> None:
        self._bare["authgate_swept_rows_total"].inc(rows)
        self._bare["authgate_sweep_timestamp_seconds"].set(at)

    def limit_fallbacks(self, more: int) -> None:
        self._bare["authgate_limit_fallbacks_total"].inc(more)

    def watched(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._bare[name].set(value)

    def _child(self, name: str, *labels: str) -> Any:
        key = (name, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._made[name].labels(*labels)
        return child

    def _metric(self, row: Metric) -> Any:
        name, said, labels, to = row.name, row.said, row.labels, self.registry
        match row.kind:
            case "counter":
                return Counter(name, said, labels, registry=to)
            case "histogram":
                return Histogram(name, said, labels, buckets=row.buckets, registry=to)
            case "gauge":
                return Gauge(name, said, labels, multiprocess_mode=row.mode, registry=to)


_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


def of_this_process(numbers: Numbers) -> bytes:
    """The scrape of a server that is one process."""
    return generate_latest(numbers.registry)


def of_all_workers() -> bytes:
    """The scrape of a supervisor: what its workers wrote into the folder, summed."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types
    return generate_latest(registry)


def forget_worker(pid: int) -> None:
    """A worker has died: its gauges end. Its counts stay, or the sums would go backwards."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as above
