"""The direction of imports, and a test for every module of the rules."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.house.reading import ROOT, SOURCE, TESTS, python_files


def test_imports_go_one_way_down() -> None:
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    done = subprocess.run(
        [str(command), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout


# Tested under another name, with the reason.
ELSEWHERE = {
    "faces": "test_errors",  # one table, tested from its outside
    "reasons": "test_errors",
    "policy": "test_records",  # records without a rule of their own
    "digests": "test_records",
}


@pytest.mark.parametrize(
    "module", sorted(path.stem for path in python_files(SOURCE / "protocol") if path.stem[0] != "_")
)
def test_every_module_of_the_rules_has_its_tests(module: str) -> None:
    name = ELSEWHERE.get(module, f"test_{module}")
    assert (TESTS / "protocol" / f"{name}.py").is_file()


def test_every_room_has_tests_of_its_own() -> None:
    rooms = {path.relative_to(SOURCE).parts[0] for path in python_files(SOURCE)}
    packages = {room for room in rooms if (SOURCE / room / "__init__.py").is_file()}
    tested = {path.relative_to(TESTS).parts[0] for path in python_files(TESTS)}
    # observe: what is logged is asserted where it happens (tests/web, tests/conformance)
    assert packages - tested <= {"observe"}
