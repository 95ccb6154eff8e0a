"""Where the time of a request goes, for whoever collects traces; nothing at all for the others.

Never here: OpenTelemetry (`observe.otel`). Never in a span: a secret, a query, an address, a code,
a token or an e-mail address. Names of routes, steps and services are all there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from authgate.observe.about import About


class Tracer(Protocol):
    """Makes the spans of this process and sends them away."""

    def begin(self, about: About, method: str, brought: Mapping[str, str]) -> None:
        """A request has come. `brought` is the W3C trace context of a trusted proxy, or empty."""

    def end(self, about: About) -> None:
        """It was answered."""

    def child(self, name: str, *, outbound: bool) -> AbstractContextManager[Any]:
        """A part of the present request."""

    def traceparent(self) -> str | None:
        """The present request's place in its trace (W3C Trace Context, section 3.2)."""

    def close(self) -> None:
        """Send what is left, within two seconds, and stop."""


tracer: Tracer | None = None
_nothing = nullcontext()


def use(chosen: Tracer | None) -> None:
    """Have `chosen` make the spans of this process from now on."""
    global tracer
    tracer = chosen


def span(name: str, *, outbound: bool = False) -> AbstractContextManager[Any]:
    """A part of the present request, for the time of a `with`."""
    return _nothing if tracer is None else tracer.child(name, outbound=outbound)


def traceparent() -> str | None:
    """What the upstream is told of the trace; None without one."""
    return None if tracer is None else tracer.traceparent()
