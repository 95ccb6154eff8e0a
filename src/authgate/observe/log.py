"""Structured log lines on standard error: JSON for machines, colour for a terminal.

Lines carry reasons, routes and identifiers. Nothing that a caller sent is logged verbatim, so there
is nothing to redact at any level, DEBUG included; a path is cut short and made printable, or it
could end a line, or speak to the operator's terminal in its own escape sequences.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import structlog

from authgate.observe import metrics
from authgate.observe.about import About, current
from authgate.protocol.errors import Reason, Refusal, printable

_log: Any = structlog.get_logger("authgate")
_debugging = False  # a line made to be dropped would cost every request a microsecond

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Lossy:
    """A stream whose trouble is nobody's: a line that cannot be written is lost, and that is all.

    Where the log is on the disk that is full, every refusal would else become a bare 500, at the
    very moment when a 503 that says when to come back is needed most.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(level: str) -> None:
    """Set the level (one of `LEVELS`) and the form of every line, ours and the libraries'."""
    global _log, _debugging
    _log = structlog.get_logger("authgate")
    _debugging = level == "DEBUG"
    terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            _with_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    # Libraries log addresses, URLs and bodies at DEBUG: they stay at WARNING whatever we do.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


def as_library() -> None:
    """Lines go to the standard library's logger `authgate`: the process is somebody else's, and so
    is what becomes of its log. Nothing global is set."""
    global _log, _debugging
    _debugging = True  # as it turns out: the level is the host's
    _log = structlog.wrap_logger(
        logging.getLogger("authgate"),
        processors=[
            structlog.stdlib.filter_by_level,
            _with_request,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _with_request(_log: object, _name: str, line: Any) -> Any:
    """Which request a line is from, and whose that is as far as it is known."""
    about = current.get()
    if about is not None:
        line.setdefault("request_id", about.request_id)
        if about.client_id is not None:
            line.setdefault("client_id", about.client_id)
        if about.sub is not None:
            line.setdefault("sub", about.sub)
    return line


@contextmanager
def silenced() -> Iterator[None]:
    """No line below CRITICAL meanwhile: for a command that says in its own words what happened."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def info(event: str, **fields: object) -> None:
    """Something an operator may want to know."""
    _log.info(event, **fields)


def warning(event: str, **fields: object) -> None:
    """Something an operator should look at."""
    _log.warning(event, **fields)


def error(event: str, **fields: object) -> None:
    """Something that does not work."""
    _log.error(event, **fields)


def debug(event: str, **fields: object) -> None:
    """Something that helps to find a fault."""
    _log.debug(event, **fields)


def refused(scope: Mapping[str, Any], refusal: Refusal) -> None:
    """A refusal: the rich reason stays inside, the caller got the plain sentence."""
    _ended(refusal.reason.value)
    _log.info(
        "request.refused",
        reason=refusal.reason.value,
        code=refusal.code,
        method=scope.get("method"),
        path=_path(scope),
    )


def trouble(event: str, scope: Mapping[str, Any], caught: BaseException) -> None:
    """Trouble of ours that a caller was told to retry."""
    _ended(Reason.STORE_UNAVAILABLE.value)
    _log.error(event, path=_path(scope), error=type(caught).__name__, detail=str(caught))


def fault(event: str, scope: Mapping[str, Any], caught: BaseException, request_id: str) -> None:
    """A bug: where it happened, without the values that were in play."""
    _ended(Reason.INTERNAL.value)
    frames = []
    traceback = caught.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('authgate/')[2]}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    _log.error(
        event,
        path=_path(scope),
        error=type(caught).__name__,
        at=" < ".join(reversed(frames)),
        request_id=request_id,
    )


def done(scope: Mapping[str, Any], about: About, seconds: float) -> None:
    """A request that was answered; status 0 if nobody was left to answer.

    At DEBUG only: a proxy in front writes such lines anyway, and a line each would cost a good
    share of a token request. The route's name stands for the path, so no address is in it.
    """
    if not _debugging:
        return
    _log.debug(
        "request.done",
        endpoint=about.endpoint,
        method=scope["method"],
        status=about.status,
        ms=round(seconds * 1000, 1),
    )


def _ended(reason: str) -> None:
    about = current.get()
    if about is not None:
        about.reason = reason
        metrics.record.refusal(about.endpoint, reason)


def _path(scope: Mapping[str, Any]) -> str:
    return printable(str(scope.get("path")))
