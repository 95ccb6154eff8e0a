"""The steps of the demo: their order, what each must answer, and how each is shown.

What passes over the wire is recorded as it happens and told in plain words, with tokens and codes
shortened. An answer that is not as it must be is remembered here, because the MCP client may hide
it behind an error of its own. Never here: who sends the requests (`demo_walk`).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from rich.console import Console
from rich.text import Text

from authgate.cli.demo_server import DemoFailed
from authgate.cli.demo_visitor import Move

SHOWN = 4  # characters at each end of a secret value: to recognise it, of no use to anybody else


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its key, the words for it, and the status it must have."""

    key: str
    title: str
    status: int


STEPS = (
    Step("challenge", "The client calls the MCP server without a token", 401),
    Step("resource", "It reads which authorization server protects it", 200),
    Step("metadata", "It reads what that authorization server can do", 200),
    Step("register", "It registers itself", 201),
    Step("authorize", "It sends the person's browser to sign in, with a PKCE challenge", 303),
    Step("sign-in", "The person signs in", 303),
    Step("consent", "The person allows the client", 303),
    Step("token", "The client exchanges the code and its PKCE verifier for tokens", 200),
    Step("call", "It calls the protected tool whoami", 200),
    Step("refresh", "The token is treated as expired: the client refreshes it", 200),
    Step("call-again", "It calls whoami with the new token", 200),
    Step("revoke", "The client revokes what it was given", 200),
    Step("refused", "The revoked token opens nothing any more", 401),
)
_PAGES = {
    "/oauth/sign-in": "sign-in",
    "/oauth/factor": "sign-in",  # its second half, where a second factor is due
    "/oauth/start/github": "sign-in",  # away, and back: all of it is the one step
    "/oauth/start/google": "sign-in",
    "/oauth/callback": "sign-in",
    "/oauth/consent": "consent",
}
_BY_KEY = {step.key: step for step in STEPS}


class Trail:
    """What happened so far, printed as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: dict[int, float] = {}
        self.seen: list[str] = []
        self.problem: str | None = None

    # --- what the client sends, by httpx2's event hooks -------------------------------------------

    async def sent(self, request: httpx2.Request) -> None:
        self._began[id(request)] = time.perf_counter()

    async def answered(self, response: httpx2.Response) -> None:
        took = time.perf_counter() - self._began.pop(id(response.request), time.perf_counter())
        key = self._key_of(response)
        if key in ("resource", "metadata", "register", "token", "refresh"):
            await response.aread()
        request = response.request
        asked = f"{request.method} {request.url.path}{_asked(request)}"
        self.note(key, asked, response.status_code, _came(key, response), took)

    def moved(self, move: Move) -> None:
        """What the person's browser did."""
        asked, came = f"{move.method} {move.address}", _ended(move)
        if not move.elsewhere:
            key = _PAGES.get(move.address, "authorize")
            self.note(key, asked, move.status, came, move.seconds)
            return
        right = move.status < 400  # how others do it is theirs, as long as it goes on
        self._exchange(asked, move.status, came, move.seconds, right=right)
        if not right and self.problem is None:
            self.problem = f"{move.address} answered {move.status}."

    def _key_of(self, response: httpx2.Response) -> str:
        path, request = response.request.url.path, response.request
        if path.startswith("/.well-known/oauth-protected-resource"):
            return "resource"
        if path.startswith("/.well-known/"):
            return "metadata"
        if path == "/oauth/token":
            grant = dict(parse_qsl(request.content.decode())).get("grant_type")
            return "refresh" if grant == "refresh_token" else "token"
        if path in ("/oauth/register", "/oauth/revoke"):
            return path.removeprefix("/oauth/")
        if "authorization" not in request.headers:
            return "challenge"
        if "revoke" in self.seen:
            return "refused"
        return "call-again" if "refresh" in self.seen else "call"

    # --- telling ----------------------------------------------------------------------------------

    def note(self, key: str, asked: str, status: int, came: str, seconds: float) -> None:
        """Print one exchange under its step, and judge it."""
        step = _BY_KEY[key]
        if not self.seen or self.seen[-1] != key:
            self.seen.append(key)
            self._print(Text(f"\n{len(self.seen):>2}  {step.title}", style="bold"))
        # The notification that ends the handshake of the earlier protocol is 202.
        right = status == step.status or (key.startswith("call") and status == 202)
        self._exchange(asked, status, came, seconds, right=right)
        if not right and self.problem is None:
            self.problem = f"{step.title}: the answer was {status} and must be {step.status}."

    def _exchange(self, asked: str, status: int, came: str, seconds: float, *, right: bool) -> None:
        line = Text("    ← ", style="dim")
        line.append(str(status), style="green" if right else "bold red")
        line.append(f" {came}".rstrip(), style="default")
        line.append(f"  {seconds * 1000:.1f} ms", style="dim")
        self._print(Text("    → ", style="dim").append(asked, style="default"))
        self._print(line)

    def say(self, text: str) -> None:
        """Print a remark below the last exchange."""
        self._print(Text(f"      {text}", style="cyan"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def must_be_complete(self) -> None:
        """Every step came, once, in its order."""
        expected = [step.key for step in STEPS]
        if self.problem is not None:
            raise DemoFailed(self.problem)
        if self.seen != expected:
            missing = [_BY_KEY[key].title for key in expected if key not in self.seen]
            raise DemoFailed(f"steps are missing or out of order: {missing or self.seen}")


# --- short words for what passed ------------------------------------------------------------------


def shorten(secret: str) -> str:
    """A few characters of a token or code."""
    return f"{secret[:SHOWN]}…{secret[-SHOWN:]}" if len(secret) > 4 * SHOWN else secret


def claims(token: str) -> dict[str, Any]:
    """What an access token says of itself; nobody relies on it here."""
    found: dict[str, Any] = {}
    for part in token.split(".")[:2]:
        found |= json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _asked(request: httpx2.Request) -> str:
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        body = json.loads(request.content)
        name = body.get("params", {}).get("name", "") if "method" in body else ""
        return f"  {body.get('method', body.get('client_name', ''))} {name}".rstrip()
    if "form" in kind:
        form = dict(parse_qsl(request.content.decode()))
        return f"  {form.get('grant_type') or shorten(form.get('token', ''))}"
    return ""


def _came(key: str, response: httpx2.Response) -> str:
    if response.status_code == 401:
        return "WWW-Authenticate: " + response.headers.get("www-authenticate", "(none)")
    if key not in ("resource", "metadata", "register", "token", "refresh"):
        return ""
    document = response.json()
    if response.status_code >= 400:
        return f"{document.get('error')}: {document.get('error_description')}"
    match key:
        case "resource":
            return f"authorization_servers: {' '.join(document['authorization_servers'])}"
        case "metadata":
            methods: Sequence[str] = document["code_challenge_methods_supported"]
            return f"issuer: {document['issuer']}, PKCE: {' '.join(methods)}"
        case "register":
            return f"client_id: {document['client_id']}"
        case _:
            token = document["access_token"]
            return (
                f"access_token {shorten(token)} ({claims(token)['alg']}, "
                f"{document['expires_in']} s, scope {document['scope']}), "
                f"refresh_token {shorten(document.get('refresh_token', '(none)'))}"
            )


def _ended(move: Move) -> str:
    match move.ended:
        case "page":
            return f"page “{move.then}”"
        case "on":
            return f"on to {move.then}"
        case "back":
            return _redirect(move.then)


def _redirect(url: str) -> str:
    parts = urlsplit(url)
    query = {name: shorten(value) for name, value in parse_qsl(parts.query) if name != "iss"}
    words = " ".join(f"{name}={value}" for name, value in query.items())
    return f"back to {parts.scheme}://{parts.netloc}{parts.path} with {words} and iss"
