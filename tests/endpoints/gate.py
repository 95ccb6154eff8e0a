"""A whole authgate in this process, spoken to over ASGI with a real HTTP client library.

The clock can be moved; everything else is what `authgate serve` runs.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from authgate import app as application
from authgate.directories.people import add_person
from authgate.settings import Settings

EMAIL, PASSWORD = "alice@example.com", "correct horse battery staple"
REDIRECT = "http://localhost:3000/oauth/callback"


class Pkce:
    """A fresh verifier and its challenge, made as the guide makes them."""

    def __init__(self) -> None:
        self.verifier = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Gate:
    """One running application with one person, Alice."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        self.app = application.build(chosen)
        self.url = chosen.public
        self.core = self.app.core

    async def start(self) -> None:
        await self.app.start()
        await add_person(self.core.store, self.core.passwords, EMAIL, PASSWORD, application.now())

    async def stop(self) -> None:
        await self.app.stop()

    def http(self, **options: Any) -> httpx2.AsyncClient:
        """A client with a cookie jar of its own, that follows no redirect."""
        transport = httpx2.ASGITransport(app=self.app, client=("127.0.0.1", 50000))
        origin = "/".join(self.url.split("/")[:3])
        return httpx2.AsyncClient(transport=transport, base_url=origin, **options)

    async def register(self, **metadata: Any) -> dict[str, Any]:
        document = {
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            **metadata,
        }
        async with self.http() as http:
            answer = await http.post("/oauth/register", json=document)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def question(self, client: dict[str, Any], pkce: Pkce, **changes: Any) -> dict[str, Any]:
        """The parameters of a faultless authorization request; None removes one."""
        asked = {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": client["redirect_uris"][0],
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "state": "a state",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    async def authorize(self, client: dict[str, Any], pkce: Pkce, **changes: Any) -> str:
        """Sign in and approve as a person does; the URL the browser is sent to in the end."""
        async with self.http() as http:
            begun = await http.get(
                "/oauth/authorize",
                params=self.question(client, pkce, **changes),
                headers={"sec-fetch-site": "none"},
            )
            assert begun.status_code == 303, begun.text
            page = await http.get(begun.headers["location"])
            page = await http.post(
                "/oauth/sign-in",
                data={
                    **hidden(page.text, "/oauth/sign-in"),
                    "username": EMAIL,
                    "password": PASSWORD,
                },
            )
            assert page.status_code == 303, page.text
            page = await http.get(page.headers["location"])
            page = await http.post(
                "/oauth/consent",
                data={**hidden(page.text, "/oauth/consent"), "decision": "approve"},
            )
            assert page.status_code == 303, page.text
            return page.headers["location"]

    async def code(self, client: dict[str, Any], pkce: Pkce, **changes: Any) -> str:
        return answer_of(await self.authorize(client, pkce, **changes))["code"]

    async def token(self, auth: Any = None, **form: Any) -> httpx2.Response:
        async with self.http() as http:
            sent = {name: value for name, value in form.items() if value is not None}
            return await http.post("/oauth/token", data=sent, auth=auth)

    async def exchange(
        self, client: dict[str, Any], code: str, pkce: Pkce, /, **changes: Any
    ) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            **posted(client),
            "code": code,
            "code_verifier": pkce.verifier,
            "redirect_uri": client["redirect_uris"][0],
            **changes,
        }
        return await self.token(**form)

    async def tokens(self, client: dict[str, Any], **changes: Any) -> dict[str, Any]:
        pkce = Pkce()
        answer = await self.exchange(client, await self.code(client, pkce, **changes), pkce)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refresh(
        self, client: dict[str, Any], refresh_token: str, **changes: Any
    ) -> httpx2.Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": client["client_id"],
            "refresh_token": refresh_token,
            **changes,
        }
        return await self.token(**form)

    async def call(self, token: str | None, **headers: str) -> httpx2.Response:
        """One request to the guarded MCP endpoint; 200 when the guard let it through."""
        sent = {"accept": "application/json, text/event-stream", **headers}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        }
        async with self.http() as http:
            return await http.post("/mcp", json=body, headers=sent)


def posted(client: dict[str, Any]) -> dict[str, str]:
    """How a client that does not use the header identifies itself."""
    known = {"client_id": client["client_id"]}
    if client["token_endpoint_auth_method"] == "client_secret_post":
        known["client_secret"] = client["client_secret"]
    return known


def hidden(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form that posts to `action`, by name."""
    fields = {}
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if f'action="{action}"' not in form:
            continue
        for tag in re.findall(r"<input[^>]*>", form):
            attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
            if attributes.get("type") == "hidden":
                fields[attributes["name"]] = unescape(attributes["value"])
    assert fields, page
    return fields


def answer_of(url: str) -> dict[str, str]:
    """The query of a redirect, each member once."""
    members = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in members.values()), url
    return {name: values[0] for name, values in members.items()}
