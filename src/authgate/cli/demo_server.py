"""The demo's own authgate: a child process, a data folder and a person, all gone at the end.

The child is started as an operator would, but ends with the demo (`demo_child`), and knows nothing
of this machine's settings: no AUTHGATE_ name reaches it, and its working folder has no .env.
"""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authgate.cli.demo_authkit import AuthKit
    from authgate.cli.demo_guest import Guest

STARTS_WITHIN = 30.0
STOPS_WITHIN = 10.0
FOLDER = "authgate-demo-"  # how the names of its folders begin
FOREIGN = ("AUTHGATE_", "WORKOS_", "SUPABASE_", "LOG_LEVEL", "OTEL_")


class DemoFailed(Exception):
    """A step was not as it must be; the text says which and what came instead."""


class DemoServer:
    """`with DemoServer(port) as server:` answers when the server answers (port 0: a free one).

    With a guest, who is known elsewhere, nobody is added here. With an AuthKit, that issues the
    tokens.
    """

    def __init__(
        self, port: int = 0, guest: Guest | None = None, authkit: AuthKit | None = None
    ) -> None:
        self.port = port
        self.guest = guest
        self.authkit = authkit
        self.email = guest.email if guest else "demo@example.com"
        self.password = guest.password if guest else secrets.token_urlsafe(15)
        self.seconds = 0.0
        self._folder = Path()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def mcp_url(self) -> str:
        return f"{self.url}/mcp"

    @property
    def issuer(self) -> str:
        """Whom the tokens are from."""
        return self.authkit.domain if self.authkit else self.url

    def __enter__(self) -> DemoServer:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def introduce(self) -> str:
        """See to it that the person can sign in; how that was done, in words."""
        if self.guest is not None:
            return self.guest.known
        self._add_person()
        return "by: authgate people add"

    def shut_out(self) -> None:
        """`authgate people disable`, the same way."""
        self._people("disable", self.email)

    def _add_person(self) -> None:
        """`authgate people add`, beside the running server, as an operator does it."""
        self._people("add", self.email, "--password-stdin", stdin=self.password)

    def _people(self, *words: str, stdin: str = "") -> None:
        command = [sys.executable, "-m", "authgate", "people", *words]
        done = subprocess.run(  # noqa: S603 - our own interpreter with our own words
            command,
            input=stdin,
            cwd=self._folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise DemoFailed(f"authgate people {words[0]} failed: {done.stderr.strip()}")

    def wait(self) -> int:
        """Until the child ends by itself; its exit code."""
        assert self._child is not None
        return self._child.wait()

    def stop(self) -> None:
        """End the child, whatever state it is in, and remove its folder."""
        if self._child is not None:
            with suppress(ProcessLookupError):
                self._child.terminate()
            try:
                self._child.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            assert self._child.stdin is not None
            self._child.stdin.close()
            self._child = None
        if self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """The end of what the server said."""
        file = self._folder / "server.log"
        lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
        return "\n".join(lines[-20:])

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER))
        self.port = self.port or _free_port()
        began = time.perf_counter()
        command = [sys.executable, "-m", "authgate.cli.demo_child", "--port", str(self.port)]
        with (self._folder / "server.log").open("wb") as log:
            # A session of its own: Ctrl-C ends the demo, and the demo ends the child.
            self._child = subprocess.Popen(  # noqa: S603 - the same
                command,
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            if self._child.poll() is not None:
                raise DemoFailed(f"the server ended at its start:\n{self.log()}")
            if time.perf_counter() - began > STARTS_WITHIN:
                raise DemoFailed(f"the server gives no answer:\n{self.log()}")
            time.sleep(0.02)
        self.seconds = time.perf_counter() - began

    def _answers(self) -> bool:
        if "MCP URL" not in self.log():  # whoever has the port, it is not our child yet
            return False
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STARTS_WITHIN)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _environment(self) -> dict[str, str]:
        own = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
        project = dict(self.guest.environment) if self.guest else {}
        issuer = dict(self.authkit.environment) if self.authkit else {}
        return own | {"AUTHGATE_DATA_DIR": str(self._folder / "data")} | project | issuer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop_on_signals() -> None:
    """Let SIGTERM and a closed terminal unwind the program, so that nothing is left behind."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, leave)
