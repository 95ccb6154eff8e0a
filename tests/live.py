"""A real authgate in its own process, for tests that speak to it from outside.

    with LiveServer() as server:
        httpx2.get(server.url + "/.well-known/jwks.json")

It runs what an operator runs (`python -m authgate.server`, `authgate people add`), on a loopback
port of its own, with a data folder and an environment that hold nothing of the machine's. What it
wrote is in `logs()`; whatever happens to it, only the process group started here is ended.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

STARTS_WITHIN = 20.0
STOPS_WITHIN = 10.0
PORTS_TO_TRY = 5

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_START")
"""What a server may know of the machine it is tested on; above all no AUTHGATE_…, no .env."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can sign in."""

    email: str
    password: str


ALICE = Person("alice@example.com", "correct horse battery staple")
BOB = Person("bob@example.com", "a quite different passphrase")


class ServerFailed(AssertionError):
    """The server did not start, or ended when it should not have; the message ends with its log."""


def reserved_port() -> socket.socket:
    """A holder of a free loopback port; close it to give the port up.

    It stays bound without listening: nobody else is given the port by the kernel, and a server
    that sets SO_REUSEADDR (every one does) may listen on it all the same. Set after the bind, the
    option does not let the holder itself slip onto a port in use.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.bind(("127.0.0.1", 0))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder


class LiveServer:
    """One authgate (with its workers) from `start` to `stop`.

    `host` is the name in the public URL: ``127.0.0.1`` or ``localhost``, `path` what follows the
    port (``/tenant/a``). `env` adds settings, `people` are signed up before `start` returns,
    `prefix` is a command that runs the server's (``setpriv …``). The port and the data outlive
    `kill9` and `restart`, as they would on an operator's machine.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        path: str = "",
        env: Mapping[str, str] | None = None,
        people: Sequence[Person] = (ALICE, BOB),
        workers: int = 1,
        folder: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.trust: ssl.SSLContext | None = None  # what a client believes, where a proxy ends TLS
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="authgate-live-"))
        self.log_file = self.folder / "server.log"
        self.people = tuple(people)
        self.host = host
        self.path = path
        self.workers = workers
        self.prefix = tuple(prefix)
        self.port = 0
        self._env = dict(env or {})
        self._reserved: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # --- where it is -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The public URL, which is the issuer."""
        return f"http://{self.host}:{self.port}{self.path}"

    @property
    def mcp_url(self) -> str:
        """The protected MCP server, which is the default resource."""
        return f"{self.url}/mcp"

    @property
    def pid(self) -> int:
        """The process that was started; its group has the same number."""
        return self._running().pid

    def logs(self) -> str:
        """Everything the server wrote since the first start."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def assert_quiet(self) -> None:
        """Nothing went wrong that a client may not have seen, and no secret was written down."""
        for sign in ("Traceback", "Exception", '"level": "error"', "Warning:", "eyJ"):
            assert sign not in self.logs(), self.logs()
        for person in self.people:
            assert person.password not in self.logs()

    # --- its life ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start it on a free port and add its people; answers when it answers."""
        for attempt in range(PORTS_TO_TRY):
            self._reserve()
            try:
                self._launch()
                break
            except ServerFailed:
                # Somebody without manners may have taken the port; any other trouble comes again.
                if attempt == PORTS_TO_TRY - 1 or "is taken by" not in self.logs():
                    raise
        with ThreadPoolExecutor() as side_by_side:
            list(side_by_side.map(self.add_person, self.people))
        return self

    def stop(self) -> int:
        """End it by SIGTERM; its exit code, or what the kill gave if it did not obey in time."""
        process = self._running()
        self.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOPS_WITHIN)
        return self._bury()

    def kill9(self) -> None:
        """Take it away in the middle of whatever it does, workers too."""
        self._bury()

    def restart(self) -> Self:
        """Start it again on the same port and data; ends it first if it still runs."""
        if self._process is not None:
            self.stop()
        self._launch()
        return self

    def terminate(self, *, everyone: bool = False) -> None:
        """Ask it to end and do not wait; `wait` does.

        The process that was started is asked, as `kill` and container runtimes do; with `everyone`
        its workers are too, as systemd and a terminal do.
        """
        if everyone:
            self._signal(signal.SIGTERM)
        else:
            self._running().terminate()

    def wait(self, seconds: float) -> int:
        """Its exit code, once it ended by itself; `subprocess.TimeoutExpired` if it does not."""
        code = self._running().wait(seconds)
        self._bury()
        return code

    def close(self) -> None:
        """End it and leave nothing behind."""
        if self._process is not None:
            self.stop()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- the operator ------------------------------------------------------------------------

    def cli(
        self, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run an `authgate` command as the operator of this server."""
        done = subprocess.run(
            [str(Path(sysconfig.get_path("scripts")) / "authgate"), *arguments],
            input=stdin,
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=STARTS_WITHIN,
            check=False,
        )
        if check and done.returncode != 0:
            said = done.stdout + done.stderr
            raise ServerFailed(f"authgate {' '.join(arguments)}: exit {done.returncode}\n{said}")
        return done

    def add_person(self, person: Person) -> None:
        """`authgate people add`, the password by standard input."""
        self.cli("people", "add", person.email, "--password-stdin", stdin=person.password + "\n")

    # --- inside ------------------------------------------------------------------------------

    def _reserve(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
        self._reserved = reserved_port()
        self.port = self._reserved.getsockname()[1]

    def _launch(self) -> None:
        command = [*self.prefix, sys.executable, "-m", "authgate.server", "--port", str(self.port)]
        if self.workers > 1:
            command += ["--workers", str(self.workers)]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_answer()

    def _await_answer(self) -> None:
        ends = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < ends:
            if self._running().poll() is not None:
                code = self._bury()
                raise ServerFailed(f"authgate ended with {code} at its start:\n{self.logs()}")
            if self._resource_answered() == self.mcp_url:
                return
            time.sleep(0.02)
        self._bury()
        raise ServerFailed(f"no answer within {STARTS_WITHIN:.0f} s:\n{self.logs()}")

    def _resource_answered(self) -> str | None:
        """What it says it guards: that names this very server, whoever issues its tokens."""
        try:
            with contextlib.closing(
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            ) as connection:
                address = f"/.well-known/oauth-protected-resource{self.path}/mcp"
                connection.request("GET", address)
                answer = connection.getresponse()
                return json.loads(answer.read())["resource"] if answer.status == 200 else None
        except (OSError, http.client.HTTPException):
            return None

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {
            **kept,
            "HOME": str(self.folder),
            "AUTHGATE_DATA_DIR": str(self.folder / "data"),
            "AUTHGATE_PUBLIC_URL": self.url,
            **self._env,
        }

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._running().pid, number)

    def _bury(self) -> int:
        """Kill what is left of the group and take the exit code."""
        process = self._running()
        self._signal(signal.SIGKILL)
        code = process.wait(STOPS_WITHIN)
        self._process = None
        return code


def attach_logs(item: Any, report: Any) -> None:
    """For a conftest's `pytest_runtest_makereport`: show the logs of a failed test's servers."""
    if not report.failed:
        return
    values = getattr(item, "funcargs", {}).values()
    found = {getattr(value, "server", value) for value in values if value.__hash__ is not None}
    for running in found:
        if isinstance(running, LiveServer):
            report.sections.append((f"authgate at {running.url}", running.logs()[-6000:]))
