"""FastMCP's own proxy before the server at `BENCH_UPSTREAM`, as its documentation makes one."""

from __future__ import annotations

import os

from fastmcp.server import create_proxy
from starlette.applications import Starlette


def build(_port: int) -> Starlette:
    """The application."""
    proxy = create_proxy(os.environ["BENCH_UPSTREAM"])
    return proxy.http_app(path="/mcp", stateless_http=True, json_response=True)
