"""Structured log lines on standard error: JSON for machines, colour for a terminal.

Lines carry reasons, routes and identifiers. Nothing that a caller sent is logged verbatim, so there
is nothing to redact at any level, DEBUG included; a path is cut short and made printable, or it
could end a line, or speak to the operator's terminal in its own escape sequences.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from authgate.protocol.errors import Refusal, printable

_log: Any = structlog.get_logger("authgate")

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configure(level: str) -> None:
    """Set the level (one of `LEVELS`) and the form of every line, ours and the libraries'."""
    global _log
    _log = structlog.get_logger("authgate")
    terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log addresses, URLs and bodies at DEBUG: they stay at WARNING whatever we do.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)


def as_library() -> None:
    """Lines go to the standard library's logger `authgate`: the process is somebody else's, and so
    is what becomes of its log. Nothing global is set."""
    global _log
    _log = structlog.wrap_logger(
        logging.getLogger("authgate"),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


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
    _log.info(
        "request.refused",
        reason=refusal.reason.value,
        code=refusal.code,
        method=scope.get("method"),
        path=_path(scope),
    )


def trouble(event: str, scope: Mapping[str, Any], caught: BaseException) -> None:
    """Trouble of ours that a caller was told to retry."""
    _log.error(event, path=_path(scope), error=type(caught).__name__, detail=str(caught))


def fault(event: str, scope: Mapping[str, Any], caught: BaseException, request_id: str) -> None:
    """A bug: where it happened, without the values that were in play."""
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


def _path(scope: Mapping[str, Any]) -> str:
    return printable(str(scope.get("path")))
