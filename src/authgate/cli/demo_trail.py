"""What happens in the demo, step by step: judged and shown as it passes.

What passes over the wire is told in plain words, with tokens and codes shortened. An answer that is
not as it must be is remembered here, because the MCP client may hide it behind an error of its own.
Never here: who sends the requests (`demo_walk`), and which steps there are (`demo_steps`).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
from rich.console import Console
from rich.text import Text

from authgate.cli.demo_server import DemoFailed
from authgate.cli.demo_steps import BUILTIN, Plan
from authgate.cli.demo_visitor import Move

SHOWN = 4  # characters at each end of a secret value: to recognise it, of no use to anybody else


class Trail:
    """What happened so far, printed as it happens."""

    def __init__(self, console: Console, plan: Plan = BUILTIN) -> None:
        self._console = console
        self._plan = plan
        self._by_key = {step.key: step for step in plan.steps}
        self._began: dict[int, float] = {}
        self._home = ""
        self.seen: list[str] = []
        self.problem: str | None = None

    # --- what the client sends, by httpx2's event hooks -------------------------------------------

    async def sent(self, request: httpx2.Request) -> None:
        self._began[id(request)] = time.perf_counter()
        self._home = self._home or request.url.netloc.decode()  # it calls us first of all

    async def answered(self, response: httpx2.Response) -> None:
        took = time.perf_counter() - self._began.pop(id(response.request), time.perf_counter())
        key = self._key_of(response)
        if key in ("resource", "metadata", "register", "token", "refresh"):
            await response.aread()
        request = response.request
        url = request.url
        elsewhere = url.netloc.decode() != self._home
        address = f"{url.scheme}://{url.netloc.decode()}{url.path}" if elsewhere else url.path
        asked = f"{request.method} {address}{_asked(request)}"
        self.note(key, asked, response.status_code, _came(key, response), took)

    def moved(self, move: Move) -> None:
        """What the person's browser did."""
        asked, came = f"{move.method} {move.address}", _ended(move)
        key = self._plan.pages.get(move.address, "" if move.elsewhere else "authorize")
        if key:
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
        if path in ("/oauth/token", "/oauth2/token"):
            grant = dict(parse_qsl(request.content.decode())).get("grant_type")
            return "refresh" if grant == "refresh_token" else "token"
        if path in ("/oauth/register", "/oauth2/register", "/oauth/revoke"):
            return path.rpartition("/")[2]
        if "authorization" not in request.headers:
            return "challenge"
        if "revoke" in self.seen or "shut-out" in self.seen:
            return "refused"
        return "call-again" if "refresh" in self.seen else "call"

    # --- telling ----------------------------------------------------------------------------------

    def note(self, key: str, asked: str, status: int, came: str, seconds: float) -> None:
        """Print one exchange under its step, and judge it."""
        step = self._by_key[key]
        self.begin(key)
        # The notification that ends the handshake of the earlier protocol is 202.
        right = status == step.status or (key.startswith("call") and status == 202)
        self._exchange(asked, status, came, seconds, right=right)
        if not right and self.problem is None:
            self.problem = f"{step.title}: the answer was {status} and must be {step.status}."

    def begin(self, key: str) -> None:
        """Print the head of a step, unless that is the one we are in."""
        if not self.seen or self.seen[-1] != key:
            self.seen.append(key)
            title = self._by_key[key].title
            self._print(Text(f"\n{len(self.seen):>2}  {title}", style="bold"))

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
        expected = [step.key for step in self._plan.steps]
        if self.problem is not None:
            raise DemoFailed(self.problem)
        if self.seen != expected:
            missing = [self._by_key[key].title for key in expected if key not in self.seen]
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
                f"{document['expires_in']} s{_scope(document)}), "
                f"refresh_token {shorten(document.get('refresh_token', '(none)'))}"
            )


def _scope(document: dict[str, Any]) -> str:
    """It may be left out where all was granted that was asked for (RFC 6749 section 5.1)."""
    return f", scope {document['scope']}" if "scope" in document else ""


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
    query = dict(parse_qsl(parts.query))
    named = query.pop("iss", None)
    words = " ".join(f"{name}={shorten(value)}" for name, value in query.items())
    iss = " and iss" if named is not None else ""
    return f"back to {parts.scheme}://{parts.netloc}{parts.path} with {words}{iss}"
