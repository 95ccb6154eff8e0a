"""nginx before an MCP server, with `proxy_pass` and without any check: what passing on costs in C.

One worker, connections to the server kept open, nothing buffered (else no stream would pass).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers import SERVER_CORE, Server, free_port, pin, plain_environment, stop
from bench.servers import wait_for_answer as wait

_PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

_CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    keepalive_requests 1000000000;
    upstream behind {{
        server 127.0.0.1:{behind};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""


def binary() -> str | None:
    """Where it is, if it is; /usr/sbin is not on everybody's path."""
    return shutil.which("nginx", path=_PLACES)


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Server]:
    """A running nginx before the server on the port `behind`; `binary` must have found it."""
    command, port = binary(), free_port()
    assert command is not None
    user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not write here
    file = folder / "nginx.conf"
    file.write_text(_CONFIGURATION.format(user=user, folder=folder, behind=behind, port=port))
    process = subprocess.Popen(
        [command, "-p", str(folder), "-c", str(file), "-e", "stderr"],
        env=plain_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: pin(SERVER_CORE),  # noqa: PLW1509 - this process has one thread
    )
    try:
        wait(process, port)
        yield Server(port, process)
    finally:
        stop(process)
