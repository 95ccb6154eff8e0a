"""What `authgate serve` says when it starts: where it is, who owns which way to sign in.

Plain text with a little weight on a terminal: a rich table would cost a tenth of the cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authgate import __version__

if TYPE_CHECKING:
    from authgate.app import Core

_NOT_OFFERED = "not offered"


def sign_in_rows(core: Core) -> list[tuple[str, str]]:
    """Each way to sign in with its owner."""
    settings = core.settings
    passwords = settings.passwords or "embedded"
    social = settings.social or "none"
    offered = social if social != "none" else _NOT_OFFERED
    return [("passwords", passwords), ("GitHub", offered), ("Google", offered)]


def notes(core: Core, people: int) -> list[str]:
    """What the operator should know: what is set and has no effect, and what to do next."""
    found = []
    settings = core.settings
    if settings.workos_api_key or settings.workos_client_id:
        found.append(
            "WORKOS_API_KEY and WORKOS_CLIENT_ID are set, but GitHub and Google through WorkOS "
            "are not in this version: nothing is sent to WorkOS."
        )
    if people == 0:
        found.append("There are no people yet. Add one: authgate people add name@example.com")
    return found


def banner(core: Core, people: int, workers: int, *, colour: bool) -> str:
    """The whole text, ready to print."""

    def strong(text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if colour else text

    facts = [
        ("public URL", core.settings.public),
        ("MCP URL", core.policy.default_resource),
        ("store", str(core.settings.sqlite_path)),
        ("workers", str(workers)),
    ]
    lines = [strong(f"authgate {__version__}")]
    lines += [f"  {name:<12} {value}" for name, value in facts]
    lines += ["", f"  {strong('way to sign in'):<{12 + (8 if colour else 0)}} → owner"]
    lines += [f"  {way:<14} → {owner}" for way, owner in sign_in_rows(core)]
    lines += [f"\n  {strong('Note:')} {note}" for note in notes(core, people)]
    return "\n".join(lines) + "\n"
