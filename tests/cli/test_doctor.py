"""`authgate doctor`: what it looks at, how it says it, and how it ends."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.conftest import Done, Operator
from tests.cli.serving import Server
from tests.cli.serving import running as serving
from tests.standins.running import running, running_workos
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options
from tests.standins.workos import WorkOSStandIn
from tests.valkey import Valkey

RESOURCE = "http://localhost:8000/mcp"
CALLBACK = "http://localhost:8000/oauth/callback"
LOGIN = "http://localhost:8000/oauth/login"


def settings(operator: Operator, **values: str) -> None:
    lines = "\n".join(f"{name}={text}" for name, text in values.items())
    (operator.folder / ".env").write_text(lines)


def levels(done: Done) -> dict[str, str]:
    """Check -> level, of a report in JSON."""
    assert done.err == ""
    assert {frozenset(one) for one in done.json["findings"]} == {
        frozenset(("area", "check", "level", "said", "fix", "where"))
    }
    counted = [one for one in done.json["findings"] if one["level"] == "problem"]
    assert done.json["problems"] == len(counted)
    assert done.code == (1 if counted else 0)
    return {one["check"]: one["level"] for one in done.json["findings"]}


def said(done: Done, check: str) -> str:
    return next(
        f"{one['said']} {one['fix']} {one['where']}"
        for one in done.json["findings"]
        if one["check"] == check
    )


# --- authgate itself ------------------------------------------------------------------------------


def test_a_fresh_machine_is_well(operator: Operator) -> None:
    done = operator.run("doctor", "--json")
    assert levels(done) == {
        "store": "ok",
        "keys": "ok",
        "people": "note",
        "public_url": "note",
        "discovery": "note",
    }
    assert "authgate people add" in said(done, "people")


def test_a_limit_store_that_does_not_count_is_told(operator: Operator) -> None:
    with Valkey() as valkey:
        settings(operator, AUTHGATE_LIMITS_URL=valkey.url)
        assert levels(operator.run("doctor", "--json"))["limits"] == "ok"
        settings(operator, AUTHGATE_LIMITS_URL=valkey.url.replace(valkey.password, "another"))
        done = operator.run("doctor", "--json")
        assert levels(done)["limits"] == "problem"
        assert "another" not in done.out
        settings(operator, AUTHGATE_LIMITS_URL=valkey.url)
        valkey.stop()
        done = operator.run("doctor", "--json")
        assert levels(done)["limits"] == "problem"
        assert "AUTHGATE_LIMITS_URL" in said(done, "limits")
        assert valkey.password not in done.out


def test_a_running_server_is_found_by_its_discovery(operator: Operator) -> None:
    operator.add()
    with serving(operator) as server:
        settings(operator, AUTHGATE_PUBLIC_URL=server.url)
        done = operator.run("doctor", "authgate", "--json")
        assert levels(done)["discovery"] == "ok"
        assert "people" not in levels(done)
        wrong = elsewhere(operator, server)
    assert levels(wrong)["discovery"] == "problem"
    assert f"names {server.url}/mcp" in said(wrong, "discovery")


def elsewhere(operator: Operator, server: Server) -> Done:
    """The server calls itself otherwise than these settings do."""
    other = server.url.replace("localhost", "127.0.0.1")
    settings(operator, AUTHGATE_PUBLIC_URL=other)
    return operator.run("doctor", "authgate", "--json")


@contextmanager
def something_else(status: int, body: bytes) -> Iterator[str]:
    """A web server that is not authgate's."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<h1>Not here</h1>"), (200, b"{}"), (200, b"[]"), (502, b"")]
)
def test_a_proxy_that_keeps_discovery_for_itself(
    operator: Operator, status: int, body: bytes
) -> None:
    with something_else(status, body) as url:
        settings(operator, AUTHGATE_PUBLIC_URL=url)
        done = operator.run("doctor", "--json")
    assert levels(done)["discovery"] == "problem"
    assert f"(HTTP {status})" in said(done, "discovery")
    assert "/.well-known/" in said(done, "discovery")


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("https://127.0.0.1:1", "ok"),
        ("http://127.0.0.1:1", "note"),
        ("http://gate.invalid:1", "warning"),
    ],
)
def test_the_public_url_is_judged(operator: Operator, url: str, level: str) -> None:
    settings(operator, AUTHGATE_PUBLIC_URL=url, AUTHGATE_ALLOW_HTTP="true")
    done = operator.run("doctor", "--json")
    assert levels(done)["public_url"] == level
    assert levels(done)["discovery"] == "note"


def test_a_store_that_cannot_be_is_a_problem_with_its_remedy(operator: Operator) -> None:
    (operator.folder / "data").mkdir()
    (operator.folder / "data" / "authgate.db").write_bytes(b"This is no database. " * 99)
    done = operator.run("doctor", "--json")
    assert levels(done)["store"] == "problem"
    assert "AUTHGATE_DATA_DIR" in said(done, "store")
    assert "keys" not in levels(done)
    assert "public_url" in levels(done)


def test_keys_that_the_secret_does_not_open(operator: Operator) -> None:
    assert operator.run("keys", "list").code == 0
    settings(operator, AUTHGATE_SECRET_KEY="another secret of forty characters or so")
    done = operator.run("doctor", "--json")
    assert levels(done)["keys"] == "problem"
    assert "authgate keys rotate --at-once" in said(done, "keys")


def test_a_data_folder_that_cannot_be(operator: Operator) -> None:
    (operator.folder / "data").write_text("a file where the folder should be")
    done = operator.run("doctor", "--json")
    assert levels(done)["secret_key"] == "problem"


# --- Supabase -------------------------------------------------------------------------------------


def project(operator: Operator, supabase: SupabaseStandin, **more: str) -> None:
    settings(
        operator,
        SUPABASE_URL=supabase.url,
        SUPABASE_PUBLISHABLE_KEY=more.pop("publishable", supabase.gate.publishable),
        SUPABASE_SECRET_KEY=supabase.gate.secret,
        **more,
    )


def test_a_project_in_order(operator: Operator) -> None:
    with running() as supabase:
        project(operator, supabase)
        done = operator.run("doctor", "supabase", "--json")
    assert {one["level"] for one in done.json["findings"]} == {"ok", "note"}
    assert f"{CALLBACK}**" in done.out
    assert (done.code, done.json["problems"]) == (0, 0)


def test_what_is_wrong_with_a_project_is_a_problem(operator: Operator) -> None:
    with running(Options(email=False)) as supabase:
        project(operator, supabase)
        done = operator.run("doctor", "supabase")
        assert done.code == 1
        assert "  problem  The project has e-mail sign-in switched off" in done.out
        assert done.out.endswith("1 problem found.\n")
        project(operator, supabase, publishable="sb_publishable_of_somebody_else")
        done = operator.run("doctor")
    assert done.code == 1
    assert "Supabase refuses SUPABASE_PUBLISHABLE_KEY" in done.out
    assert "This authgate\n  ok " in done.out


# --- WorkOS ---------------------------------------------------------------------------------------


def authkit(operator: Operator, workos: WorkOSStandIn, **more: str) -> None:
    own = {
        "AUTHGATE_ISSUER": "authkit",
        "WORKOS_AUTHKIT_DOMAIN": workos.authkit_url,
        "WORKOS_API_URL": workos.api_url,
        "WORKOS_API_KEY": workos.api_key,
        "WORKOS_CLIENT_ID": workos.client_id,
    }
    settings(operator, **(own | more))


def social(operator: Operator, workos: WorkOSStandIn, **more: str) -> None:
    own = {
        "WORKOS_API_URL": workos.api_url,
        "WORKOS_API_KEY": workos.api_key,
        "WORKOS_CLIENT_ID": workos.client_id,
    }
    settings(operator, **(own | more))


def test_authkit_in_order(operator: Operator) -> None:
    with running_workos(resources=[RESOURCE], default_resource=RESOURCE) as workos:
        authkit(operator, workos)
        done = operator.run("doctor", "workos", "--json")
    assert levels(done) == {
        "api_key": "ok",
        "client_id": "ok",
        "authkit_domain": "ok",
        "jwks": "ok",
        "dcr": "ok",
        "cimd": "ok",
        "resource": "ok",
        "login_uri": "note",
    }
    assert LOGIN in said(done, "login_uri")


def test_github_and_google_through_workos_in_order(operator: Operator) -> None:
    with running_workos(redirect_uris=[CALLBACK]) as workos:
        social(operator, workos)
        done = operator.run("doctor", "workos", "--json")
    assert levels(done) == {
        "api_key": "ok",
        "client_id": "ok",
        "redirect_uri": "ok",
        "providers": "note",
    }


@pytest.mark.parametrize(
    ("knobs", "more", "check", "words"),
    [
        ({}, {"WORKOS_API_KEY": "sk_test_wrong"}, "api_key", "WorkOS dashboard, API Keys"),
        ({}, {"WORKOS_CLIENT_ID": "client_01NOBODY"}, "client_id", "client_01NOBODY"),
        ({}, {"WORKOS_AUTHKIT_DOMAIN": "http://127.0.0.1:1"}, "authkit_domain", "Domains"),
        ({"dcr_enabled": False, "cimd_enabled": False}, {}, "dcr", "Connect, Configuration"),
        ({"resources": [RESOURCE + "/"]}, {}, "resource", "a slash at the end"),
    ],
)
def test_each_thing_that_is_wrong_is_the_one_problem(
    operator: Operator, knobs: dict[str, Any], more: dict[str, str], check: str, words: str
) -> None:
    with running_workos(**({"resources": [RESOURCE]} | knobs)) as workos:
        authkit(operator, workos, **more)
        done = operator.run("doctor", "workos", "--json")
    assert [name for name, level in levels(done).items() if level == "problem"] == [check]
    assert words in said(done, check)


def test_a_redirect_uri_that_is_missing_is_shown_with_what_to_enter(operator: Operator) -> None:
    with running_workos(redirect_uris=["http://localhost:3000/oauth/callback"]) as workos:
        social(operator, workos)
        done = operator.run("doctor", "workos")
    assert done.code == 1
    lines = done.out.splitlines()
    at = next(number for number, line in enumerate(lines) if "is not registered" in line)
    assert lines[at].startswith("  problem  The redirect URI http://localhost:8000/oauth/callback")
    assert "differs in the port" in lines[at]
    assert lines[at + 1] == f"           → Enter {CALLBACK}, exactly so."
    assert lines[at + 2].strip() == "WorkOS dashboard, Redirects"


def test_warnings_alone_are_no_failure(operator: Operator) -> None:
    with running_workos(resources=[RESOURCE], cimd_enabled=False) as workos:
        authkit(operator, workos)
        done = operator.run("doctor", "workos")
    assert done.code == 0
    assert "  warning  Client ID Metadata Documents are off" in done.out
    assert done.out.endswith("No problem found.\n")


def test_what_is_set_up_and_not_used_is_told(operator: Operator) -> None:
    with running_workos() as workos:
        social(operator, workos, AUTHGATE_SOCIAL="none")
        done = operator.run("doctor", "workos", "--json")
    assert levels(done) == {"api_key": "ok", "client_id": "ok", "used": "note"}


def test_everything_at_once_and_no_secret_in_it(operator: Operator) -> None:
    """As a real process: nothing but the report comes out, and the log keeps quiet."""
    with running() as supabase, running_workos() as workos:
        authkit(
            operator,
            workos,
            SUPABASE_URL=supabase.url,
            SUPABASE_PUBLISHABLE_KEY=supabase.gate.publishable,
            SUPABASE_SECRET_KEY=supabase.gate.secret,
            WORKOS_API_KEY="sk_test_of_somebody_else",
            LOG_LEVEL="DEBUG",
        )
        done = operator.spawn("authgate", "doctor", "--json")
    assert {one["area"] for one in done.json["findings"]} == {"authgate", "supabase", "workos"}
    assert (done.code, done.err) == (1, "")
    own_secret = (operator.folder / "data" / "secret.key").read_text().strip()
    for secret in (supabase.gate.secret, supabase.gate.publishable, own_secret, "sk_test_of"):
        assert secret not in done.out
    assert json.loads(done.out)["problems"] > 0


@pytest.mark.parametrize(
    ("set_up", "check"),
    [(authkit, "resource"), (social, "redirect_uri")],
    ids=["authkit", "social"],
)
def test_the_log_of_a_start_says_the_same(
    operator: Operator, set_up: Callable[..., None], check: str
) -> None:
    near = {"resources": [RESOURCE + "/"], "redirect_uris": [CALLBACK + "/"]}
    with running_workos(**near) as workos:
        set_up(operator, workos, AUTHGATE_PUBLIC_URL="http://localhost:8000")
        done = operator.run("doctor", "workos", "--json")
        problem = told_at_the_start(operator)
    (found,) = [one for one in done.json["findings"] if one["level"] == "problem"]
    assert (found["check"], found["said"]) == (problem["check"], problem["detail"])
    assert problem["check"] == check
    assert problem["fix"] == f"{found['fix']} ({found['where']})"
    assert workos.api_key not in str(problem)


def told_at_the_start(operator: Operator) -> dict[str, Any]:
    """The `workos.problem` in the log of a server that starts on any port."""
    log = operator.folder / "start.log"
    with log.open("wb") as lines:
        process = operator.start("authgate", "serve", "--port", "0", stdout=lines, stderr=lines)
    try:
        ends = time.monotonic() + 30
        while True:
            found = [one for one in log.read_text().splitlines() if '"workos.problem"' in one]
            if found:
                problem: dict[str, Any] = json.loads(found[0])
                return problem
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(20)


# --- usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("area", "names"),
    [("supabase", "SUPABASE_URL"), ("workos", "WORKOS_CLIENT_ID")],
)
def test_what_is_not_set_up_cannot_be_looked_at(operator: Operator, area: str, names: str) -> None:
    done = operator.run("doctor", area)
    assert (done.code, done.out) == (2, "")
    assert f"is not set up: set {names}" in done.err.replace("WORKOS_API_KEY and ", "")


def test_settings_that_are_wrong_are_told_before_anything_is_asked(operator: Operator) -> None:
    settings(operator, AUTHGATE_ISSUER="authkit")
    done = operator.run("doctor", "workos")
    assert (done.code, done.out) == (2, "")
    assert "WORKOS_AUTHKIT_DOMAIN" in done.err
    assert "WORKOS_API_KEY" in done.err


def test_there_is_no_other_area(operator: Operator) -> None:
    done = operator.run("doctor", "github")
    assert (done.code, done.out) == (2, "")


def test_nothing_answers_and_it_still_ends(operator: Operator) -> None:
    """Everything is a closed port: bounded, and each is named."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        settings(
            operator,
            SUPABASE_URL=nowhere,
            SUPABASE_PUBLISHABLE_KEY="sb_publishable_x",
            AUTHGATE_ISSUER="authkit",
            WORKOS_AUTHKIT_DOMAIN=nowhere,
            WORKOS_API_URL=nowhere,
            WORKOS_API_KEY="sk_test_x",
            AUTHGATE_PUBLIC_URL=nowhere,
        )
        done = operator.run("doctor", "--json")
    found = levels(done)
    assert found["discovery"] == "note"
    assert "Supabase does not answer" in said(done, "project")
    assert (found["api"], found["authkit_domain"]) == ("problem", "problem")
