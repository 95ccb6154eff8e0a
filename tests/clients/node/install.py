"""Installs the JavaScript clients exactly as locked: ``python -m tests.clients.node.install``.

``npm ci`` with the Node of the wheel: it takes what package-lock.json says, by hash, or fails; it
never changes the lock. No package's install script is run (``.npmrc``).
"""

import subprocess
import sys

from tests.clients.node_env import NODE_FOLDER, node_binary, node_environment, npm_cli


def main() -> int:
    """Run ``npm ci`` in this folder; extra arguments replace ``ci`` (``install axe-core@4``)."""
    arguments = sys.argv[1:] or ["ci"]
    command = [str(node_binary()), str(npm_cli()), *arguments, "--no-progress"]
    return subprocess.run(command, cwd=NODE_FOLDER, env=node_environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
