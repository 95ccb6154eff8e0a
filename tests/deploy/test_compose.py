"""deploy/compose.yaml: held to the Dockerfile, the settings and the proxy's file beside it.

Its containers are not started: there is no Docker here.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authgate.app.building import build
from authgate.cli.serving import LAST_CALL
from authgate.settings import Settings, environment_names, load, secret_files
from tests.deploy.dockerfile import FILE as DOCKERFILE
from tests.deploy.dockerfile import exec_form
from tests.house.reading import ROOT

FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NODES = [name for name in SERVICES if name.startswith("authgate-")]
# What may be written without a volume, and what stands in a host's folder.
SITE = "auth.example.com"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned(name: str) -> None:
    service = SERVICES[name]
    if name in NODES:
        build_ = service["build"]
        assert ROOT / "deploy" / build_["context"] / build_["dockerfile"] == (
            ROOT / "deploy" / ".." / "deploy" / "Dockerfile"
        )
        assert DOCKERFILE.is_file()
    else:
        assert re.search(r":\d[\w.]*-\w+$", service["image"]), service["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_name_it_uses_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (FILE.parent / source).is_file(), source
        else:
            assert source in COMPOSE["volumes"]
    for other, wanted in service.get("depends_on", {}).items():
        assert wanted == {"condition": "service_healthy"}
        # a node's health check is the image's
        assert other in NODES or "healthcheck" in SERVICES[other]


def test_what_nobody_outside_should_reach_has_no_way_out_or_in() -> None:
    assert COMPOSE["networks"]["back"] == {"internal": True}
    for name in ("postgres", "valkey"):
        assert SERVICES[name]["networks"] == ["back"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    assert SERVICES["caddy"]["ports"] == ["443:443"]


@pytest.mark.parametrize("name", NODES)
def test_a_nodes_settings_exist_and_its_secrets_are_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, str] = SERVICES[name]["environment"]
    assert given.keys() <= {*environment_names(), *secret_files.names()}
    assert not given.keys() & set(secret_files.names().values()), "a secret in the environment"
    told = {
        "secret_key": "a-secret-of-thirty-two-characters-or-more",
        "database_url": "postgresql://authgate:a-password@postgres:5432/authgate",
        "limits_url": "redis://:a-password@valkey:6379/0",
    }
    assert set(SERVICES[name]["secrets"]) == told.keys()
    monkeypatch.chdir(tmp_path)
    for key, text in given.items():
        value = re.sub(r"\$\{SITE:\?[^}]*\}", SITE, text)
        if value.startswith("/run/secrets/"):
            file = tmp_path / Path(value).name
            file.write_text(told.pop(file.name) + "\n")
            value = str(file)
        monkeypatch.setenv(key, value)
    assert not told, "a secret that no setting reads"
    settings = load()
    assert settings.public_url == f"https://{SITE}"
    assert "a-password" not in repr(settings)
    build(settings).core.passwords.close()  # nothing is connected to before it starts
    grace = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.drain_delay + settings.drain + LAST_CALL
    # Caddy asks every second and waits for two.
    assert settings.drain_delay >= 3


def test_the_nodes_are_the_same() -> None:
    first, *others = (SERVICES[name] for name in NODES)
    assert others
    assert all(other == first for other in others)


def test_the_proxy_knows_the_nodes_and_the_nodes_the_proxy() -> None:
    port = exec_form("CMD")[-1]
    given = SERVICES["caddy"]["environment"]
    assert given["NODES"].split() == [f"{name}:{port}" for name in NODES]
    address = SERVICES["caddy"]["networks"]["front"]["ipv4_address"]
    for name in NODES:
        assert SERVICES[name]["environment"]["AUTHGATE_TRUSTED_PROXIES"] == address
    (mounted,) = [v for v in SERVICES["caddy"]["volumes"] if v.endswith(":/etc/caddy/Caddyfile:ro")]
    text = (FILE.parent / mounted.split(":")[0]).read_text()
    for name in given:
        assert f"{{${name}:" in text


def test_the_lines_that_make_the_secrets_make_all_of_them(tmp_path: Path) -> None:
    lines = [line.removeprefix("#").strip() for line in FILE.read_text().splitlines()]
    begin = next(n for n, line in enumerate(lines) if line.startswith("mkdir -m 0700 secrets"))
    end = next(n for n, line in enumerate(lines) if line.startswith("chmod 0444"))
    subprocess.run(
        ["bash", "-euc", "\n".join(lines[begin : end + 1])], cwd=tmp_path, check=True, timeout=30
    )
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    wanted = {Path(entry["file"]).name for entry in COMPOSE["secrets"].values()}
    assert made.keys() == wanted
    password = made["postgres_password"].strip()
    assert made["database_url"] == f"postgresql://authgate:{password}@postgres:5432/authgate\n"
    assert made["valkey_conf"].startswith("requirepass ")
    assert made["limits_url"] == f"redis://:{made['valkey_conf'].split()[1]}@valkey:6379/0\n"
    assert Settings.model_fields["secret_key"]
