"""The guide's Python, word for word, and clients to run it with.

`mcp_client.call_tool` of the guide is a blocking call whose answer is read like a dict. The clients
here give it that: one over the official MCP client's `structuredContent`, one over the plain POST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import aiohttp
from mcp import Client

STEPS = (
    """
# Register OAuth client
client_data = {
    "redirect_uris": ["http://localhost:3000/oauth/callback"],
    "client_name": "My MCP Client",
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none"  # PKCE only
}

response = mcp_client.call_tool("oauth_register_client", {"client_data": client_data})
client_id = response["client_id"]
""",
    """
import secrets
import hashlib
import base64

# Generate PKCE parameters
code_verifier = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode('utf-8').rstrip('=')
code_challenge = base64.urlsafe_b64encode(
    hashlib.sha256(code_verifier.encode('utf-8')).digest()
).decode('utf-8').rstrip('=')
""",
    """
# Start OAuth flow
auth_response = mcp_client.call_tool("oauth_authorize", {
    "client_id": client_id,
    "redirect_uri": "http://localhost:3000/oauth/callback",
    "state": "random_state_value",
    "code_challenge": code_challenge,
    "code_challenge_method": "S256"
})

challenge_id = auth_response["challenge_id"]
""",
    """
# Authenticate with existing Supabase credentials
auth_result = mcp_client.call_tool("oauth_authenticate", {
    "challenge_id": challenge_id,
    "username": "user@example.com",
    "password": "user_password"
})

authorization_code = auth_result["code"]
""",
    """
# Exchange code for access token
token_response = mcp_client.call_tool("oauth_token", {
    "grant_type": "authorization_code",
    "code": authorization_code,
    "client_id": client_id,
    "code_verifier": code_verifier
})

access_token = token_response["access_token"]
""",
)

CURL = """curl -X POST http://localhost:8000/api/mcp \\
  -H "Content-Type: application/json" \\
  -d '{"method": "oauth_register_client", "params": {"client_data": {"redirect_uris": ["http://localhost:3000/callback"]}}}'
"""


class McpClient:
    """The guide's `mcp_client` over the official one; call it from another thread."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()

    def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._wait(self._call(name, arguments))

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        result = await self._client.call_tool(name, dict(arguments))
        assert not result.is_error, result.content
        assert result.structured_content is not None
        return result.structured_content

    def _wait(self, coroutine: Coroutine[Any, Any, Mapping[str, Any]]) -> Mapping[str, Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)


class PlainClient(McpClient):
    """The guide's `mcp_client` over its plain POST."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._loop = asyncio.get_running_loop()

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        body = {"method": name, "params": dict(arguments)}
        async with self._session.post(self._url, json=body) as answer:
            document = await answer.json()
            assert answer.status == 200, document
            result: Mapping[str, Any] = document["result"]
            return result


async def walk(mcp_client: McpClient) -> dict[str, Any]:
    """Run the five steps; gives all the names they set."""
    names: dict[str, Any] = {"mcp_client": mcp_client}

    def run() -> None:
        for step in STEPS:
            exec(step, names)  # noqa: S102 - the guide is the test

    await asyncio.to_thread(run)
    return names
