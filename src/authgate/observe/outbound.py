"""A call to somebody else, timed and counted, by whoever makes it.

    with calling("supabase") as call:
        call.outcome = answered(status)

Never here: what was asked, of which address, and what came back.
"""

from __future__ import annotations

from time import perf_counter
from types import TracebackType
from typing import Self

from authgate.observe import metrics, tracing

FAILED = "failed"  # no usable answer
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


def answered(status: int) -> str:
    """The class of an answer's status."""
    return _CLASSES[status // 100 - 1] if 100 <= status < 600 else FAILED


class calling:
    """`service` is a word of ours. Whoever says nothing of the `outcome` has failed."""

    __slots__ = ("_began", "_span", "outcome", "service")

    def __init__(self, service: str) -> None:
        self.service = service
        self.outcome = FAILED
        self._began = perf_counter()
        self._span = tracing.span(service, outbound=True)

    def __enter__(self) -> Self:
        self._span.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._span.__exit__(kind, error, trace)
        metrics.record.outbound(self.service, self.outcome, perf_counter() - self._began)
