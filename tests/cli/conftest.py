"""The operator of a fresh machine: commands in this process, or as real ones, on an empty store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from authgate.cli.tree import tree

FOREIGN = ("AUTHGATE_", "WORKOS_", "SUPABASE_", "LOG_LEVEL")
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Operator:
    """Somebody at a shell in `folder`, with `env` and nothing else set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AUTHGATE_DATA_DIR": str(folder / "data"),
        }

    def run(self, *arguments: str, stdin: str | bytes = "") -> Done:
        """An `authgate` command, in this process."""
        result = CliRunner().invoke(tree(), arguments, input=stdin, prog_name="authgate")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """A program of ours as a real process: `python -m` with these arguments."""
        options = {"stdin": subprocess.DEVNULL, "text": True, "start_new_session": True}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.env,
            **{**options, **streams, **more},
        )

    def spawn(self, *arguments: str) -> Done:
        """The same, until it ends."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    def add(self, email: str = "ada@example.com", password: str = PASSWORD) -> str:
        """Somebody who can sign in; their `sub`."""
        done = self.run("people", "add", email, "--password-stdin", "--json", stdin=password)
        assert done.code == 0, done.err
        sub: str = done.json["sub"]
        return sub


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """An operator whose own process sees what their commands would see."""
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    somebody = Operator(tmp_path)
    for name in ("HOME", "AUTHGATE_DATA_DIR"):
        monkeypatch.setenv(name, somebody.env[name])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return somebody
