"""`authgate demo`: it comes through, says so, and leaves nothing behind, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from rich.console import Console

from authgate.cli.demo_server import DemoFailed
from authgate.cli.demo_steps import STEPS, at_authkit
from authgate.cli.demo_trail import Trail, shorten
from authgate.cli.demo_visitor import Move, Visitor, VisitorLost
from tests.cli.conftest import Done, Operator
from tests.cli.serving import CALLBACK, HandClient, running
from tests.cli.test_people import Terminal
from tests.standins.running import running as project
from tests.standins.supabase import SupabaseStandin
from tests.standins.supabase_state import Options, ProviderPerson


@pytest.fixture
def bare(operator: Operator) -> Operator:
    """Its temporary files are the test's, and settings of the machine must not disturb it."""
    operator.env |= {"TMPDIR": str(operator.folder), "AUTHGATE_NONSENSE": "1", "COLUMNS": "120"}
    operator.env["OTEL_TRACES_EXPORTER"] = "zipkin"
    (operator.folder / ".env").write_text("AUTHGATE_PUBLIC_URL=https://elsewhere.example\n")
    return operator


def assert_nothing_is_left(operator: Operator, said: str) -> None:
    assert list(operator.folder.glob("authgate-demo-*")) == []
    port = re.search(r"http://localhost:([0-9]+)", said)
    if port:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port[1])))


def test_it_ends_well_where_nobody_watches(bare: Operator) -> None:
    done = bare.spawn("authgate", "demo")
    assert done.code == 0, done.out + done.err
    assert done.err == ""
    titles = re.findall(r"^ ?\d+  (.+)$", done.out, re.MULTILINE)
    assert titles == [step.title for step in STEPS]
    assert "whoami: demo@example.com" in done.out
    assert "\x1b" not in done.out
    assert_no_secret(done)
    assert_nothing_is_left(bare, done.out)


def assert_no_secret(done: Done) -> None:
    """No token or code in full: what looks random is the id of a person or a client."""
    words = re.findall(r"[A-Za-z0-9_-]{20,}", done.out)
    random = [word for word in words if re.search(r"[0-9]", word)]
    assert [word for word in random if not word.startswith(("client_", "ag_"))] == []


def test_on_a_terminal_it_stays_up(bare: Operator) -> None:
    terminal = Terminal(bare, "demo")
    terminal.until("password ")
    url = re.search(r"MCP URL for your client +(\S+)", terminal.seen)
    assert url
    port = int(re.findall(r":([0-9]+)", url[1])[0])
    socket.create_connection(("127.0.0.1", port)).close()
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 0, terminal.seen
    assert "Traceback" not in terminal.seen
    assert_nothing_is_left(bare, terminal.seen)


def test_ended_from_outside_it_takes_its_server_along(bare: Operator) -> None:
    with bare.start("authgate", "demo") as process:
        while not list(bare.folder.glob("authgate-demo-*/data/authgate.db")):
            assert process.poll() is None
            time.sleep(0.02)
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in err
    assert_nothing_is_left(bare, out)
    assert not servers_of(process.pid)


def test_killed_it_takes_its_server_along_all_the_same(bare: Operator) -> None:
    with bare.start("authgate", "demo") as process:
        while not any("MCP URL" in log.read_text() for log in bare.folder.glob("*/server.log")):
            assert process.poll() is None
            time.sleep(0.02)
        servers = servers_of(process.pid)
        assert servers
        process.kill()
    ends = time.monotonic() + 20
    while any(is_running(server) for server in servers) or [*bare.folder.glob("authgate-demo-*")]:
        assert time.monotonic() < ends, servers
        time.sleep(0.05)


def is_running(pid: str) -> bool:
    """A process that ended and that nobody asked about is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def servers_of(session: int) -> list[str]:
    """Processes that still have the demo as their parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == str(session):
            found.append(stat.parent.name)
    return found


def test_a_server_that_cannot_start_is_told(bare: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = bare.spawn("authgate", "demo", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "is taken by another program" in done.err
    assert "Traceback" not in done.err
    assert list(bare.folder.glob("authgate-demo-*")) == []


# --- what makes it fail ---------------------------------------------------------------------------


def noted(*steps: tuple[str, int]) -> Trail:
    trail = Trail(Console(quiet=True))
    for key, status in steps:
        trail.note(key, "GET /", status, "", 0.001)
    return trail


def test_every_step_in_order_is_right() -> None:
    noted(*((step.key, step.status) for step in STEPS)).must_be_complete()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.key)
def test_a_wrong_answer_is_named(step: object) -> None:
    steps = [(one.key, 500 if one is step else one.status) for one in STEPS]
    with pytest.raises(DemoFailed, match="the answer was 500"):
        noted(*steps).must_be_complete()


@pytest.mark.parametrize("missing", range(len(STEPS)))
def test_a_missing_step_is_named(missing: int) -> None:
    steps = [(one.key, one.status) for one in STEPS]
    del steps[missing]
    with pytest.raises(DemoFailed, match=re.escape(STEPS[missing].title)):
        noted(*steps).must_be_complete()


def test_secrets_are_shortened() -> None:
    assert shorten("abcdefghijklmnopqrstuvwxyz") == "abcd…wxyz"
    assert shorten("S256") == "S256"


def test_a_visitor_who_cannot_go_on_says_where(operator: Operator) -> None:
    operator.add()
    with running(operator) as server:
        client = HandClient(server)
        url = (
            f"{server.url}/oauth/authorize?response_type=code&client_id={client.client_id}"
            f"&redirect_uri={CALLBACK}&code_challenge={'x' * 43}&code_challenge_method=S256"
        )
        with Visitor("ada@example.com", "a wrong password") as visitor:
            with pytest.raises(VisitorLost, match="401"):
                visitor.follow(url)
            with pytest.raises(VisitorLost, match="400"):
                visitor.follow(url.replace("client_id=", "client_id=x"))


# --- with a Supabase project ----------------------------------------------------------------------


def test_a_person_of_supabase_needs_a_project(bare: Operator) -> None:
    (bare.folder / ".env").write_text("")
    bare.env.pop("AUTHGATE_NONSENSE")
    done = bare.spawn("authgate", "demo", "--as", "ana@example.com", "--password-stdin")
    assert done.code == 2
    assert "SUPABASE_URL" in done.err


def test_a_wrong_password_at_supabase_ends_it_in_a_sentence(bare: Operator) -> None:
    with project() as supabase:
        ana = supabase.state.add_user("ana@example.com", "a long enough password")
        (bare.folder / ".env").write_text(
            f"SUPABASE_URL={supabase.url}\nSUPABASE_PUBLISHABLE_KEY={supabase.gate.publishable}\n"
        )
        bare.env.pop("AUTHGATE_NONSENSE")
        words = ("demo", "--as", ana.email, "--password-stdin")
        with bare.start("authgate", *words, stdin=subprocess.PIPE) as process:
            out, err = process.communicate("not the password\n", timeout=60)
        done = Done(process.returncode, out, err)
    assert done.code == 1
    assert "authgate demo failed: The person signs in: the answer was 401" in done.err
    assert "not the password" not in done.out + done.err
    assert "Traceback" not in done.err
    assert_nothing_is_left(bare, done.out)


# --- with GitHub through Supabase -----------------------------------------------------------------


def with_github(operator: Operator, supabase: SupabaseStandin, *more: str) -> Done:
    """The demo for Gil by GitHub, with this project in the settings."""
    keys = f"SUPABASE_PUBLISHABLE_KEY={supabase.gate.publishable}\n"
    (operator.folder / ".env").write_text(f"SUPABASE_URL={supabase.url}\n{keys}" + "\n".join(more))
    operator.env.pop("AUTHGATE_NONSENSE", None)
    return operator.spawn("authgate", "demo", "--as", "Gil@example.com", "--with", "github")


def with_gil(supabase: SupabaseStandin) -> SupabaseStandin:
    supabase.state.provider_people["github"].append(ProviderPerson("1001", "gil@example.com"))
    return supabase


def test_github_is_a_link_away_and_back_through_our_callback(bare: Operator) -> None:
    with project() as supabase:
        done = with_github(bare, with_gil(supabase))
        signed_up = supabase.state.user_by_email("gil@example.com")
        asked = supabase.calls("/token?grant_type=pkce"), supabase.calls("grant_type=password")
    assert done.code == 0, done.out + done.err
    assert signed_up is not None
    assert asked == (1, 0)
    sign_in = done.out.split("The person signs in")[1].split("The person allows")[0]
    sites = re.sub(r":[0-9]+”", "”", re.sub(r"http://[a-z0-9.]+:[0-9]+", "SITE", sign_in))
    assert re.findall(r"[→←] .+", re.sub(r"  [0-9.]+ ms\n", "\n", sites)) == [
        "→ GET /oauth/start/github",
        "← 303 on to SITE/auth/v1/authorize",
        "→ GET SITE/auth/v1/authorize",
        "← 302 page “Sign in to GitHub (stand-in)”",
        "→ GET SITE/auth/v1/callback",
        "← 302 on to SITE/oauth/callback",
        "→ GET /oauth/callback",
        "← 303 page “Allow access? – localhost”",
    ]
    assert "whoami: gil@example.com, client client_" in done.out
    assert f"sub is {signed_up.id}" in done.out
    assert_nothing_is_left(bare, done.out)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("not offered", "offers no “Continue with GitHub”"),
        ("unknown there", "“Sign in to GitHub (stand-in)” (200) at http://127.0.0.1:"),
        ("the real one", "the way by GitHub leads to https://github.example, where only a person"),
        ("provider down", "/auth/v1/authorize answered 503."),
        ("no account", "The person signs in: the answer was 403 and must be 303."),
    ],
)
def test_what_keeps_somebody_of_github_out_is_a_sentence(
    bare: Operator, trouble: str, said: str
) -> None:
    options = Options(disable_signup=True) if trouble == "no account" else Options()
    if trouble == "not offered":
        options = Options(providers=("google",))
    with project(options) as supabase:
        if trouble != "unknown there":
            with_gil(supabase)
        if trouble == "the real one":
            away = {"Location": "https://github.example/login/oauth/authorize?state=x"}
            supabase.fault("/authorize", status=302, headers=away)
        if trouble == "provider down":
            supabase.fault("/authorize", status=503)
        done = with_github(bare, supabase)
    assert done.code == 1, done.out
    assert said in done.err.split("authgate demo failed: ")[1]
    assert "Traceback" not in done.err
    assert "VisitorLost" not in done.err
    assert_nothing_is_left(bare, done.out)


def test_a_provider_of_another_owner_is_refused_before_anything_starts(bare: Operator) -> None:
    with project() as supabase:
        done = with_github(bare, with_gil(supabase), "AUTHGATE_SOCIAL=none")
    assert (done.code, done.out) == (2, "")
    assert "the owner of GitHub is none" in done.err
    assert "AUTHGATE_SOCIAL=supabase" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--with", "github"),
        ("--with", "github", "--as", "gil@example.com", "--password-stdin"),
        ("--with", "gitlab", "--as", "gil@example.com"),
    ],
    ids=" ".join,
)
def test_with_is_for_a_person_and_instead_of_a_password(
    operator: Operator, words: tuple[str, ...]
) -> None:
    done = operator.run("demo", *words)
    assert (done.code, done.out) == (2, "")
    assert "--with" in done.err


def test_what_another_site_answers_is_judged_by_whether_it_goes_on() -> None:
    trail = Trail(Console(quiet=True))
    for key, status in ((step.key, step.status) for step in STEPS):
        trail.note(key, "GET /", status, "", 0.001)
        if key == "sign-in":
            trail.moved(Move("GET", "https://project.example/cb", 302, 0.001, "page", "Who?"))
    trail.must_be_complete()
    trail.moved(Move("GET", "https://project.example/cb", 500, 0.001, "page", "Sorry"))
    with pytest.raises(DemoFailed, match=r"https://project\.example/cb answered 500"):
        trail.must_be_complete()


# --- where AuthKit issues -------------------------------------------------------------------------


def with_authkit(operator: Operator, domain: str, *words: str) -> Done:
    (operator.folder / ".env").write_text(
        f"AUTHGATE_ISSUER=authkit\nWORKOS_AUTHKIT_DOMAIN={domain}\nWORKOS_API_KEY=sk_test_secret\n"
        f"WORKOS_API_URL=http://127.0.0.1:9\nAUTHGATE_PUBLIC_URL=https://auth.example.com\n"
    )
    operator.env.pop("AUTHGATE_NONSENSE", None)
    return operator.spawn("authgate", "demo", "--authkit", *words)


def test_a_real_authkit_is_for_a_person_who_is_told_what_to_do(bare: Operator) -> None:
    done = with_authkit(bare, "https://tenant.authkit.app")
    assert (done.code, done.out) == (1, "")
    assert "https://tenant.authkit.app" in done.err
    for needed in (
        "https://auth.example.com/oauth/login",
        "Login URI",
        "https://auth.example.com/mcp",
        "resource indicator",
        "Dynamic Client Registration",
        "authgate doctor workos",
        "make demo-authkit",
    ):
        assert needed in done.err
    assert "sk_test_secret" not in done.err
    assert_nothing_is_left(bare, done.err)


def test_authkit_has_to_be_set_up_and_to_know_the_port(bare: Operator) -> None:
    done = with_authkit(bare, "http://127.0.0.1:9")
    assert (done.code, done.out) == (2, "")
    assert "--port" in done.err
    (bare.folder / ".env").write_text("")
    done = bare.spawn("authgate", "demo", "--authkit", "--port", "8765")
    assert (done.code, done.out) == (2, "")
    assert "AUTHGATE_ISSUER=authkit" in done.err


def test_an_authkit_that_does_not_answer_ends_it_in_a_sentence(bare: Operator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    done = with_authkit(bare, "http://127.0.0.1:9", "--port", str(port))
    assert done.code == 1
    assert "authgate demo failed: " in done.err
    assert "Traceback" not in done.err
    assert_nothing_is_left(bare, done.out)


@pytest.mark.parametrize("own_people", [True, False])
def test_authkits_walk_is_judged_by_its_own_steps(own_people: bool) -> None:
    plan = at_authkit("https://tenant.example", own_people=own_people)
    trail = Trail(Console(quiet=True), plan)
    for step in plan.steps:
        if step.key == "shut-out":
            trail.begin(step.key)
        else:
            trail.note(step.key, "GET /", step.status, "", 0.001)
    trail.must_be_complete()
    consent = "https://tenant.example/oauth2/authorize/consent"
    trail.moved(Move("POST", consent, 500, 0.001, "page", "Sorry"))
    with pytest.raises(DemoFailed, match="the answer was 500 and must be 302"):
        trail.must_be_complete()
