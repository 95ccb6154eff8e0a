"""The same search with a Supabase project behind: passwords, keys and Supabase's own tokens.

A debug-level server is walked through everything that `test_leaks` walks through, then through a
project in trouble, and every secret of both sides is looked for in all that is left behind. Once
without Supabase's sessions and once with them kept, which must be readable nowhere either.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing

import httpx2
import pytest

from tests.clauses import clause
from tests.endpoints.gate import hidden
from tests.live import LiveServer
from tests.standins.running import running
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options
from tests.trust.test_leaks import EVE, KEY, Told, everything, found_in
from tests.trust.walk import Walk

FAULTS: list[Mapping[str, object]] = [
    {"status": 503},
    {"cut": True},
    {"half": True},
    {"status": 401, "body": b'{"message":"Invalid API key"}'},
    {"status": 429, "body": b'{"code":"over_request_rate_limit"}'},
    {"status": 200, "body": b"<html>"},
]


class Looking(Walk):
    """A walk that remembers every page too."""

    def __init__(self, url: str) -> None:
        super().__init__(url, EVE)
        self.pages: list[str] = []

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        self.pages.append(answer.text)
        return super()._seen(answer)


@pytest.fixture(scope="module", params=["false", "true"], ids=["not kept", "kept"])
def told(request: pytest.FixtureRequest) -> Told:
    # So short a life that every question with a kept session is a refresh.
    options = Options(known_takes=0, unknown_takes=0, rate_limited=False, access_lasts=20)
    with running(options) as project:
        project.state.add_user(EVE.email, EVE.password)
        settings = {
            "LOG_LEVEL": "DEBUG",
            "AUTHGATE_SECRET_KEY": KEY,
            "AUTHGATE_REFRESH_GRACE": "0",
            "SUPABASE_URL": project.url,
            "SUPABASE_PUBLISHABLE_KEY": project.gate.publishable,
            "SUPABASE_SECRET_KEY": project.gate.secret,
            "AUTHGATE_SUPABASE_KEEP_SESSION": request.param,
        }
        with LiveServer(env=settings, people=()) as server:
            with closing(Looking(server.url)) as walk:
                walk.keep("secret key", KEY)
                errors = everything(walk) + _in_trouble(walk, project)
                errors += _with_a_factor(walk, project)
                if request.param == "true":
                    errors += _asked_again(walk, project, server)
                _keep_theirs(walk, project)
                found = Told(server, walk, errors)
                found.pages = walk.pages
            server.stop()
            for path in (server.folder / "data").iterdir():
                found.files[f"{path.name} after the end"] = path.read_bytes()
            found.log += server.logs()
    return found


def _in_trouble(walk: Walk, project: SupabaseStandin) -> list[str]:
    """Sign-ins while the project answers oddly, as a careless proxy's debug page does, too."""
    bodies = []
    echo = json.dumps({"code": "odd", "message": f"{EVE.password} {project.gate.secret}"}).encode()
    for fault in (*FAULTS, {"status": 400, "body": echo}, {"status": 500, "body": echo}):
        project.fault("/token", **fault)
        walk.http.cookies.clear()
        answer = walk.sign_in(walk.ask(walk.question(walk.register())))
        assert answer.status_code == 503, (fault, answer.text)
        bodies.append(answer.text + str(answer.headers))
        project.clear()
    return bodies


def _with_a_factor(walk: Walk, project: SupabaseStandin) -> list[str]:
    """Codes right and wrong, on the page and in the tool; and one that is never answered, so that
    the session between the two factors is in the database while that is searched."""
    (eve,) = project.state.users.values()
    totp = project.state.add_factor(eve)
    walk.keep("authenticator secret", totp.secret)
    client, refused = walk.register(), []
    walk.http.cookies.clear()
    for code in (totp.code(step=9), totp.code()):
        page = walk.sign_in(walk.ask(walk.question(client)))
        form = {**hidden(page.text, "/oauth/factor"), "code": code}
        refused.append(walk.http.post("/oauth/factor", data=form))
    assert [answer.status_code for answer in refused] == [401, 303]
    opened = walk.tool("oauth_authorize", **_asked(walk, client)).json()["result"]
    who = {"challenge_id": walk.keep("challenge", opened["challenge_id"]), "username": EVE.email}
    due = walk.tool("oauth_authenticate", **who, password=EVE.password)
    assert due.json()["result"]["mfa_required"] is True
    for code in (totp.code(step=9), totp.code()):
        answer = walk.tool("oauth_authenticate", challenge_id=who["challenge_id"], mfa_code=code)
        refused.append(answer)
    walk.keep("code", refused.pop().json()["result"]["code"])
    walk.http.cookies.clear()
    walk.sign_in(walk.ask(walk.question(client)))
    eve.factors.clear()
    return [answer.text + str(answer.headers) for answer in refused if answer.status_code >= 400]


def _asked(walk: Walk, client: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in walk.question(client).items() if k != "response_type"}


def _asked_again(walk: Walk, project: SupabaseStandin, server: LiveServer) -> list[str]:
    """The kept session is refreshed, in trouble and well, and then it is over."""
    client = walk.register()
    walk.http.cookies.clear()
    tokens = walk.tokens(client)
    server.restart()  # or the last word would be believed for a minute
    for fault in (*FAULTS, {}):
        if fault:
            project.fault("refresh_token", **fault)
        answer = walk.refresh(client, tokens["refresh_token"])
        assert answer.status_code == 200, (fault, answer.text)  # bridged
        tokens = answer.json()
        project.clear()
        server.restart()
    assert project.calls("refresh_token") >= len(FAULTS)
    for user in project.state.users.values():
        project.state.end_sessions(user)
    answer = walk.refresh(client, tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    time.sleep(1.05 - time.time() % 1)  # a sign-in of the same second would be refused
    walk.tokens(client)  # and here is another, to be looked for while it is kept
    kept = sqlite3.connect(f"file:{server.folder}/data/authgate.db?mode=ro", uri=True)
    with closing(kept) as db:
        assert db.execute("SELECT count(*) FROM kept_sessions").fetchone() == (1,)
    return [answer.text + str(answer.headers)]


def _keep_theirs(walk: Walk, project: SupabaseStandin) -> None:
    """Supabase's keys, and every token that went over the wire in either direction."""
    walk.keep("publishable key", project.gate.publishable)
    walk.keep("secret key of Supabase", project.gate.secret)
    for token in project.state.issued:
        walk.keep("token of Supabase", token)
        walk.keep("signature of Supabase", token.rpartition(".")[2])
    for seen in project.gate.seen:
        for password in re.findall(r'"password":"([^"]+)"', seen.body):
            walk.keep("password", password)


def test_the_walk_used_every_kind_of_secret(told: Told) -> None:
    kinds = set(told.secrets.values())
    assert kinds >= {
        *("password", "wrong password", "wrong password in a tool", "code", "refresh_token"),
        *("publishable key", "secret key of Supabase", "token of Supabase"),
    }
    assert sum(kind == "token of Supabase" for kind in told.secrets.values()) >= 4


@clause("ASVS", "16.2.5")
def test_the_log_holds_none(told: Told) -> None:
    for event in ("supabase.unanswered", "supabase.key_refused", "supabase.rate_limited"):
        assert event in told.log
    assert found_in(told, told.log) == []
    assert EVE.email not in told.log


@clause("ASVS", "16.2.5")
def test_the_audit_trail_holds_none(told: Told) -> None:
    assert "consent.given" in told.audit
    assert found_in(told, told.audit) == []
    assert EVE.email not in told.audit


@clause("ASVS", "11.4")
def test_the_database_files_hold_none(told: Told) -> None:
    leaked = {name: found_in(told, data) for name, data in told.files.items()}
    assert {name: kinds for name, kinds in leaked.items() if kinds} == {}
    assert b"$argon2id$" not in b"".join(told.files.values())  # no copy of a password, hashed


def test_the_pages_hold_none(told: Told) -> None:
    """But what a form carries, and the code on its way back to the client."""
    assert any('action="/oauth/factor"' in page for page in told.pages)
    assert any('action="/oauth/consent"' in page for page in told.pages)
    carried = {"handle", "form token", "code"}
    for page in told.pages:
        assert set(found_in(told, page)) <= carried, page


def test_the_answers_to_what_was_wrong_hold_none(told: Told) -> None:
    for error in told.errors:
        form = any(f'action="/oauth/{name}"' in error for name in ("sign-in", "factor"))
        allowed = {"handle", "form token"} if form else set()
        assert set(found_in(told, error)) <= allowed, error


@clause("RFC 9068", "2.2")
def test_our_tokens_hold_none_of_theirs(told: Told) -> None:
    theirs = [value for value, kind in told.secrets.items() if kind.endswith("Supabase")]
    ours = [value for value, kind in told.secrets.items() if kind == "access_token"]
    assert ours
    assert not [one for token in ours for one in theirs if one in token]


def test_the_process_list_holds_none(told: Told) -> None:
    assert found_in(told, told.processes) == []
