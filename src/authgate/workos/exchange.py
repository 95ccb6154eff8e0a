"""One exchange with WorkOS as it went, beside the SDK: the facts that its models and errors drop.

The SDK tells the request id and the body of a failure alone, and of a success only what its models
know, all of it or an error. What is decided here is decided on the answer itself.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

NOT_JSON = object()


@dataclass(slots=True)
class Exchange:
    """Filled in by the transport. `status` None: there was no answer. `body` is the JSON of it."""

    status: int | None = None
    request_id: str = ""
    retry_after: str | None = None
    body: Any = field(default=NOT_JSON, repr=False)


class Lost(Exception):
    """No usable answer. `sent` False: the request cannot have reached anybody."""

    def __init__(self, why: str, *, sent: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.sent = sent


current: ContextVar[Exchange | None] = ContextVar("exchange with WorkOS", default=None)
