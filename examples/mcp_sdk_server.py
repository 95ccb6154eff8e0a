"""A server on the official MCP SDK, its authgate in another process.

    AUTHGATE_RESOURCES=http://localhost:8000/mcp authgate serve --port 9000
    python examples/mcp_sdk_server.py

Point an MCP client at http://localhost:8000/mcp.
"""

import asyncio
import os

from mcp.server.mcpserver import MCPServer

from authgate.adapters.mcp_sdk import AuthgateVerifier, get_access_token

PORT = int(os.environ.get("PORT", "8000"))
ISSUER = os.environ.get("ISSUER", "http://localhost:9000")
RESOURCE = os.environ.get("RESOURCE", f"http://localhost:{PORT}/mcp")

verifier = AuthgateVerifier(issuer=ISSUER, resource=RESOURCE)
server: MCPServer = MCPServer("weather", token_verifier=verifier, auth=verifier.settings)


@server.tool()
def whoami() -> dict[str, object]:
    """Tell who is signed in, and through which client."""
    token = get_access_token()
    assert token is not None
    return {"sub": token.subject, "client_id": token.client_id, "scopes": token.scopes}


async def main() -> None:
    async with verifier:
        await server.run_streamable_http_async(host="127.0.0.1", port=PORT)


if __name__ == "__main__":
    asyncio.run(main())
