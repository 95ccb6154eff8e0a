"""A real Caddy that ends TLS, run from the very files that operators copy (deploy/)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.proxies.front import Front, as_deployed, binary

# What Caddy calls an error and is none: callers who left in the middle of an answer (whichever part
# of it notices that first), and challenges of ACME that nobody began.
_ORDINARY = (
    "context canceled",
    "client disconnected",
    "use of closed network connection",
    "no information found to solve challenge",
)


class Caddy(Front):
    """Caddy with a Caddyfile of deploy/, a certificate of the tests', and no other port."""

    def site(self, upstreams: Sequence[int]) -> str:
        host = "www.example.com" if "path" in self.file else "auth.example.com"
        changes = {
            "# tls ": "tls ",
            f"/etc/ssl/{host}/fullchain.pem": str(self.authority.chain),
            f"/etc/ssl/{host}/privkey.pem": str(self.authority.key),
        }
        site, nodes = f"https://localhost:{self.port}", [f"127.0.0.1:{port}" for port in upstreams]
        if "nodes" in self.file:  # by the environment, as compose.yaml does it
            self.env |= {"SITE": site, "NODES": " ".join(nodes)}
        else:
            changes |= {f"{host} {{": f"{site} {{", "127.0.0.1:8000": nodes[0]}
        listen = ("{\n\tadmin off\n", "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n")
        return as_deployed(self.file, listen, changes)

    def prepare(self, site: str) -> list[str]:
        file = self.folder / "Caddyfile"
        file.write_text(site)
        return [binary("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]

    def trouble(self) -> list[str]:
        lines = [line for line in self.log().splitlines() if line.startswith("{")]
        wrong = [line for line in lines if json.loads(line)["level"] not in ("info", "warn")]
        return [line for line in wrong if not any(word in line for word in _ORDINARY)]
