"""MCP clients that are whole programs, which open the desktop's browser by themselves.

Desktop(folder, ALICE).run(INSPECTOR, "--cli", …)
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests import scripted_browser
from tests.clients.node_client import node_person
from tests.clients.node_env import node_binary, package_file
from tests.live import Person, reserved_port

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
MCP_REMOTE = "mcp-remote/dist/proxy.js"
WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended and what it said."""

    code: int
    out: str
    err: str


class Desktop:
    """A home folder with a browser, in which one person is; nothing of the machine's home."""

    def __init__(self, folder: Path, person: Person, authority: Path | None = None) -> None:
        """`authority`: a certificate authority that everything here trusts."""
        self.folder = folder
        self.visits = folder / "visits"
        program = folder / "xdg-open"
        script = shlex.join([sys.executable, str(Path(scripted_browser.__file__).resolve())])
        program.write_text(
            f'#!/bin/sh\nexec {script} "$1" >>{shlex.quote(str(self.visits))} 2>&1\n'
        )
        program.chmod(0o700)
        self.environment = {
            **node_person(person),
            "HOME": str(folder),
            "BROWSER": str(program),
            "MCP_AUTO_OPEN_ENABLED": "true",
            "MCP_STORAGE_DIR": str(folder / "inspector"),
            "MCP_CATALOG_PATH": str(folder / "catalog.json"),
            "MCP_INSPECTOR_SECRET_STORE": "file",  # else what it is given is gone with the process
            "MCP_REMOTE_CONFIG_DIR": str(folder / "remote"),
        }
        self.environment["PATH"] = f"{folder}:{self.environment['PATH']}"
        if authority is not None:
            self.environment["NODE_EXTRA_CA_CERTS"] = str(authority)
            self.environment["SSL_CERT_FILE"] = str(authority)

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program of tests/clients/node."""
        return [str(node_binary()), str(package_file(program)), *arguments]

    def run(self, program: str, *arguments: str) -> Done:
        """Run it to its end."""
        ended = subprocess.run(
            self.command(program, *arguments),
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def visited(self) -> list[str]:
        """Where each visit of the browser ended."""
        return self.visits.read_text().splitlines() if self.visits.exists() else []


@asynccontextmanager
async def mcp_remote(desktop: Desktop, url: str, *options: str) -> AsyncIterator[Client]:
    """The official client of the stdio server that mcp-remote makes of the server at `url`."""
    with reserved_port() as port, (desktop.folder / "said").open("w") as said:
        command, *arguments = desktop.command(MCP_REMOTE, url, str(port.getsockname()[1]), *options)
        program = StdioServerParameters(
            command=command, args=arguments, env=desktop.environment, cwd=desktop.folder
        )
        async with Client(stdio_client(program, errlog=said), mode="legacy") as client:
            yield client
