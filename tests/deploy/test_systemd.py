"""deploy/authgate.service: systemd understands it, it is as tight as it says, and it runs."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from authgate.cli.common import USAGE
from authgate.cli.serving import LAST_CALL
from authgate.cli.tree import tree
from authgate.settings import Settings, environment_names, load, secret_files
from tests.clients.by_hand import Hands
from tests.deploy.deployed import Deployed, private_folder
from tests.house.reading import ROOT
from tests.live import ALICE

FILE = ROOT / "deploy" / "authgate.service"
SETTINGS = ROOT / "deploy" / "authgate.env"
INSTALLED = "/opt/authgate/bin"
SCRIPTS = sysconfig.get_path("scripts")
EXPOSED_AT_MOST = 15  # tenths; systemd calls up to 20 "OK", and what is unprotected 96


def lines(*, commented: bool = False) -> list[tuple[str, str]]:
    """Every assignment of the unit, those that an operator may uncomment too if asked for."""
    pattern = re.compile(r"^#?([A-Z][A-Za-z]+)=(.*)$" if commented else r"^([A-Z][A-Za-z]+)=(.*)$")
    found = [pattern.match(line) for line in FILE.read_text().splitlines()]
    return [(match[1], match[2]) for match in found if match]


def value(name: str) -> str:
    (only,) = [text for key, text in lines() if key == name]
    return only


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it would lie on a machine whose authgate is the one under test."""
    file = tmp_path / "authgate.service"
    file.write_text(FILE.read_text().replace(INSTALLED, SCRIPTS))
    return file


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("systemd-analyze")
    assert found, "systemd is not installed: run `make test`, which brings it (or says how)."
    return subprocess.run([found, *words], capture_output=True, text=True, timeout=30, check=False)


# --- what systemd says of it ----------------------------------------------------------------------


def test_systemd_understands_every_line(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_with_every_line_uncommented_too(unit: Path) -> None:
    unit.write_text(re.sub(r"^#([A-Z][A-Za-z]+=)", r"\1", unit.read_text(), flags=re.MULTILINE))
    assert "LoadCredential=secret_key" in unit.read_text()
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_that_systemd_does_not_know_would_be_noticed(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("NoNewPrivileges=", "NoNewPrivilege="))
    assert "Unknown key" in analyze("verify", "--man=no", str(unit)).stderr


def test_it_leaves_little_to_whoever_gets_in(unit: Path) -> None:
    asked = ("security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", "--no-pager")
    done = analyze(*asked, str(unit))
    assert done.returncode == 0, done.stdout
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=no"))
    unit.write_text(unit.read_text().replace("SystemCallFilter", "#SystemCallFilter"))
    assert analyze(*asked, str(unit)).returncode != 0


# --- what it says of the program ------------------------------------------------------------------


def test_every_command_and_setting_in_it_exists(tmp_path: Path) -> None:
    names = {key for key, _ in lines(commented=True)}
    assert {"ExecStart", "ExecStartPre", "LoadCredential", "Environment"} <= names
    commands = typer.main.get_command(tree()).commands  # type: ignore[attr-defined]
    for key, text in lines(commented=True):
        if key.startswith("Exec") and text.startswith(INSTALLED):
            program, name, *options = shlex.split(text)
            assert program == f"{INSTALLED}/authgate"
            known = {opt for each in commands[name].params for opt in each.opts}
            assert {word for word in options if word.startswith("--")} <= known
        elif key == "Environment":
            assert text.partition("=")[0] in {*environment_names(), *secret_files.names()}
    given = tmp_path / "env"
    given.write_text(SETTINGS.read_text())
    assert load(given).data_dir == Path("/var/lib") / value("StateDirectory")


def test_it_waits_longer_than_the_program_takes_to_end() -> None:
    drain = sum(Settings.model_fields[name].default for name in ("drain", "drain_delay"))
    assert int(value("TimeoutStopSec")) > drain + LAST_CALL + 1
    assert value("RestartPreventExitStatus") == str(USAGE)


# --- and it runs ----------------------------------------------------------------------------------


class Unit(Deployed):
    """ExecStart with the settings of authgate.env, of which only places are changed."""

    def __init__(self, *, credential: bool = False) -> None:
        line = value("ExecStart").replace(INSTALLED, SCRIPTS)
        command = [*shlex.split(line.replace("/etc/authgate", "{data}/etc")), "--port", "{port}"]
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        if credential:
            (told,) = [text for key, text in lines(commented=True) if key == "Environment"]
            name, _, path = told.partition("=")
            env[name] = path.replace("%d", "{data}/credentials")
        super().__init__(command, env, makes_code=value("MemoryDenyWriteExecute") != "yes")

    def write_settings(self) -> None:
        shutil.rmtree(self.data / "etc", ignore_errors=True)
        text = SETTINGS.read_text().replace("https://auth.example.com", self.url)
        text = text.replace("/var/lib/authgate", str(self.data)).replace(
            "/etc/authgate", str(self.data / "etc")
        )
        file = private_folder(self.data / "etc") / "env"
        file.write_text(text)
        file.chmod(0o644)


@pytest.fixture(scope="module")
def server() -> Iterator[Unit]:
    with Unit() as running:
        yield running
        running.assert_quiet()


def test_the_whole_flow_without_a_page_that_can_be_written_and_run(server: Unit) -> None:
    with Hands(server) as hands:
        tokens = hands.tokens(hands.registered()["client_id"])
        assert hands.whoami(tokens["access_token"])
    maps = Path(f"/proc/{server.pid}/maps").read_text().splitlines()
    assert len(maps) > 50
    assert not [line for line in maps if line.split()[1][1:3] == "wx"]


def test_the_operators_commands_find_the_same_store(server: Unit) -> None:
    assert ALICE.email in server.cli("people", "list", "--json").stdout
    assert (server.data / "authgate.db").is_file()


def test_reload_reads_the_config_file_and_keeps_the_process(server: Unit) -> None:
    assert value("ExecReload") == "/bin/kill -HUP $MAINPID"
    before = server.pid
    said = server.logs().count('"rollout.mode"')
    server._running().send_signal(signal.SIGHUP)
    ends = time.monotonic() + 5
    while server.logs().count('"rollout.mode"') == said:
        assert time.monotonic() < ends, server.logs()
        time.sleep(0.05)
    assert server.pid == before
    assert server._running().poll() is None


def test_it_ends_well_and_in_time() -> None:
    with Unit() as running:
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < int(value("TimeoutStopSec")) / 2


def test_a_secret_that_systemd_hands_over_is_used() -> None:
    running = Unit(credential=True)
    folder = private_folder(running.data / "credentials")
    (folder / "secret_key").write_text("a-secret-of-thirty-two-characters-or-more\n")
    (folder / "secret_key").chmod(0o644)
    with running:
        assert not (running.data / "secret.key").exists()


def test_wrong_settings_end_with_the_code_that_is_not_tried_again() -> None:
    running = Unit()
    try:
        running._reserve()
        (running.data / "etc" / "env").write_text("AUTHGATE_PUBLIC_ULR=https://auth.example.com\n")
        done = running.run(*running._command, check=False)
        assert done.returncode == int(value("RestartPreventExitStatus")), done.stderr
    finally:
        running.close()
