"""The config file as the watch sees it: what counts, when, and what changes nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from authgate.app import live as module
from authgate.app.live import Live
from authgate.protocol.rollout import Mode
from authgate.settings import LiveSettings, Settings
from tests.gateway.proxying import until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "authgate.toml"


def live(file: Path, **environment: Any) -> tuple[Live, list[LiveSettings]]:
    """A watch, and what it had applied."""
    made = Live(Settings(AUTHGATE_CONFIG_FILE=file, _env_file=None, **environment))
    applied: list[LiveSettings] = []
    made.apply(applied.append)
    return made, applied


def put(file: Path, text: str, at: int) -> None:
    file.write_text(text)
    os.utime(file, (at, at))


def test_a_change_counts_at_the_second_look(file: Path) -> None:
    watched, applied = live(file)
    assert watched.mode is Mode.REQUIRED
    put(file, 'rollout = "off"\n', 1000)
    watched.look()
    assert watched.mode is Mode.REQUIRED  # it may still be being written
    put(file, 'rollout = "observe"\n', 1001)
    watched.look()
    assert watched.mode is Mode.REQUIRED
    watched.look()
    assert watched.mode is Mode.OBSERVE
    for _ in range(3):
        watched.look()
    assert [one.rollout for one in applied] == [None, Mode.OBSERVE]
    assert applied[-1].changed_at == 1001


def test_asked_it_counts_at_once(file: Path) -> None:
    watched, applied = live(file)
    put(file, 'rollout = "off"\n', 1000)
    watched.look_again()
    watched.look()
    assert watched.mode is Mode.OFF
    watched.look()
    watched.look()
    assert len(applied) == 2


@pytest.mark.parametrize("broken", ['rollout = "on"\n', "x = 1\n", "rollout", '[tools]\na = "b"\n'])
def test_what_is_broken_changes_nothing(
    file: Path, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(file, 'rollout = "optional"\n', 1000)
    watched, applied = live(file)
    put(file, broken, 1001)
    for _ in range(4):
        watched.look()
    assert watched.mode is Mode.OPTIONAL
    assert len(applied) == 1
    said = capsys.readouterr().out
    assert said.count("config.refused") == 1
    assert "stays in force" in said
    put(file, 'rollout = "required"\n', 1002)
    watched.look()
    watched.look()
    assert watched.mode is Mode.REQUIRED


def test_a_file_that_is_gone_changes_nothing(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(file, 'rollout = "optional"\n', 1000)
    watched, applied = live(file)
    file.unlink()
    for _ in range(4):
        watched.look()
    watched.look_again()
    watched.look()
    assert watched.mode is Mode.OPTIONAL
    assert len(applied) == 1
    assert capsys.readouterr().out.count("The file is gone") == 2  # once, and once when asked
    put(file, 'rollout = "optional"\n', 1000)  # and back as it was
    watched.look()
    watched.look()
    assert watched.mode is Mode.OPTIONAL


def test_a_file_that_never_was_is_no_trouble(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watched, applied = live(file)
    watched.look_again()
    watched.look()
    assert len(applied) == 1
    assert "gone" not in capsys.readouterr().out


def test_the_variable_goes_before(file: Path) -> None:
    put(file, 'rollout = "off"\ndefault_scope = "mcp:use"\n', 1000)
    watched, applied = live(file, AUTHGATE_ROLLOUT="observe")
    put(file, 'rollout = "required"\n', 1001)
    watched.look()
    watched.look()
    assert watched.mode is Mode.OBSERVE
    assert applied[-1].default_scope == ()  # all else in it counts


async def said_at_the_start(watched: Live, capsys: pytest.CaptureFixture[str]) -> str:
    task = asyncio.create_task(watched.watch())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("mode", "unknown", "upstream", "warned"),
    [
        ("off", "pass", True, False),
        ("observe", "pass", True, True),
        ("optional", "pass", True, True),
        ("optional", "refuse", True, False),
        ("optional", "pass", False, False),  # nobody judges there, so it is refused
        ("required", "pass", True, False),
    ],
)
async def test_the_operator_hears_that_unknown_credentials_pass(
    file: Path,
    mode: str,
    unknown: str,
    upstream: bool,
    warned: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = {"AUTHGATE_UPSTREAM": "http://127.0.0.1:9000/mcp"} if upstream else {}
    text = f'rollout = "{mode}"\n[legacy]\nunknown = "{unknown}"\n'
    put(file, text, 1000)
    started, _ = live(file, **environment)
    assert ("rollout.unknown_passes" in await said_at_the_start(started, capsys)) is warned
    put(file, 'rollout = "required"\n', 1001)
    reloaded, _ = live(file, **environment)
    put(file, text, 1002)
    for _ in range(4):
        reloaded.look()
    assert capsys.readouterr().out.count("rollout.unknown_passes") == warned  # once


async def test_the_watch_survives_a_bug(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    watched, applied = live(file)

    def bug(_: LiveSettings) -> None:
        if len(applied) < 3:
            applied.append(LiveSettings())
            raise RuntimeError("a bug")

    applied.append(LiveSettings())
    watched._applied.insert(0, bug)
    task = asyncio.create_task(watched.watch())
    try:
        put(file, 'rollout = "off"\n', 1000)
        await until(lambda: "watch_broken" in capsys.readouterr().out)
        put(file, 'rollout = "observe"\n', 1001)
        await until(lambda: applied[-1].rollout is Mode.OBSERVE)
    finally:
        task.cancel()
        await asyncio.wait([task])
