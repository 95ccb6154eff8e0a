"""What is built where AuthKit issues, and what is not even loaded where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from authgate.app import build
from authgate.settings import load

AUTHKIT = {
    "AUTHGATE_ISSUER": "authkit",
    "WORKOS_API_KEY": "sk_test_1",
    "WORKOS_AUTHKIT_DOMAIN": "http://127.0.0.1:9",
    "WORKOS_API_URL": "http://127.0.0.1:9",
}


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AUTHGATE_DATA_DIR", str(tmp_path))
    for name, value in AUTHKIT.items():
        monkeypatch.setenv(name, value)
    return build(load(tmp_path / "no.env"))


async def test_it_starts_and_stops_with_nobody_there(application: Any) -> None:
    """WorkOS may be down when we start, and may come later."""
    await application.start()
    await application.stop()


async def test_no_key_of_ours_is_on_any_page(application: Any) -> None:
    assert not [path for path in application.table if "jwks" in path]
    application.core.passwords.close()


def test_who_issues_here_loads_nothing_of_authkit(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from authgate.app import build\n"
        "from authgate.settings import load\n"
        "from pathlib import Path\n"
        "build(load(Path('no.env')))\n"
        "names = ('authgate.issuers.authkit', 'authgate.workos.client', 'workos', 'aiohttp')\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**kept, "AUTHGATE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"
