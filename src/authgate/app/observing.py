"""Who keeps the numbers and the spans of this process: decided by the settings, once, at its start.

Neighbours: `watched` is what is put between the parts so that they are told, `gauges` what is
looked at now and then.
"""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec

from authgate.observe import metrics, tracing
from authgate.settings import Settings

_OTEL = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_TRACES_EXPORTER",
)


def begin(settings: Settings) -> None:
    """Have the numbers kept, if the settings say so. Once, before anything is built."""
    if settings.metrics_bind is not None:
        from authgate.observe.prometheus import Numbers

        metrics.use(Numbers())
    if traces_wanted():
        from authgate.observe.otel import Spans

        tracing.use(Spans())


def traces_wanted() -> bool:
    """Has an exporter been named in OpenTelemetry's own way (its specification, "SDK environment
    variables")?"""
    given = {name for name in _OTEL if os.environ.get(name)}
    chosen = os.environ.get("OTEL_TRACES_EXPORTER", "")
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return bool(given) and chosen != "none" and not disabled


def what_keeps_traces_from_going() -> str | None:
    """A sentence if traces are wanted and cannot be sent."""
    if not traces_wanted():
        return None
    chosen = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if chosen != "otlp":
        return f"OTEL_TRACES_EXPORTER: write otlp or none; {chosen!r} is none of them."
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError:
        found = None
    if found is None or find_spec("opentelemetry.sdk") is None:
        return (
            "Traces are wanted (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_TRACES_EXPORTER is set), and "
            "what sends them is not installed: pip install 'authgate[otel]'"
        )
    return None


async def end() -> None:
    """Send what is left of the traces."""
    tracer = tracing.tracer
    if tracer is not None:
        tracing.use(None)
        await asyncio.to_thread(tracer.close)


def counted() -> bool:
    """Does anybody keep the numbers?"""
    return type(metrics.record) is not metrics.Recorder
