"""What the proxies of these tests have in common: a copy of a file of deploy/, a port, a process.

Each runs in the foreground from a folder of its own, on free loopback ports, and is ended by its
process id. They are Debian's packages; `make test` installs them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.house.reading import ROOT
from tests.live import LiveServer, reserved_port
from tests.proxies.authority import Authority

DEPLOY = ROOT / "deploy"
STARTS_WITHIN = 10.0
STOPS_WITHIN = 5.0


def binary(name: str) -> str:
    """Where it is; /usr/sbin is not on everybody's path."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=places)
    assert found, f"{name} is not installed: run `make test`, which brings it (or says how)."
    return found


def as_deployed(file: str, listen: tuple[str, str], changes: dict[str, str]) -> str:
    """An operator's copy of a file of deploy/: marked lines changed (in them or above), no other.

    `listen` is where it listens, and where it is to listen here.
    """
    text = (DEPLOY / file).read_text()
    assert text.count(listen[0]) == 1
    lines = text.replace(*listen).splitlines()
    for number, line in enumerate(lines):
        above = lines[number - 1].strip() if number else ""
        if above.startswith("# change") or "# change" in line:
            for old in [old for old in changes if old in line]:
                lines[number] = lines[number].replace(old, changes.pop(old))
    assert not changes, f"{file} has no marked line with {[*changes]}"
    return "\n".join(lines) + "\n"


class Front:
    """A proxy before the servers at `upstreams` (ports), from `start` to `stop`."""

    def __init__(self, folder: Path, authority: Authority, file: str) -> None:
        self.folder = folder
        self.authority = authority
        self.file = file
        self._reserved = reserved_port()
        self.port: int = self._reserved.getsockname()[1]
        self.env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *upstreams: int, site: str | None = None) -> Self:
        """Start it; answers when it listens. `site` replaces the operator's copy of the file."""
        command = self.prepare(site or self.site(upstreams))
        with (self.folder / "error.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        ends = time.monotonic() + STARTS_WITHIN
        while True:
            assert self._process.poll() is None, f"it did not start:\n{self.log()}"
            assert time.monotonic() < ends, self.log()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.02)

    def site(self, upstreams: Sequence[int]) -> str:
        """The operator's copy, for this machine."""
        raise NotImplementedError

    def prepare(self, site: str) -> list[str]:
        """Write it down, with what stands around it; the command that runs it."""
        raise NotImplementedError

    def trouble(self) -> list[str]:
        """The lines of its log that say that something is wrong."""
        raise NotImplementedError

    def log(self) -> str:
        """What it has to say."""
        return (self.folder / "error.log").read_text(errors="replace")

    def stop(self) -> None:
        """End it, and what it started."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOPS_WITHIN)
        self._reserved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Fronted(LiveServer):
    """An authgate whose public URL is its proxy's; started and stopped together with it."""

    def __init__(self, front: Front, *, path: str = "", env: dict[str, str] | None = None) -> None:
        # The proxy alone is believed: 127.0.0.2, which is loopback too, is a stranger.
        super().__init__(path=path, env={"AUTHGATE_TRUSTED_PROXIES": "127.0.0.1", **(env or {})})
        self.front = front
        self.trust = front.authority.trust()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.front.port}{self.path}"

    @property
    def origin(self) -> str:
        """The public URL without its path."""
        return f"https://localhost:{self.front.port}"

    def start(self) -> Self:
        super().start()
        self.front.start(self.port)
        return self

    def close(self) -> None:
        self.front.stop()
        super().close()
