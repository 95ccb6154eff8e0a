"""`.env.example` has every setting once, with its default and its line, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from authgate.settings import environment_names
from tests.settings.env_example import GROUPS, render, settings

FILE = Path(__file__).parents[2] / ".env.example"


def test_it_is_what_the_settings_say() -> None:
    how = "run: python -m tests.settings.env_example > .env.example"
    assert FILE.read_text() == render(), how


def test_it_has_every_setting_once() -> None:
    names = re.findall(r"^#([A-Z_]+)=", FILE.read_text(), re.MULTILINE)
    assert sorted(names) == sorted(environment_names())
    assert sorted(names) == sorted(name for group in GROUPS.values() for name in group)


def test_every_setting_has_one_line_of_words() -> None:
    for name, (_, line) in settings().items():
        assert line, name
        assert line.endswith("."), name
        assert "\n" not in line, name


def test_nothing_in_it_is_switched_on() -> None:
    assert [line for line in FILE.read_text().splitlines() if line and line[0] != "#"] == []
