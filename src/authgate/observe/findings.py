"""What a look at a service, or at authgate itself, found: sentences for the operator.

The same findings go into the log at a start and are printed by `authgate doctor`. Never here: who
looks, and what is asked (`workos.report`, `app.checkup`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from authgate.observe import log

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Never a secret in it.

    A `problem` keeps something from working or safe, a `warning` some people or clients, a `note`
    is what could not be seen or is to be known. `check` is its name for programs and stays. `said`
    is one sentence; `fix` what to do and `where`, "" where there is nothing to do.
    """

    check: str
    level: Level
    said: str
    fix: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one look, in the order in which they are mended."""

    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Report:
        return cls(tuple(findings))

    @property
    def problems(self) -> Iterator[Finding]:
        return (found for found in self.findings if found.level == "problem")

    def tell(self, service: str) -> None:
        """Into the log: `{service}.problem`, `{service}.warning`, `{service}.note`; not what is
        well."""
        for found in self.findings:
            line = {"check": found.check, "detail": found.said}
            line |= {name: text for name, text in (("fix", _fix(found)),) if text}
            match found.level:
                case "problem" | "warning":
                    log.warning(f"{service}.{found.level}", **line)
                case "note":
                    log.info(f"{service}.note", **line)
                case "ok":
                    pass


def _fix(found: Finding) -> str:
    return f"{found.fix} ({found.where})" if found.fix and found.where else found.fix
