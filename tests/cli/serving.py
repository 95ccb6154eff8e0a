"""A client by hand for a server that runs: register, sign in, exchange, call, in a few lines.

The real clients are in tests/clients; here the question is the server's life, not the protocol.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from authgate.cli.demo_visitor import Visitor
from tests.cli.conftest import PASSWORD, Operator

STARTS_WITHIN = 30.0
CALLBACK = "http://localhost:3000/callback"


class Server:
    """A running authgate; what it said so far is in `said`."""

    def __init__(self, operator: Operator, *arguments: str) -> None:
        self.log = operator.folder / "server.log"
        with self.log.open("wb") as log:
            self.process = operator.start(
                "authgate", "serve", "--port", "0", *arguments, stdout=log, stderr=log
            )
        self.url = self._url()
        self._until_it_answers()

    @property
    def said(self) -> str:
        return self.log.read_text()

    def stop(self) -> tuple[int, float]:
        """SIGTERM to the one process an operator knows: its exit code, and how long it took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(20), time.monotonic() - began

    def get(self, path: str) -> Any:
        return httpx2.get(self.url + path, trust_env=False).json()

    def _url(self) -> str:
        """The public URL as the banner names it, with the port that was free."""
        ends = time.monotonic() + STARTS_WITHIN
        while not (found := re.search(r"public URL +(http://localhost:[0-9]+)\n", self.said)):
            assert self.process.poll() is None, self.said
            assert time.monotonic() < ends, self.said
            time.sleep(0.02)
        return found[1]

    def _until_it_answers(self) -> None:
        """The port is taken before the banner, so this waits in the listener's queue."""
        port = urlsplit(self.url).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=STARTS_WITHIN)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()


@contextmanager
def running(operator: Operator, *arguments: str) -> Iterator[Server]:
    """A server that is gone afterwards, whatever happened."""
    server = Server(operator, *arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.terminate()
            server.process.wait(20)


class HandClient:
    """A public client at `server`, with whatever it was given last."""

    def __init__(self, server: Server, email: str = "ada@example.com") -> None:
        self.server = server
        self.email = email
        self.tokens: dict[str, Any] = {}
        metadata = {
            "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        }
        answer = self._post("/oauth/register", json=metadata)
        assert answer.status_code == 201, answer.text
        self.client_id: str = answer.json()["client_id"]

    def sign_in(self) -> None:
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "state": "s",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        with Visitor(self.email, PASSWORD) as visitor:
            back = visitor.follow(f"{self.server.url}/oauth/authorize?{urlencode(query)}")
        code = parse_qs(urlsplit(back).query)["code"][0]
        self._token({"grant_type": "authorization_code", "code": code, "code_verifier": verifier})

    def refresh(self) -> None:
        self._token({"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]})

    def call(self) -> int:
        """The status of a guarded call; no MCP client, so a good one is not 401 and no more."""
        headers = {
            "authorization": f"Bearer {self.tokens['access_token']}",
            "accept": "application/json, text/event-stream",
        }
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        return self._post("/mcp", json=call, headers=headers).status_code

    @property
    def kid(self) -> str:
        head = self.tokens["access_token"].split(".")[0]
        found: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
        return found

    def _token(self, form: dict[str, str]) -> None:
        answer = self._post("/oauth/token", data={**form, "client_id": self.client_id})
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()

    def _post(self, path: str, **more: Any) -> httpx2.Response:
        return httpx2.post(self.server.url + path, trust_env=False, timeout=30, **more)
