"""A JavaScript MCP client as a conversation: a word goes in, one line of JSON comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests import scripted_browser
from tests.clients.node_env import NODE_FOLDER, node_binary, node_environment
from tests.live import Person


def node_person(person: Person) -> dict[str, str]:
    """The environment in which `person.mjs` finds its person."""
    return node_environment(
        {
            **scripted_browser.browser_environment(person.email, person.password),
            "SCRIPTED_BROWSER": str(Path(scripted_browser.__file__).resolve()),
            "SCRIPTED_BROWSER_PYTHON": sys.executable,
        }
    )


class NodeClient:
    """One running script of tests/clients/node; see its `obey.mjs` for the words."""

    def __init__(self, script: str, *arguments: str, person: Person) -> None:
        self._process = subprocess.Popen(
            [str(node_binary()), str(NODE_FOLDER / script), *arguments],
            env=node_person(person),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def say(self, word: str) -> Any:
        """What the client answers; a failure of the client is a failure of the test."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        said = json.loads(line) if line else {"failed": "the client ended"}
        assert "failed" not in said, said["failed"] + "\n" + said.get("stack", "")
        return said["ok"]
