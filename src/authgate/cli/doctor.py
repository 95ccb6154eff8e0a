"""`authgate doctor`: look at what is set up, say what to mend, and where.

Neighbour: `app.checkup` looks. Here is only how it is told.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from authgate.cli.common import REFUSED, USAGE, fail, load_settings, print_json
from authgate.cli.options import AsJson, EnvFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from authgate.app.checkup import Area
    from authgate.observe.findings import Finding, Report

_TITLES = {"authgate": "This authgate", "supabase": "Supabase", "workos": "WorkOS"}
_STYLES = {"ok": "green", "note": "cyan", "warning": "yellow", "problem": "bold red"}
_MISSING = {
    "supabase": "Supabase is not set up: set SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY.",
    "workos": "WorkOS is not set up: set WORKOS_API_KEY and WORKOS_CLIENT_ID for GitHub and "
    "Google, or AUTHGATE_ISSUER=authkit with WORKOS_API_KEY and WORKOS_AUTHKIT_DOMAIN.",
}


def doctor(
    area: Annotated[
        Literal["authgate", "supabase", "workos"] | None,
        typer.Argument(help="Look at this one alone; everything that is set up if left out."),
    ] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Look at what is set up: what does not fit, what to set, and where.

    Asks the services a few harmless questions with the keys of the settings. Ends with 1 if there
    is a problem; warnings and notes alone end with 0.

    \b
    Examples:
      authgate doctor
      authgate doctor workos
      authgate doctor supabase --json
    """
    settings = load_settings(env_file)
    from authgate.app.checkup import look, set_up
    from authgate.observe import log

    there = set_up(settings)
    if area is not None and area not in there:
        fail(_MISSING[area], USAGE)
    with log.silenced():  # it would tell the same things in other words
        reports = asyncio.run(look(settings, there if area is None else (area,)))
    problems = sum(len(list(report.problems)) for report in reports.values())
    if as_json:
        findings = [
            _facts(name, found) for name, report in reports.items() for found in report.findings
        ]
        print_json({"problems": problems, "findings": findings})
    else:
        _print(reports, problems)
    if problems:
        raise typer.Exit(REFUSED)


def _facts(area: str, found: Finding) -> dict[str, str]:
    """A finding for programs: these names stay."""
    return {
        "area": area,
        "check": found.check,
        "level": found.level,
        "said": found.said,
        "fix": found.fix,
        "where": found.where,
    }


def _print(reports: Mapping[Area, Report], problems: int) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for name, report in reports.items():
        console.print(Text(_TITLES[name], style="bold"))
        for found in report.findings:
            for line in _lines(found):
                console.print(line, soft_wrap=True)
        console.print()
    count = {0: "No problem", 1: "1 problem"}.get(problems, f"{problems} problems")
    console.print(f"{count} found.", style="bold red" if problems else "bold green")


def _lines(found: Finding) -> list[Text]:
    """Plain text: what a service said is never markup."""
    from rich.text import Text

    head = Text("  ").append(f"{found.level:<8}", style=_STYLES[found.level])
    lines = [head.append(f" {found.said}")]
    if found.fix:
        lines.append(Text(f"           → {found.fix}"))
    if found.where:
        lines.append(Text(f"             {found.where}", style="dim"))
    return lines
