"""A real nginx that ends TLS, run from the very files that operators copy (deploy/)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tests.proxies.front import Front, as_deployed, binary

# Around the operator's file: what Debian's nginx.conf says there, but in the foreground and in a
# folder of the test's.
_AROUND = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    gzip on;
    log_format nodes "upstream=$upstream_addr $request_method $status";
    access_log {folder}/nodes.log nodes;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/site.conf;
}}
"""


def nginx_binary() -> str:
    """Where nginx is."""
    return binary("nginx")


class Nginx(Front):
    """nginx with a file of deploy/ in its http block."""

    def site(self, upstreams: Sequence[int]) -> str:
        host = "www.example.com" if "path" in self.file else "auth.example.com"
        return as_deployed(
            self.file,
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            {
                **_servers(upstreams),
                f"server_name {host}": "server_name localhost",
                f"/etc/ssl/{host}/fullchain.pem": str(self.authority.chain),
                f"/etc/ssl/{host}/privkey.pem": str(self.authority.key),
            },
        )

    def prepare(self, site: str) -> list[str]:
        (self.folder / "site.conf").write_text(site)
        around = self.folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not read here
        around.write_text(_AROUND.format(folder=self.folder, user=user))
        return [nginx_binary(), "-p", str(self.folder), "-c", str(around), "-e", "stderr"]

    def trouble(self) -> list[str]:
        return [line for line in self.log().splitlines() if "[error]" in line]


def _servers(upstreams: Sequence[int]) -> dict[str, str]:
    """The nodes: on this machine, or where nginx-nodes.conf has them."""
    if len(upstreams) == 1:
        return {"127.0.0.1:8000": f"127.0.0.1:{upstreams[0]}"}
    return {f"10.0.0.{n}:8000": f"127.0.0.1:{port}" for n, port in enumerate(upstreams, start=11)}
