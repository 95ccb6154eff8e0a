"""deploy/Dockerfile, read, and done step by step on this machine: there is no Docker in the tests.

Every RUN, COPY and ENV is followed as it stands, in a folder that plays the root of the image. What
is not had are the images it starts from: this machine's Python takes their place.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.house.reading import ROOT

FILE = ROOT / "deploy" / "Dockerfile"
IGNORE = ROOT / ".dockerignore"
_OURS = re.compile(r"(?<![\w./])/(?:opt|src|wheels|data|var/lib/authgate|etc/authgate)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction; `stage` counts from 0."""

    stage: int
    name: str
    text: str


def steps() -> list[Step]:
    """Every instruction, continued lines joined, comments left out."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found: list[Step] = []
    stage = -1
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, text = line.partition(" ")
        stage += name == "FROM"
        found.append(Step(max(stage, 0), name, text.strip()))
    return found


def ours(name: str) -> list[str]:
    """The texts of an instruction in the image itself, which is the last stage."""
    last = max(step.stage for step in steps())
    return [step.text for step in steps() if step.stage == last and step.name == name]


def exec_form(name: str) -> list[str]:
    """The words of an instruction that has to be a JSON list."""
    (text,) = ours(name)
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def environment() -> dict[str, str]:
    """What the image sets for the program."""
    return dict(pair.split("=", 1) for text in ours("ENV") for pair in text.split())


def sent(path: Path) -> bool:
    """Does the builder get this file of the project, by .dockerignore? (The last rule wins.)"""
    name = path.relative_to(ROOT).as_posix()
    parts = [name, *(parent.as_posix() for parent in Path(name).parents if parent.name)]
    answer = True
    for rule in IGNORE.read_text().splitlines():
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!").removeprefix("**/")
        candidates = parts + [Path(part).name for part in parts if rule.startswith("**/")]
        if any(fnmatch.fnmatch(part, pattern) for part in candidates):
            answer = rule.startswith("!")
    return answer


class Image:
    """What the steps make, below `root`; `place` says where a path of the image is here."""

    def __init__(self, root: Path, *, extras: str = "base") -> None:
        self.root = root
        self.extras = extras

    def place(self, text: str) -> str:
        """With the image's paths in it replaced by those below `root`."""
        return _OURS.sub(lambda match: f"{self.root}{match[0]}", text)

    def build(self) -> None:
        """The first stage: every COPY and RUN of it."""
        (self.root / "src").mkdir(parents=True)
        (self.root / "opt").mkdir()
        for step in steps():
            if step.stage == 0 and step.name == "COPY":
                *sources, target = step.text.split()
                for source in sources:
                    self._copy(ROOT / source, self.root / "src" / target)
            elif step.stage == 0 and step.name == "RUN":
                self._run(step.text)
        (self.root / "etc" / "authgate").mkdir(parents=True)

    def _copy(self, source: Path, target: Path) -> None:
        assert source.exists(), source
        files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
        for file in filter(sent, files):
            to = target / file.name if source.is_file() else target / file.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)

    def _run(self, text: str) -> None:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("AUTHGATE")
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        done = subprocess.run(
            ["sh", "-euc", self.place(text)],
            env={**kept, "PATH": path, "EXTRAS": self.extras, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            cwd=self.root / "src",
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
