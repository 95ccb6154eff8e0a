"""The requests that are sent, as the bytes of HTTP/1.1: alike for every server that has the path.

They are what an MCP client sends: a public client with PKCE and the `resource` parameter.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from bench.load import Next

REDIRECT_URI = "http://localhost:33418/callback"
# One verifier for all codes: checking it costs the same, and making thousands is not what is asked.
VERIFIER = "bench-verifier-0123456789-abcdefghijklmnopqrstuv"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
REGISTRATION = {
    "client_name": "Bench MCP client",
    "redirect_uris": [REDIRECT_URI],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "scope": "mcp:use",
}

_FORM = {"content-type": "application/x-www-form-urlencoded"}
_JSON = {"content-type": "application/json"}
_MCP = _JSON | {"accept": "application/json, text/event-stream"}
_PROTOCOL = "2026-07-28"
_META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a server has what is measured; None: it has no such thing."""

    discovery: str | None = "/.well-known/oauth-authorization-server"
    jwks: str | None = None
    register: str = "/register"
    authorize: str = "/authorize"
    token: str = "/token"


def get(path: str, port: int) -> bytes:
    """A GET of a document."""
    return _message("GET", path, port, {"accept": "*/*"})


def post(path: str, port: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A POST."""
    return _message("POST", path, port, {**headers, "content-length": str(len(body))}) + body


def registration(path: str, port: int) -> bytes:
    """A client registers itself (RFC 7591)."""
    return post(path, port, json.dumps(REGISTRATION).encode(), _JSON)


def authorization(path: str, port: int, client_id: str) -> bytes:
    """A browser is sent to the authorization endpoint; the peers answer at once with a code."""
    query = urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s",
            "resource": resource(port),
        }
    )
    return get(f"{path}?{query}", port)


def exchange(path: str, port: int, client_id: str, code: str) -> bytes:
    """A code for tokens."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT_URI,
        "client_id": client_id,
        "code_verifier": VERIFIER,
        "resource": resource(port),
    }
    return post(path, port, urlencode(form).encode(), _FORM)


def refreshing(path: str, port: int, client_id: str, refresh_token: str) -> Next:
    """One chain of rotating refresh tokens: each request presents what the last answer brought."""
    rest = urlencode({"client_id": client_id, "resource": resource(port)})
    token = refresh_token

    def following(body: bytes | None) -> bytes:
        nonlocal token
        if body is not None:
            token = refresh_token_in(body)
        form = f"grant_type=refresh_token&refresh_token={token}&{rest}"
        return post(path, port, form.encode(), _FORM)

    return following


def refresh_token_in(body: bytes) -> str:
    """The refresh token of a token answer."""
    value: str = json.loads(body)["refresh_token"]
    return value


def access_token_in(body: bytes) -> str:
    """The access token of a token answer."""
    value: str = json.loads(body)["access_token"]
    return value


def call_add(port: int, access_token: str | None) -> bytes:
    """The tool `add` is called as in protocol revision 2026-07-28: one POST, complete in itself."""
    meta = {
        _META + "protocolVersion": _PROTOCOL,
        _META + "clientInfo": {"name": "bench", "version": "1"},
        _META + "clientCapabilities": {},
    }
    params = {"name": "add", "arguments": {"a": 2, "b": 40}, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        **_MCP,
        "mcp-protocol-version": _PROTOCOL,
        "mcp-method": "tools/call",
        "mcp-name": "add",
    }
    if access_token is not None:
        headers["authorization"] = f"Bearer {access_token}"
    return post("/mcp", port, json.dumps(call).encode(), headers)


def open_stream(port: int, access_token: str | None) -> bytes:
    """A client listens for what the server has to say."""
    headers = {"accept": "text/event-stream", "mcp-protocol-version": "2025-11-25"}
    if access_token is not None:
        headers["authorization"] = f"Bearer {access_token}"
    return _message("GET", "/mcp", port, headers)


def list_sign_in_tools(port: int) -> bytes:
    """The tools at /api/mcp are listed."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {**_MCP, "mcp-protocol-version": "2025-11-25"}
    return post("/api/mcp", port, json.dumps(call).encode(), headers)


def resource(port: int) -> str:
    """The MCP server that tokens are for."""
    return f"http://127.0.0.1:{port}/mcp"


def _message(method: str, path: str, port: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
