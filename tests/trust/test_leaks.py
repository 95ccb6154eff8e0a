"""A debug-level server is walked through everything, and then every secret is looked for.

Promise 27. What was used (passwords right and wrong, codes, verifiers, tokens, client secrets,
cookies, handles, form tokens, the secret key) is searched in the log, the audit trail, the raw
bytes of every database file, the bodies of errors and the process list. Digests may be there,
argon2 hashes and the sealed signing key too; the values themselves may not.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.clauses import clause
from tests.live import ALICE, LiveServer, Person
from tests.trust.walk import Walk, call

KEY = secrets.token_urlsafe(48)
# Nothing that also stands somewhere for another reason: found means leaked.
EVE = Person("eve@example.com", secrets.token_urlsafe(24))


class Told:
    """Everything a walk leaves behind."""

    def __init__(self, server: LiveServer, walk: Walk, errors: list[str]) -> None:
        self.secrets = dict(walk.secrets)
        self.errors = errors
        self.log = server.logs()
        data = server.folder / "data"
        self.files = {path.name: path.read_bytes() for path in sorted(data.iterdir())}
        self.audit = _audit(data / "authgate.db")
        self.processes = subprocess.run(
            ["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True
        ).stdout


def _audit(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return "\n".join(map(str, db.execute("SELECT * FROM audit_events")))


@pytest.fixture(scope="module")
def told() -> Told:
    settings = {"LOG_LEVEL": "DEBUG", "AUTHGATE_SECRET_KEY": KEY, "AUTHGATE_REFRESH_GRACE": "0"}
    with LiveServer(env=settings, people=(ALICE, EVE)) as server:
        with closing(Walk(server.url, EVE)) as walk:
            walk.keep("secret key", KEY)
            errors = everything(walk)
            # Looked at while it runs: -wal and -shm are there, and so is the process.
            found = Told(server, walk, errors)
        server.stop()
        for path in (server.folder / "data").iterdir():
            found.files[f"{path.name} after the end"] = path.read_bytes()
        found.log += server.logs()
    return found


def everything(walk: Walk) -> list[str]:
    """One of each thing that can be done, right and wrong; the bodies of all refusals."""
    refused: list[Any] = []
    _sign_in_wrongly(walk, refused)
    for method in ("none", "client_secret_post"):
        client = walk.register(token_endpoint_auth_method=method)
        code = walk.code(client)
        refused.append(walk.exchange(client, code, code_verifier=_made(walk, "wrong verifier")))
        first = walk.exchange(client, code).json()
        assert call(walk.url, first["access_token"]).status_code == 200
        second = walk.refresh(client, first["refresh_token"]).json()
        third = walk.refresh(client, second["refresh_token"]).json()
        if method != "none":
            walk.http.post("/oauth/introspect", data=_posted(client, third["access_token"]))
            wrong = {**client, "client_secret": _made(walk, "wrong client secret")}
            refused.append(walk.refresh(wrong, third["refresh_token"]))
        refused += [
            walk.exchange(client, code),
            walk.refresh(client, third["refresh_token"]),
            walk.refresh(client, first["refresh_token"]),
            call(walk.url, third["access_token"]),
            call(walk.url, first["refresh_token"]),
            walk.http.get("/mcp?access_token=" + third["access_token"]),
        ]
        fresh = walk.tokens(client)
        walk.http.post("/oauth/revoke", data=_posted(client, fresh["refresh_token"]))
        refused.append(call(walk.url, fresh["access_token"]))
    _use_tools(walk, refused)
    _misplace(walk, refused)
    # JSON-RPC answers 200 for an error as well.
    assert all(a.status_code >= 400 or "error" in a.text.lower() for a in refused)
    return [answer.text + str(answer.headers) for answer in refused]


def _made(walk: Walk, kind: str) -> str:
    return walk.keep(kind, secrets.token_urlsafe(32))


def _posted(client: dict[str, Any], token: str) -> dict[str, str]:
    secret = client.get("client_secret")
    known = {"client_id": client["client_id"], "token": token}
    return known | ({"client_secret": secret} if secret else {})


def _sign_in_wrongly(walk: Walk, refused: list[Any]) -> None:
    page = walk.ask(walk.question(walk.register()))
    refused.append(walk.sign_in(page, _made(walk, "wrong password")))
    assert walk.decide(walk.sign_in(page), "deny").status_code == 303


def _use_tools(walk: Walk, refused: list[Any]) -> None:
    client = walk.tool(
        "oauth_register_client", client_data={"redirect_uris": ["http://localhost:3000/callback"]}
    ).json()["result"]
    walk.keep("client secret", client["client_secret"])
    question = {k: v for k, v in walk.question(client).items() if k != "response_type"}
    opened = walk.tool("oauth_authorize", **question).json()["result"]
    challenge = walk.keep("challenge", opened["challenge_id"])
    who = {"challenge_id": challenge, "username": EVE.email}
    refused.append(
        walk.tool("oauth_authenticate", **who, password=_made(walk, "wrong password in a tool"))
    )
    answered = walk.tool("oauth_authenticate", **who, password=EVE.password).json()["result"]
    form = {
        "grant_type": "authorization_code",
        "code": walk.keep("code", answered["code"]),
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    }
    refused.append(walk.tool("oauth_token", **form, code_verifier=_made(walk, "wrong verifier")))
    tokens = walk.tool("oauth_token", **form, code_verifier=walk.pkce.verifier).json()["result"]
    walk.keep("access_token", tokens["access_token"])


def _misplace(walk: Walk, refused: list[Any]) -> None:
    """Secrets where they do not belong: other fields, other types, malformed messages."""
    for body in (
        {"method": "oauth_authenticate", "params": [_made(walk, "misplaced password")]},
        {"method": "oauth_authenticate", "params": {"password": [_made(walk, "misplaced")]}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": _made(walk, "misplaced")},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [_made(walk, "misplaced")]},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "oauth_authenticate", "arguments": _made(walk, "misplaced")},
        },
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": "oauth_authenticate",
                "arguments": {"challenge_id": 7, "password": _made(walk, "misplaced")},
            },
        },
    ):
        sent = {"accept": "application/json, text/event-stream"}
        refused.append(walk.http.post("/api/mcp", json=body, headers=sent))
    basic = base64.b64encode(f"nobody:{_made(walk, 'misplaced secret')}".encode()).decode()
    refused += [
        walk.http.post(
            "/oauth/token", headers={"authorization": f"Basic {basic}"}, data={"a": "b"}
        ),
        walk.http.post("/oauth/token", data={"client_id": "x", "scope": _made(walk, "misplaced")}),
        walk.http.post("/oauth/token", content=_made(walk, "misplaced body").encode()),
        walk.http.post("/oauth/register", json=[_made(walk, "misplaced")]),
        walk.http.post("/oauth/sign-in", data={"password": _made(walk, "misplaced password")}),
        walk.http.get("/oauth/continue", params={"request": _made(walk, "made-up handle")}),
    ]


def found_in(told: Told, text: str | bytes) -> list[str]:
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return [kind for value, kind in told.secrets.items() if value.encode() in data]


def test_the_walk_used_every_kind_of_secret(told: Told) -> None:
    """Or the searches below would prove nothing."""
    kinds = set(told.secrets.values())
    assert kinds >= {
        *("password", "wrong password", "wrong password in a tool", "misplaced password"),
        *("code", "verifier", "wrong verifier", "access_token", "refresh_token", "challenge"),
        *("client secret", "wrong client secret", "handle", "form token", "secret key"),
        *("cookie authgate-browser", "cookie authgate-session"),
    }
    assert min(map(len, told.secrets)) >= 20
    assert {"authgate.db", "authgate.db-wal", "authgate.db-shm"} <= told.files.keys()
    assert len(told.files["authgate.db-wal"]) > 100_000
    assert len(told.errors) > 25


@clause("ASVS", "16.2.5")
def test_the_log_holds_none(told: Told) -> None:
    assert "request.refused" in told.log
    assert found_in(told, told.log) == []


@clause("ASVS", "16.2.5")
def test_the_audit_trail_holds_none_and_no_digest_of_one(told: Told) -> None:
    assert "consent.given" in told.audit
    assert found_in(told, told.audit) == []
    digests = [hashlib.sha256(value.encode()).hexdigest() for value in told.secrets]
    assert not [digest for digest in digests if digest in told.audit]
    assert EVE.email not in told.audit


@clause("ASVS", "11.4")
def test_the_database_files_hold_none(told: Told) -> None:
    """Raw bytes, the write-ahead log and what a clean end leaves included."""
    leaked = {name: found_in(told, data) for name, data in told.files.items()}
    assert {name: kinds for name, kinds in leaked.items() if kinds} == {}
    everything = b"".join(told.files.values())
    for mark in (b"BEGIN PRIVATE KEY", b"BEGIN EC PRIVATE KEY", b"BEGIN RSA PRIVATE KEY"):
        assert mark not in everything
    assert b"$argon2id$" in everything  # so this really is where they are kept


def test_the_answers_to_what_was_wrong_hold_none(told: Told) -> None:
    """Promise 25: an error reads nothing back that may be a secret.

    The sign-in form shown again is a form: it carries its request and its token, no password.
    """
    for error in told.errors:
        allowed = {"handle", "form token"} if 'action="/oauth/sign-in"' in error else set()
        assert set(found_in(told, error)) <= allowed, error


def test_the_process_list_holds_none(told: Told) -> None:
    """No secret is ever an argument. (A process's own environment is its own user's to read.)"""
    assert "authgate.server" in told.processes
    assert found_in(told, told.processes) == []


def test_nothing_prints_its_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings and vault, as a debugger or a careless log line would show them."""
    from authgate import settings
    from authgate.app import build_core

    monkeypatch.setenv("AUTHGATE_SECRET_KEY", KEY)
    monkeypatch.setenv("AUTHGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WORKOS_API_KEY", "sk_" + KEY)
    chosen = settings.load(tmp_path / "no.env")
    core = build_core(chosen)
    shown = f"{chosen!r} {chosen} {chosen.model_dump()} {core!r}"
    core.passwords.close()
    assert KEY not in shown
