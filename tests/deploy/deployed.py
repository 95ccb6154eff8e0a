"""An authgate started by the very line of a file in deploy/, as a user who may write nothing else.

Root becomes `nobody`; anybody else stays who they are, and the trees they may not write to have
lost their write bits. It gets no environment but what the file gives it.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.live import ALICE, STARTS_WITHIN, LiveServer, ServerFailed, reserved_port

NOBODY = "nobody"

# PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN (Linux 6.3): what MemoryDenyWriteExecute= does. An older
# kernel says no, and the server runs without; what it maps is looked at in any case.
_NO_NEW_CODE = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@functools.cache
def as_nobody() -> tuple[str, ...]:
    """What stands before a command so that it runs as somebody without rights or a way to any."""
    setpriv = shutil.which("setpriv")
    assert setpriv, "setpriv (util-linux) is missing"
    if os.geteuid() != 0:
        return (setpriv, "--no-new-privs")
    user = (setpriv, f"--reuid={NOBODY}", "--regid=nogroup", "--clear-groups", "--no-new-privs")
    same = "import sys; sys.exit(sys.base_prefix != sys.argv[1])"  # or another's library is found
    tried = subprocess.run(
        [*user, sys.executable, "-c", same, sys.base_prefix], capture_output=True, check=False
    )
    if tried.returncode == 0:
        return user
    # The interpreter lies where only root may look: let nobody look, and still write nowhere.
    look = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return (*user, *look)


def private_folder(path: Path) -> Path:
    """A folder that the user of `as_nobody` may write to, and nobody else see."""
    path.mkdir(mode=0o700, parents=True)
    if os.geteuid() == 0:
        shutil.chown(path, NOBODY, "nogroup")
    return path


class Deployed(LiveServer):
    """`command` from `start` to `stop`, on a port of its own; `env` is all the environment.

    `{port}` and `{data}` in either are the port and the one folder it may write to.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, makes_code: bool = True
    ) -> None:
        super().__init__(
            people=(ALICE,), folder=Path(tempfile.mkdtemp(prefix="authgate-deployed-"))
        )
        self._own_folder = True
        self.folder.chmod(0o755)
        self.data = private_folder(self.folder / "data")
        self._command = tuple(command)
        self._all_env = dict(env)
        prepared = () if makes_code else (sys.executable, "-c", _NO_NEW_CODE)
        self._before = (*as_nobody(), *prepared)

    def filled(self, text: str) -> str:
        """With the port and the folder in it."""
        return text.replace("{port}", str(self.port)).replace("{data}", str(self.data))

    def run(
        self, *command: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Another program beside it: same user, same environment."""
        done = subprocess.run(
            [*self._before, *map(self.filled, command)],
            input=stdin,
            env=self._environment(),
            cwd=self.data,
            capture_output=True,
            text=True,
            timeout=STARTS_WITHIN,
            check=False,
        )
        if check and done.returncode != 0:
            raise ServerFailed(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def cli(
        self, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """The program of the command itself, with the settings file it names, if it names one."""
        settings: tuple[str, ...] = ()
        if "--env-file" in self._command:
            at = self._command.index("--env-file")
            settings = self._command[at : at + 2]
        return self.run(self._command[0], *arguments, *settings, stdin=stdin, check=check)

    def write_settings(self) -> None:
        """Called with the port known, before it starts: for settings that name it."""

    def _reserve(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
        self._reserved = reserved_port()
        self.port = self._reserved.getsockname()[1]
        self.write_settings()

    def _launch(self) -> None:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._before, *map(self.filled, self._command)],
                env=self._environment(),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        self._await_answer()

    def _environment(self) -> dict[str, str]:
        return {name: self.filled(value) for name, value in self._all_env.items()}
