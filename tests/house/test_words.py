"""docs/words.md and docs/dependencies.md are complete, and what they name exists."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from enum import Enum

import pytest

from authgate.protocol import records
from tests.house.reading import DOCS, SOURCE, first_cells, package_name, project

WORDS = (DOCS / "words.md").read_text()

RECORDS = [
    name
    for name, value in vars(records).items()
    if (
        (
            inspect.isclass(value)
            and value.__module__ == records.__name__
            and (dataclasses.is_dataclass(value) or issubclass(value, Enum))
        )
        or typing.get_origin(value) is typing.Literal
    )
]


@pytest.mark.parametrize("record", RECORDS)
def test_every_record_has_its_word(record: str) -> None:
    assert f"`{record}`" in WORDS


def test_every_class_named_there_is_a_record() -> None:
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)*)`", WORDS))
    assert named == set(RECORDS)


def test_every_place_named_there_exists() -> None:
    places = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", WORDS)
    assert len(places) > 40
    assert not [place for place in places if not (SOURCE / place).is_file()]


def test_no_word_is_explained_twice() -> None:
    words = [word for word in first_cells(DOCS / "words.md") if word != "word"]
    assert len(words) == len(set(words))


def test_every_direct_dependency_is_argued_for_and_no_other() -> None:
    wanted = [package_name(line) for line in project()["dependencies"]]
    for extra in project().get("optional-dependencies", {}).values():
        wanted += [package_name(line) for line in extra]
    argued = [cell.strip("`") for cell in first_cells(DOCS / "dependencies.md")]
    listed = [name for name in argued if name != "package"]
    assert len(listed) == len(set(listed))
    assert {name.lower() for name in listed} == {name.lower() for name in wanted}


def test_no_dependency_is_listed_without_a_reason() -> None:
    rows = (DOCS / "dependencies.md").read_text().splitlines()
    reasons = [row.split("|")[2].strip() for row in rows if row.startswith("| `")]
    assert all(len(reason) > 10 for reason in reasons)
