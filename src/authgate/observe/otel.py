"""Traces by OpenTelemetry, set up by its own variables (OTEL_EXPORTER_OTLP_ENDPOINT and the like).

Imported only where those are set. The provider is ours and not the process's: through the global
one the MCP SDK, and whatever else knows OpenTelemetry, would send spans with what they see fit, and
the arguments of calls are among it. No exception is recorded, since its text could hold anything.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from authgate import __version__
from authgate.observe.about import About, current

CLOSE_WITHIN = 2.0  # seconds; what the collector did not take by then is lost
_EMPTY = Context()  # never the context of the thread: whatever is in it is somebody else's


class Spans:
    """The tracer of this process."""

    def __init__(self) -> None:
        named = os.environ.get("OTEL_SERVICE_NAME") or "authgate"
        resource = Resource.create({SERVICE_NAME: named, "service.version": __version__})
        # Ended by `close`, which waits no longer than it says.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("authgate", __version__)
        self._context = TraceContextTextMapPropagator()

    def begin(self, about: About, method: str, brought: Mapping[str, str]) -> None:
        parent = self._context.extract(brought, _EMPTY) if brought else _EMPTY
        about.span = self._tracer.start_span(
            f"{method} {about.endpoint}",
            parent,
            SpanKind.SERVER,
            {
                "http.request.method": method,
                "http.route": about.endpoint,
                "authgate.request_id": about.request_id,
            },
        )

    def end(self, about: About) -> None:
        span = about.span
        if about.status:
            span.set_attribute("http.response.status_code", about.status)
        if about.reason is not None:
            span.set_attribute("authgate.reason", about.reason)
        if about.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    @contextmanager
    def child(self, name: str, *, outbound: bool) -> Iterator[Any]:
        about = current.get()
        if about is None or about.span is None:
            yield None  # a job's work, which is nobody's request
            return
        kind = SpanKind.CLIENT if outbound else SpanKind.INTERNAL
        span = self._tracer.start_span(name, set_span_in_context(about.span, _EMPTY), kind)
        try:
            yield span
        except BaseException:
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            span.end()

    def traceparent(self) -> str | None:
        about = current.get()
        if about is None or about.span is None:
            return None
        carrier: dict[str, str] = {}
        self._context.inject(carrier, set_span_in_context(about.span, _EMPTY))
        return carrier.get("traceparent")

    def close(self) -> None:
        # A thread that may be left behind: a collector that hangs must not hold up our end.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_WITHIN)
