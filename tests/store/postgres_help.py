"""What the tests of PostgreSQL's engine share: bounded stores, frozen servers, a pooler."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authgate.store.postgres import PostgresStore
from authgate.store.postgres_pool import PostgresPolicy
from tests.live import reserved_port
from tests.postgres import new_schema


def policy(url: str, **but: Any) -> PostgresPolicy:
    return PostgresPolicy(url, but.pop("schema", None) or new_schema(), **but)


@contextlib.asynccontextmanager
async def opened(url: str, **but: Any) -> AsyncIterator[PostgresStore]:
    """A store in a schema of its own."""
    store = PostgresStore(policy(url, **but))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@contextlib.contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """These processes stand still meanwhile, as in a machine that hangs."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def pgbouncer(url: str, mode: str, *, size: int = 3) -> Iterator[str]:
    """PgBouncer before the database at `url`, in `transaction` or `session` mode; its own URL."""
    binary = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert binary is not None, "run: make test"
    to = urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="authgate-pgb-"))
    folder.chmod(0o755)
    with reserved_port() as held:
        port = held.getsockname()[1]
        (folder / "users").write_text(f'"{to.username}" ""\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={to.hostname} port={to.port} user={to.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\nauth_file = {folder / 'users'}\npool_mode = {mode}\n"
            f"default_pool_size = {size}\nmax_client_conn = 100\n"
        )
        as_nobody: dict[str, Any] = (
            {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        process = subprocess.Popen(
            [binary, "-q", folder / "ini"],
            **as_nobody,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(port, process)
            yield f"postgresql://{to.username}@127.0.0.1:{port}{to.path}"
        finally:
            process.kill()
            process.wait(10)
            shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"pgbouncer did not start (exit {process.poll()})")
