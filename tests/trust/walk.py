"""A person, a browser and a client against a running server, keeping every secret that passes.

    walk = Walk(server.url)
    client = walk.register()
    code = walk.code(client)

Unlike the scripted browser it remembers what it saw (`secrets`), for tests that look for it later.
"""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.endpoints.gate import Pkce, answer_of, hidden
from tests.live import ALICE, Person

WEB = "https://client.example/callback"
TLS = ssl.create_default_context()  # nothing here uses it, and making one a client costs 17 ms
ACCEPT = {"accept": "application/json, text/event-stream"}


class Walk:
    """One person in one browser; each client's PKCE pair is the latest one it used."""

    def __init__(self, url: str, person: Person = ALICE) -> None:
        self.url = url
        self.person = person
        self.http = httpx2.Client(base_url=url, timeout=30, verify=TLS)
        self.secrets: dict[str, str] = {}
        self.pkce = Pkce()

    def keep(self, kind: str, value: str) -> str:
        """Remember a secret by what it was first; returns it."""
        self.secrets.setdefault(value, kind)
        return value

    # --- the client --------------------------------------------------------------------------

    def register(self, **metadata: Any) -> dict[str, Any]:
        document = {
            "redirect_uris": [WEB],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            **metadata,
        }
        answer = self.http.post("/oauth/register", json=document)
        assert answer.status_code == 201, answer.text
        client: dict[str, Any] = answer.json()
        if "client_secret" in client:
            self.keep("client secret", client["client_secret"])
        return client

    def question(self, client: Mapping[str, Any], **changes: str) -> dict[str, str]:
        self.pkce = Pkce()
        self.keep("verifier", self.pkce.verifier)
        return {
            "response_type": "code",
            "client_id": client["client_id"],
            "redirect_uri": client["redirect_uris"][0],
            "code_challenge": self.pkce.challenge,
            "code_challenge_method": "S256",
            "state": secrets.token_urlsafe(16),
            **changes,
        }

    def token(self, client: Mapping[str, Any], **form: str) -> httpx2.Response:
        secret = client.get("client_secret")
        known = {"client_id": client["client_id"]} | ({"client_secret": secret} if secret else {})
        answer = self.http.post("/oauth/token", data={**known, **form})
        for kind in ("access_token", "refresh_token"):
            if answer.status_code == 200 and kind in answer.json():
                self.keep(kind, answer.json()[kind])
        return answer

    def exchange(self, client: Mapping[str, Any], code: str, **changes: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code}
        return self.token(client, **{**form, "code_verifier": self.pkce.verifier, **changes})

    def refresh(self, client: Mapping[str, Any], token: str, **changes: str) -> httpx2.Response:
        return self.token(client, grant_type="refresh_token", refresh_token=token, **changes)

    def tokens(self, client: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.exchange(client, self.code(client))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def tool(self, name: str, **params: Any) -> httpx2.Response:
        return self.http.post("/api/mcp", json={"method": name, "params": params})

    # --- the person --------------------------------------------------------------------------

    def page(self, path: str, **headers: str) -> httpx2.Response:
        """A page, as somebody's own browser loads it when they typed the address."""
        sent = {"sec-fetch-site": "none", "sec-fetch-dest": "document", **headers}
        return self._seen(self.http.get(path, headers=sent))

    def ask(self, question: Mapping[str, str], **headers: str) -> httpx2.Response:
        """Open the authorization endpoint and the page it leads to."""
        begun = self._seen(
            self.http.get(
                "/oauth/authorize", params=question, headers={"sec-fetch-site": "none", **headers}
            )
        )
        assert begun.status_code == 303, begun.text
        self.keep("handle", begun.headers["location"].partition("request=")[2])
        return self.page(begun.headers["location"])

    def sign_in(self, page: httpx2.Response, password: str | None = None) -> httpx2.Response:
        """Fill in the form; the next page, or the form again."""
        given = self.keep("password", password or self.person.password)
        form = {**hidden(page.text, "/oauth/sign-in"), "username": self.person.email}
        answer = self._seen(self.http.post("/oauth/sign-in", data={**form, "password": given}))
        return self.page(answer.headers["location"]) if answer.status_code == 303 else answer

    def decide(self, page: httpx2.Response, decision: str = "approve") -> httpx2.Response:
        form = {**hidden(page.text, "/oauth/consent"), "decision": decision}
        return self.http.post("/oauth/consent", data=form)

    def code(self, client: Mapping[str, Any], **changes: str) -> str:
        """Sign in if need be, approve, and take the code from the redirect."""
        page = self.ask(self.question(client, **changes))
        if 'action="/oauth/sign-in"' in page.text:
            page = self.sign_in(page)
        # What was allowed before may be answered without a page.
        answer = self.decide(page) if page.status_code == 200 else page
        assert answer.status_code == 303, answer.text
        return self.keep("code", answer_of(answer.headers["location"])["code"])

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        for name, value in answer.cookies.items():
            self.keep(f"cookie {name}", value)
        for action in ("/oauth/sign-in", "/oauth/consent", "/oauth/sign-out"):
            if f'action="{action}"' in answer.text:
                self.keep("form token", hidden(answer.text, action)["form_token"])
        return answer

    def close(self) -> None:
        self.http.close()


def call(url: str, token: str, tool: str = "whoami", **headers: str) -> httpx2.Response:
    """Call a tool of the protected MCP server."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}
    with httpx2.Client(timeout=30, verify=TLS) as http:
        return http.post(
            url + "/mcp",
            json=body,
            headers={**ACCEPT, "authorization": f"Bearer {token}", **headers},
        )


def result_of(answer: httpx2.Response) -> dict[str, Any]:
    """What a tool answered, from JSON or from the one event of a stream."""
    assert answer.status_code == 200, answer.text
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line[5:] for line in text.splitlines() if line.startswith("data:"))
    found: dict[str, Any] = json.loads(text)["result"]["structuredContent"]
    return found
