"""The examples as an operator starts them: real processes on loopback, with an environment of
their own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import httpx2

from tests.house.reading import ROOT
from tests.live import LiveServer, reserved_port

STARTS_WITHIN = 30.0
STOPS_WITHIN = 10.0
_KEPT = ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH")


class Place:
    """A loopback port of one's own, and the URL of what will be there."""

    def __init__(self, path: str) -> None:
        self._holder = reserved_port()
        self.port: int = self._holder.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.resource = self.origin + path

    def close(self) -> None:
        self._holder.close()


class Program:
    """One example from start to stop; `env` is all it knows besides where Python is."""

    def __init__(self, script: str | Path, place: Place, env: Mapping[str, str]) -> None:
        self.place = place
        self.folder = Path(tempfile.mkdtemp(prefix="authgate-example-"))
        self.script = ROOT / "examples" / script
        self.env = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "HOME": str(self.folder),
            "PORT": str(place.port),
            "RESOURCE": place.resource,
            "PYTHONWARNINGS": "default",
            **env,
        }
        self._log = self.folder / "program.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> Any:
        """What `tests.clients.test_python_sdk.Application` asks of a server."""
        return SimpleNamespace(mcp_url=self.place.resource, trust=None)

    def logs(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(self.script)],
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ends = time.monotonic() + STARTS_WITHIN
        known = self.place.origin + "/.well-known/oauth-protected-resource"
        while time.monotonic() < ends:
            assert self._process.poll() is None, self.logs()
            # The root form is not there in the SDK's own applications: any answer will do.
            with contextlib.suppress(httpx2.TransportError):
                httpx2.get(known, timeout=2, trust_env=False)
                return self
            time.sleep(0.05)
        raise AssertionError(f"no answer within {STARTS_WITHIN:.0f} s:\n{self.logs()}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOPS_WITHIN)
            raise
        if error is not None:
            sys.stderr.write(self.logs())

    def assert_quiet(self) -> None:
        """Nothing broke, nothing was left open, and no token was written down."""
        for sign in ("Traceback", "ResourceWarning", "Unclosed", "eyJ"):
            assert sign not in self.logs(), self.logs()


class EmbeddedServer(LiveServer):
    """An example with a whole authgate inside; everything else is as for `authgate serve`."""

    def __init__(self, script: str, *, env: Mapping[str, str], mcp_path: str) -> None:
        super().__init__(env={"MCP_PATH": mcp_path, **env})
        self._script = str(ROOT / "examples" / script)
        self._mcp_path = mcp_path

    @property
    def mcp_url(self) -> str:
        return self.url + self._mcp_path

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "PORT": str(self.port)}

    def _launch(self) -> None:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, self._script],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_answer()

    def _resource_answered(self) -> str | None:
        known = self.url + "/.well-known/oauth-protected-resource"
        try:
            answer = httpx2.get(known, timeout=2, trust_env=False)
        except httpx2.TransportError:
            return None
        return answer.json()["resource"] if answer.status_code == 200 else None
