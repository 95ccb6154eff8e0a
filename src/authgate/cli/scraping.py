"""The listener that Prometheus scrapes: its own address, its own thread, one document.

Of one process it is the process's own numbers; of several it is the supervisor's, who serves nobody
else, and sums what the workers write into a folder that is made here and taken away at the end.
Nothing here takes part in the requests.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from authgate.cli.common import fail
from authgate.observe import log, metrics

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer

WITHIN = 5.0  # seconds in which a scraper must have said what it wants
HEAD_LIMIT = 16_384  # bytes of it that are read
AT_ONCE = 8  # connections; one scraper or two is what there is
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the client library's own name; it is read when it is imported


@contextmanager
def scraped(bind: str | None, workers: int, port: int) -> Iterator[None]:
    """Answer at `bind` meanwhile; nothing without one. `port` is where everybody is served."""
    # Whatever the environment brought is somebody else's: with a folder the numbers would be kept
    # as those of several.
    os.environ.pop(FOLDER, None)
    if bind is None:
        yield
        return
    host, _, number = bind.rpartition(":")
    if int(number) == port:
        fail(f"AUTHGATE_METRICS_BIND: port {port} is the one that everybody is served at.")
    folder = None
    server = _bound(host.strip("[]"), int(number), _summed if workers > 1 else _own)
    if host in ("0.0.0.0", "[::]"):  # noqa: S104 (what was chosen is only told)
        log.warning("metrics.public", bind=bind)
    if workers > 1:
        folder = os.environ[FOLDER] = tempfile.mkdtemp(prefix="authgate-metrics-")
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        if folder is not None:
            os.environ.pop(FOLDER, None)
            shutil.rmtree(folder, ignore_errors=True)


def forget_worker(pid: int | None) -> None:
    """The gauges of a worker that has died are nobody's any more. Its counts stay counted."""
    if FOLDER in os.environ and pid is not None:
        from authgate.observe.prometheus import forget_worker as forget

        forget(pid)


def _own() -> bytes:
    from authgate.observe.prometheus import Numbers, of_this_process

    numbers = metrics.record
    return of_this_process(numbers) if isinstance(numbers, Numbers) else b""


def _summed() -> bytes:
    from authgate.observe.prometheus import of_all_workers

    return of_all_workers()


def _bound(host: str, port: int, scrape: Callable[[], bytes]) -> HTTPServer:
    class Handler(_Handler):
        document = staticmethod(scrape)

    class Server(_Server):
        if ":" in host:
            import socket

            address_family = socket.AF_INET6

    try:
        return Server((host, port), Handler)
    except OSError as error:
        fail(f"AUTHGATE_METRICS_BIND: cannot listen on {host}, port {port} ({error.strerror}).")


class _Server(ThreadingHTTPServer):
    """At most so many at once, and none that holds up the end."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, *args: Any) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], _: Any) -> None:
        """A scraper that goes away is no fault; a fault is a line and no traceback."""
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("metrics.scrape_failed", error=type(error).__name__)


class _Head(io.RawIOBase):
    """What a scraper says, until the time is up. The time-out of a socket is for each byte anew, so
    one that drips would keep its place for hours, and eight of them everybody else's."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._ends = time.monotonic() + WITHIN
        self._left = HEAD_LIMIT

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        seconds = self._ends - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        self._connection.settimeout(seconds)
        try:
            taken = self._connection.recv_into(memoryview(buffer)[: self._left])
        finally:
            self._connection.settimeout(WITHIN)  # for what is written
        self._left -= taken
        return taken


class _Handler(BaseHTTPRequestHandler):
    document: Callable[[], bytes]
    timeout = WITHIN
    server_version = "authgate"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Head(self.connection))

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        from authgate.observe.prometheus import CONTENT_TYPE

        body = self.document()
        self.send_response(200)
        self.send_header("content-type", CONTENT_TYPE)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are no news."""
