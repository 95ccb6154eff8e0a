"""An OAuth client spoken by hand, for what no real client can be made to send.

It shows every request as it is on the wire and judges nothing: tests do. The browser part is the
scripted person, as for every other client.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from tests.live import ALICE, LiveServer, Person
from tests.scripted_browser import ScriptedBrowser

CALLBACK = "http://127.0.0.1/callback"
"""A loopback redirect URI; nobody listens there, the scripted browser stops before it."""


def verifier_and_challenge() -> tuple[str, str]:
    """A PKCE pair (S256)."""
    verifier = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of client_secret_basic."""
    both = f"{client_id}:{secret}".encode()
    return {"Authorization": "Basic " + base64.b64encode(both).decode()}


class Hands:
    """Talks to one server as one application with one person at the browser."""

    def __init__(self, server: LiveServer, person: Person = ALICE) -> None:
        self.server = server
        self.browser = ScriptedBrowser(person.email, person.password, trust=server.trust)
        self.http = httpx2.Client(
            base_url=server.url, timeout=15, trust_env=False, verify=server.trust or True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    # --- registration ------------------------------------------------------------------------

    def register(self, path: str = "/oauth/register", **metadata: Any) -> httpx2.Response:
        """POST a registration as it is given."""
        return self.http.post(path, json=metadata)

    def registered(self, **metadata: Any) -> dict[str, Any]:
        """Register (a public client with `CALLBACK` unless told otherwise); what came back."""
        answer = self.register(
            **{
                "redirect_uris": [CALLBACK],
                "token_endpoint_auth_method": "none",
                "grant_types": ["authorization_code", "refresh_token"],
                **metadata,
            }
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    # --- authorization -----------------------------------------------------------------------

    def authorize_url(
        self,
        client_id: str,
        challenge: str,
        redirect_uri: str = CALLBACK,
        *,
        path: str = "/oauth/authorize",
        **more: str,
    ) -> str:
        """The URL an application opens; `more` adds to it or replaces."""
        parameters = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "state": secrets.token_urlsafe(8),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{self.server.url}{path}?{urlencode(parameters)}"

    def answer(self, url: str) -> dict[str, str]:
        """Let the person sign in and approve; the parameters that came back to the application."""
        asked = dict(parse_qsl(urlsplit(url).query))
        back = self.browser.walk(url, callback=asked["redirect_uri"])
        given = dict(parse_qsl(urlsplit(back).query))
        assert given.get("state") == asked["state"]
        assert given.get("iss") == self.server.url
        return given

    def code(self, client_id: str, redirect_uri: str = CALLBACK, **more: str) -> tuple[str, str]:
        """A fresh code with its verifier."""
        verifier, challenge = verifier_and_challenge()
        given = self.answer(self.authorize_url(client_id, challenge, redirect_uri, **more))
        return given["code"], verifier

    # --- tokens ------------------------------------------------------------------------------

    def token(
        self, path: str = "/oauth/token", headers: dict[str, str] | None = None, **form: str
    ) -> httpx2.Response:
        """POST to the token endpoint as it is given."""
        return self.http.post(path, data=form, headers=headers or {})

    def exchange(self, client_id: str, code: str, verifier: str, **more: str) -> httpx2.Response:
        """Redeem a code as a public client."""
        return self.token(
            grant_type="authorization_code",
            client_id=client_id,
            code=code,
            code_verifier=verifier,
            **more,
        )

    def refresh(self, client_id: str, refresh_token: str, **more: str) -> httpx2.Response:
        """Refresh as a public client."""
        return self.token(
            grant_type="refresh_token", client_id=client_id, refresh_token=refresh_token, **more
        )

    def tokens(self, client_id: str, redirect_uri: str = CALLBACK, **more: str) -> dict[str, Any]:
        """The whole way to a token answer."""
        code, verifier = self.code(client_id, redirect_uri, **more)
        answer = self.exchange(client_id, code, verifier, redirect_uri=redirect_uri)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # --- the protected server ----------------------------------------------------------------

    def knock(
        self, access_token: str | None = None, tool: str = "whoami", **arguments: Any
    ) -> httpx2.Response:
        """Call a tool with one self-contained request (MCP 2026-07-28)."""
        version = "2026-07-28"
        headers = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        if access_token is not None:
            headers["Authorization"] = f"Bearer {access_token}"
        meta = {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": {"name": "by hand", "version": "0"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta},
        }
        return self.http.post("/mcp", json=call, headers=headers)

    def tool(self, access_token: str, name: str, **arguments: Any) -> dict[str, Any]:
        """What a tool of the protected server answers."""
        answer = self.knock(access_token, name, **arguments)
        assert answer.status_code == 200, answer.text
        text = answer.text
        if answer.headers["content-type"].startswith("text/event-stream"):
            data = [line[5:] for line in text.splitlines() if line.startswith("data:")]
            text = data[-1]
        return json.loads(text)["result"]["structuredContent"]

    def whoami(self, access_token: str) -> dict[str, Any]:
        """Whom the token speaks for, as the protected server sees it."""
        return self.tool(access_token, "whoami")
