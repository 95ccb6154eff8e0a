"""A stdio MCP server over HTTP: `PORT=… python -m tests.standins.bridge COMMAND…`.

For servers that come as a program only, where the gateway is to stand before an address. FastMCP's
proxy does the work.
"""

from __future__ import annotations

import os
import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    transport = StdioTransport(command, arguments, env=dict(os.environ))
    create_proxy(transport).run(
        transport="http",
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        path="/mcp",
        show_banner=False,
        log_level="critical",
    )
