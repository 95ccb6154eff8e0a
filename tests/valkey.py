"""Redis for tests: a server of our own on loopback and a socket, without a fixed port.

    with Valkey() as store:
        store.url              # redis://:…@127.0.0.1:PORT/0
        store.freeze()

Debian's `redis-server` (Valkey, which is not in Debian 12, speaks the same). Port and password
outlive `stop` and `start`; the data do not. Only the process started here is ever ended.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from tests.live import reserved_port

STARTS_WITHIN = 20.0


class Valkey:
    """One server from `start` to `stop`; `options` are added to its command line."""

    def __init__(self, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authgate-valkey-"))
        self.password = secrets.token_hex(16)
        self._reserved: socket.socket = reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self.path = self.folder / "socket"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    @property
    def url(self) -> str:
        """Where it is, with the password."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        """The same by its socket."""
        return f"unix://:{self.password}@{self.path}"

    def client(self) -> Any:
        """A connection for looking into it; close it."""
        return redis.Redis.from_url(self.url, socket_timeout=10, decode_responses=True)

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        found = shutil.which("redis-server")
        assert found, (
            "redis-server is missing: make test installs it (apt-get install redis-server)"
        )
        # The password goes by standard input: a command line is for all to read.
        self._process = subprocess.Popen(
            [
                found,
                *("-", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--unixsocket", str(self.path), "--save", "", "--appendonly", "no"),
                *("--dir", str(self.folder), "--daemonize", "no", "--logfile", "log"),
                *self._options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(f"requirepass {self.password}\n".encode())
        self._process.stdin.close()
        self._wait()

    def stop(self) -> None:
        """End it with all that it holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def freeze(self) -> None:
        """It still has the port and its connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it for good and leave nothing."""
        self.stop()
        self._reserved.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        with contextlib.closing(self.client()) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    assert self._process is not None
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        log = self.folder / "log"
                        said = log.read_text(errors="replace") if log.exists() else ""
                        raise AssertionError(f"redis-server did not start:\n{said}") from None
                    time.sleep(0.02)
