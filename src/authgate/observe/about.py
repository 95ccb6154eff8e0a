"""What is known of the request that is being answered: for every log line, count and span of it.

One small object in one context variable, put there once a request (`web.watching`) and filled in by
whoever learns something. A mapping of log fields would be copied with every field. Never here: a
secret, or anything that a caller sent beyond a well-formed request id.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any


class About:
    """One request. `endpoint` is its route's name, never the path that was asked for.

    `span` is whatever the tracer made of it, None without one.
    """

    __slots__ = ("client_id", "endpoint", "reason", "request_id", "span", "status", "sub")

    def __init__(self, request_id: str, endpoint: str) -> None:
        self.request_id = request_id
        self.endpoint = endpoint
        self.client_id: str | None = None
        self.sub: str | None = None
        self.status = 0  # until the answer begins
        self.reason: str | None = None
        self.span: Any = None


current: ContextVar[About | None] = ContextVar("the request that is being answered", default=None)


def learned(*, client_id: str | None = None, sub: str | None = None) -> None:
    """Whose request this is, as far as it is proven or was looked up."""
    about = current.get()
    if about is not None:
        about.client_id = client_id or about.client_id
        about.sub = sub or about.sub


def request_id() -> str | None:
    """The present request's id; None where nothing is being answered."""
    about = current.get()
    return None if about is None else about.request_id
