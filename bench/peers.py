"""The peers, under the same uvicorn settings as authgate: `python -m bench.peers NAME --port P`.

`sdk`: the authorization server routes of the official MCP SDK, as its documentation mounts them, on
a provider in memory that signs ES256 access tokens. `ceiling`: what a Python process could reach if
it did the bare work and nothing around it, `ceiling_postgres` the same on PostgreSQL. `example`:
the built-in MCP server without the guard. `small`: a bare MCP server to stand behind gateways.
`bare_gateway`: one that only passes calls on. `fastmcp_proxy`: FastMCP's.
"""

from __future__ import annotations

import argparse
import importlib

import uvicorn

NAMES = (
    "sdk",
    "ceiling",
    "ceiling_postgres",
    "example",
    "small",
    "bare_gateway",
    "fastmcp_proxy",
)


def main() -> None:
    """Serve one peer on loopback."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    app = importlib.import_module(f"bench.peer_{given.name}").build(given.port)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=given.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
