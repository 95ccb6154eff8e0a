"""deploy/Dockerfile: what it says holds, and what its steps make runs with nothing to write to.

The image itself is not built: there is no Docker here.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from authgate.settings import environment_names
from tests.clients.by_hand import Hands
from tests.deploy.deployed import Deployed
from tests.deploy.dockerfile import IGNORE, Image, environment, exec_form, ours, sent, steps
from tests.house.reading import ROOT, tracked_files
from tests.postgres import Cluster

LOCKS = ROOT / "requirements"


# --- what it says ---------------------------------------------------------------------------------


def test_every_file_it_copies_is_there_and_sent() -> None:
    copied = [step.text.split() for step in steps() if step.name == "COPY"]
    assert len(copied) > 3
    for words in copied:
        if words[0].startswith("--from="):
            continue
        for source in words[:-1]:
            path = ROOT / source
            assert path.exists(), source
            files = (
                [path] if path.is_file() else list(path.rglob("*.py")) + list(path.rglob("*.txt"))
            )
            assert files
            assert all(sent(file) for file in files), source


def test_nothing_else_is_sent() -> None:
    assert not sent(ROOT / ".env")
    assert not sent(ROOT / ".git" / "config")
    assert not sent(ROOT / "deploy" / "secrets" / "secret_key")
    assert not sent(ROOT / "src" / "authgate" / "__pycache__" / "server.cpython-311.pyc")
    tops = {path.relative_to(ROOT).parts[0] for path in tracked_files() if sent(path)}
    assert tops == {"LICENSE", "README.md", "pyproject.toml", "requirements", "src"}
    assert "*" in IGNORE.read_text().splitlines()


def test_it_runs_as_a_number_and_adds_nothing_from_elsewhere() -> None:
    (user,) = ours("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    names = {step.name for step in steps()}
    assert "ADD" not in names
    assert not ours("RUN"), "the image has no step of its own, and needs no shell"
    assert ours("STOPSIGNAL") == ["SIGTERM"]
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
        assert exec_form(name)
    owners = [text for text in ours("COPY") if "--chown" in text]
    assert all(f"--chown={user} " in text for text in owners)


def test_what_it_starts_from_is_pinned_and_known_to_the_project() -> None:
    starts = [step.text for step in steps() if step.name == "FROM"]
    (tag,) = [
        step.text.removeprefix("PYTHON=")
        for step in steps()
        if step.name == "ARG" and step.text.startswith("PYTHON=")
    ]
    assert {text.split()[0] for text in starts} == {"python:${PYTHON}"}
    version = re.match(r"3\.(\d+)-slim-", tag)
    assert version
    assert (
        f"Programming Language :: Python :: 3.{version[1]}" in (ROOT / "pyproject.toml").read_text()
    )


def test_no_secret_and_no_unknown_setting_is_in_it() -> None:
    ours_alone = {name for name in environment() if name.startswith(("AUTHGATE_", "WORKOS_"))}
    assert ours_alone <= environment_names().keys()
    said = " ".join(step.text for step in steps() if step.name in ("ENV", "ARG"))
    assert not re.search(r"SECRET|TOKEN|PASSWORD|API_KEY|INDEX_URL", said)


def test_every_install_is_by_hash_or_without_an_index() -> None:
    runs = [command for step in steps() if step.name == "RUN" for command in step.text.split("&&")]
    installs = [command for command in runs if " install " in command or " wheel " in command]
    assert len(installs) == 4
    assert all("--require-hashes" in text or "--no-index" in text for text in installs)


def pins(name: str) -> dict[str, str]:
    found = re.findall(
        r"^([a-zA-Z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", (LOCKS / name).read_text(), re.M
    )
    return dict(found)


def test_the_lock_with_traces_is_the_lock_and_what_traces_need() -> None:
    base, otel, dev = pins("base.txt"), pins("otel.txt"), pins("dev.txt")
    assert base.items() <= otel.items() <= dev.items()
    assert "opentelemetry-sdk" in otel
    assert "opentelemetry-exporter-otlp-proto-http" in otel


# --- what it makes --------------------------------------------------------------------------------


class Container(Deployed):
    """ENTRYPOINT and CMD with the image's environment: no more, and nothing to write but /data."""

    def __init__(self, image: Image, **more: str) -> None:
        self.image = image
        command = [*exec_form("ENTRYPOINT"), *exec_form("CMD")]
        assert command.count("8000") == 1
        place = str(image.root / "var" / "lib" / "authgate")
        env = {
            name: image.place(text).replace(place, "{data}") for name, text in environment().items()
        }
        super().__init__(
            [image.place(word).replace("8000", "{port}") for word in command],
            {**env, "AUTHGATE_PUBLIC_URL": "http://127.0.0.1:{port}/at/a/path", **more},
        )
        self.path = "/at/a/path"

    def healthcheck(self) -> int:
        words = [
            self.image.place(word).replace("8000", "{port}") for word in exec_form("HEALTHCHECK")
        ]
        return self.run(*words, check=False).returncode


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Built, and closed to everybody's writing."""
    root = tmp_path_factory.mktemp("image")
    for folder in (root, *root.parents[:2]):
        folder.chmod(0o755)
    made = Image(root)
    made.build()
    closed(root, writable=False)
    yield made
    closed(root, writable=True)


def closed(root: Path, *, writable: bool) -> None:
    for folder, _, files in os.walk(root):
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            if not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | 0o200 if writable else mode & ~0o222)


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[Container]:
    with Container(image) as running:
        yield running
        running.assert_quiet()


@pytest.mark.timeout(600)
def test_it_installs_what_the_program_needs_and_no_installer(image: Image) -> None:
    python = image.root / "opt" / "authgate" / "bin" / "python"
    assert python.exists()
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = {
        path.name for path in (python.parents[1] / "lib" / version / "site-packages").iterdir()
    }
    assert "authgate" in packages
    assert not packages & {"pip", "setuptools", "hatchling", "pytest"}
    assert not any("editable" in name for name in packages)


def test_it_serves_the_whole_flow_and_writes_to_its_folder_alone(container: Container) -> None:
    with Hands(container) as hands:
        tokens = hands.tokens(hands.registered()["client_id"])
        assert hands.whoami(tokens["access_token"])
    assert {path.name for path in container.data.iterdir()} >= {"authgate.db", "secret.key"}


def test_the_health_check_knows_the_living_from_the_dead(container: Container) -> None:
    assert container.healthcheck() == 0
    port = container.port
    try:
        container.port = 1  # nobody there
        assert container.healthcheck() == 1
    finally:
        container.port = port


def test_the_operators_commands_run_beside_it(container: Container) -> None:
    assert "alice@example.com" in container.cli("people", "list").stdout
    assert shlex.join(exec_form("CMD")).startswith("serve ")


def test_on_postgresql_it_writes_nowhere_at_all(image: Image, tmp_path: Path) -> None:
    """docker run --read-only, and no volume."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "secret_key").write_text("a-secret-of-thirty-two-characters-or-more\n")
    with Cluster() as cluster:
        (secrets / "database_url").write_text(cluster.url + "\n")
        for path in (*secrets.iterdir(), secrets, tmp_path, *tmp_path.parents[:2]):
            path.chmod(0o644 if path.is_file() else 0o755)
        running = Container(
            image,
            AUTHGATE_SECRET_KEY_FILE=str(secrets / "secret_key"),
            AUTHGATE_DATABASE_URL_FILE=str(secrets / "database_url"),
        )
        running.data.chmod(0o555)
        if os.geteuid() == 0:
            os.chown(running.data, 0, 0)
        with running, Hands(running) as hands:
            tokens = hands.tokens(hands.registered()["client_id"])
            assert hands.whoami(tokens["access_token"])
            assert running.healthcheck() == 0
            assert list(running.data.iterdir()) == []
            running.assert_quiet()
