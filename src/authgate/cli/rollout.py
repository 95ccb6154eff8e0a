"""`authgate rollout`: how far OAuth is switched on, who still calls with what, and whom `required`
would shut out.

The counts are those that the running servers write every few seconds; the mode is what a server
with these settings and this config file has in force.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from authgate.cli.common import print_json, print_table, with_core
from authgate.cli.options import AsJson, EnvFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authgate.app import Core
    from authgate.protocol.records import UsageRow
    from authgate.settings import LiveSettings, Settings

EPOCH = date(1970, 1, 1)
_KINDS = {
    "none": "no credential",
    "ours": "OAuth",
    "supabase": "Supabase token",
    "api_key": "API key",
    "existing_key": "existing API key",
    "unknown": "unknown credential",
}


def rollout(
    days: Annotated[int, typer.Option(min=1, max=90, help="How many days back to look.")] = 7,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Show the rollout's mode, who still calls with what, and what required would refuse.

    \b
    Examples:
      authgate rollout
      authgate rollout --days 30 --json
    """
    since = datetime.now(UTC).date() - timedelta(days=days - 1)

    async def work(core: Core) -> tuple[Settings, list[UsageRow], dict[str, str]]:
        rows = list(await core.store.usage((since - EPOCH).days))
        return core.settings, rows, await _names(core, rows)

    settings, rows, names = with_core(env_file, work)
    if as_json:
        print_json(_document(settings, since, rows, names))
    else:
        _show(settings, days, rows, names)


async def _names(core: Core, rows: Sequence[UsageRow]) -> dict[str, str]:
    """What clients call themselves, by identifier."""
    ids = {row.client for row in rows if row.kind == "ours" and row.client}
    found = {client_id: await core.store.client(client_id) for client_id in ids}
    return {client_id: client.name or "" for client_id, client in found.items() if client}


def _in_force(settings: Settings) -> tuple[str, str, LiveSettings]:
    """The mode, where it comes from, and what the config file says."""
    from authgate.app import mode_of
    from authgate.settings import load_live

    live = load_live(settings)
    source = "AUTHGATE_ROLLOUT" if settings.rollout else str(settings.config_file)
    source = source if settings.rollout or live.rollout else "default"
    return mode_of(settings, live).value, source, live


def _document(
    settings: Settings, since: date, rows: Sequence[UsageRow], names: dict[str, str]
) -> dict[str, object]:
    """For programs: these names stay."""
    mode, source, live = _in_force(settings)
    return {
        "mode": mode,
        "mode_from": source,
        "supabase_tokens_until": _iso(live.supabase_tokens_until),
        "api_keys_until": _iso(live.api_keys_until),
        "since": since.isoformat(),
        "calls": sum(row.calls for row in rows),
        "required_would_refuse": sum(row.would_refuse for row in rows),
        "usage": [
            {
                "day": _day(row),
                "kind": row.kind,
                "client": row.client,
                "client_name": names.get(row.client, "") if row.kind == "ours" else "",
                "calls": row.calls,
                "required_would_refuse": row.would_refuse,
            }
            for row in rows
        ],
    }


def _show(settings: Settings, days: int, rows: Sequence[UsageRow], names: dict[str, str]) -> None:
    mode, source, live = _in_force(settings)
    fixed = "; it cannot change while the server runs" if source == "AUTHGATE_ROLLOUT" else ""
    typer.echo(f"Mode: {mode} (from {source}{fixed})")
    for what, until in (
        ("Supabase tokens", live.supabase_tokens_until),
        ("API keys", live.api_keys_until),
    ):
        if until is not None:
            typer.echo(f"{what}: until {_iso(until)}")
    calls, refused = sum(r.calls for r in rows), sum(r.would_refuse for r in rows)
    period = "today" if days == 1 else f"in the last {days} days"
    if not rows:
        typer.echo(f"No call was counted {period}. In the mode off nothing is counted.")
        return
    print_table(
        ("day", "with", "client", "calls", "required would refuse"),
        [
            (
                _day(row),
                _KINDS.get(row.kind, row.kind),
                _client(row, names),
                str(row.calls),
                str(row.would_refuse),
            )
            for row in rows
        ],
    )
    typer.echo(f"Of {calls} calls {period}, required would refuse {refused}.")


def _client(row: UsageRow, names: dict[str, str]) -> str:
    name = names.get(row.client) if row.kind == "ours" else None
    return f"{name} ({row.client})" if name else row.client or "–"


def _day(row: UsageRow) -> str:
    return (EPOCH + timedelta(days=row.day)).isoformat()


def _iso(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
