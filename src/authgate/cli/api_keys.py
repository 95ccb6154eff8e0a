"""`authgate api-keys …`: static keys for programs that cannot sign anybody in (yet).

A key is shown once, when it is made; only its digest is kept, and nothing takes one as an argument,
where every process list and shell history would have it. A running server knows what these commands
change from the next call on.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from authgate.cli.common import USAGE, confirm, fail, moment, print_json, print_table, with_core
from authgate.cli.options import AsJson, EnvFile, Yes

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.protocol.records import ApiKey, AuditEvent

commands = typer.Typer(
    help="Make, list and revoke static API keys (for a rollout).", no_args_is_help=True
)

MAX_NAME = 100
MIN_EXISTING, MAX_EXISTING = 20, 1024  # characters


@commands.command("add")
def add(  # noqa: PLR0913, PLR0917 (each is an option)
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What you call it.", show_default=False)
    ],
    sub: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Whom calls with it count as; the key's own identifier if not set."
        ),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A scope it has (may be repeated); all on offer if not set."
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Last day it works, as 2027-03-31 (UTC)."),
    ] = None,
    existing: Annotated[
        bool,
        typer.Option(
            "--existing-stdin",
            help="Enter a key that your MCP server knows already, from standard input.",
        ),
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Make an API key and show it, once. It works while the rollout is observe or optional.

    With --existing-stdin a key that your own server checks today gets a name here: it is counted
    and has its cut-off date, and still goes to your server unchanged.

    \b
    Examples:
      authgate api-keys add reports
      authgate api-keys add reports --scope mcp:use --expires 2027-03-31 --json
      authgate api-keys add old-cron --existing-stdin < key.txt
    """
    _check_name(name, sub)
    until = _end_of(expires)
    secret = _existing() if existing else None

    async def work(core: Core) -> tuple[ApiKey, str]:
        from authgate.app import now
        from authgate.gateway.credentials import KEY_PREFIX
        from authgate.protocol.records import ApiKey
        from authgate.security.digests import digest, new_identifier, new_secret

        value = secret or KEY_PREFIX + new_secret()
        if await core.store.api_key(digest(value)) is not None:
            fail("That key is here already. See: authgate api-keys list")
        key = ApiKey(
            key_digest=digest(value),
            key_id=new_identifier("key_"),
            name=name,
            sub=sub,
            scopes=_scopes(core, scope or []),
            created_at=now(),
            expires_at=until,
        )
        await core.store.add_api_key(key, _audited("api_key.add", key.key_id))
        return key, value

    key, value = with_core(env_file, work)
    if as_json:
        print_json(_facts(key) | ({} if existing else {"key": value}))
    elif existing:
        typer.echo(f"Entered the key {key.name} ({key.key_id}).")
    else:
        typer.echo(f"Made the key {key.name} ({key.key_id}). It is shown now and never again:")
        typer.echo(value)


@commands.command("list")
def list_(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """List every API key, revoked ones too, and when each was last used.

    \b
    Examples:
      authgate api-keys list
      authgate api-keys list --json
    """

    async def work(core: Core) -> list[ApiKey]:
        return list(await core.store.api_keys())

    keys = with_core(env_file, work)
    if as_json:
        print_json([_facts(key) for key in keys])
    elif not keys:
        typer.echo("There is no API key.")
    else:
        rows = [
            (k.key_id, k.name, k.sub or "–", " ".join(k.scopes), _state(k), moment(k.last_used_at))
            for k in keys
        ]
        print_table(("key id", "name", "sub", "scopes", "state", "last used"), rows)


@commands.command("revoke")
def revoke(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY_ID", help="The key's identifier, or its name.", show_default=False
        ),
    ],
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Revoke an API key, from the next call on. It cannot be undone.

    \b
    Examples:
      authgate api-keys revoke reports
      authgate api-keys revoke KEY_ID --yes
    """

    async def work(core: Core) -> ApiKey:
        from dataclasses import replace

        from authgate.app import now

        found = await _find(core, key)
        confirm(f"Revoke the key {found.name} ({found.key_id})?", yes=yes)
        at = now()
        audit = _audited("api_key.revoke", found.key_id)
        if not await core.store.revoke_api_key(found.key_id, at, audit):
            fail(f"The key {found.name} was revoked before.")
        return replace(found, revoked_at=at)

    revoked = with_core(env_file, work)
    if as_json:
        print_json(_facts(revoked))
    else:
        typer.echo(f"Revoked the key {revoked.name} ({revoked.key_id}).")


async def _find(core: Core, named: str) -> ApiKey:
    """The key with this identifier, else the one live key with this name."""
    keys = await core.store.api_keys()
    for key in keys:
        if key.key_id == named:
            return key
    live = [key for key in keys if key.name == named and key.revoked_at is None]
    if len(live) > 1:
        fail(f"{len(live)} keys are called {named!r}; name the one by its identifier (list).")
    if not live:
        _not_found(named)
    return live[0]


def _not_found(named: str) -> NoReturn:
    fail(f"There is no such API key as {named!r}. See: authgate api-keys list")


def _check_name(name: str, sub: str | None) -> None:
    for what, text in (("name", name), ("sub", sub)):
        if text is not None and not (0 < len(text) <= MAX_NAME and text.isprintable()):
            fail(f"The {what} must have 1 to {MAX_NAME} printable characters.", USAGE)


def _scopes(core: Core, asked: list[str]) -> tuple[str, ...]:
    """Those asked for; an unknown one would be a typing error that only shows when it is needed."""
    offered = core.policy.scopes
    names = tuple(dict.fromkeys(name for item in asked for name in item.split()))
    unknown = [name for name in names if name not in offered]
    if unknown:
        fail(
            f"There is no scope {' '.join(unknown)!r}; AUTHGATE_SCOPES has: {' '.join(offered)}",
            USAGE,
        )
    return names or offered


def _end_of(text: str | None) -> int | None:
    """The first moment after a day (UTC), in seconds since the epoch."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
        end = datetime.combine(day + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError):
        fail("Write the day as 2027-03-31.", USAGE)
    if end <= datetime.now(UTC):
        fail(f"{text} is over already.", USAGE)
    return int(end.timestamp())


def _existing() -> str:
    """A key from standard input. A short one could be guessed from its digest."""
    try:
        text = sys.stdin.read(MAX_EXISTING + 3).strip()
    except UnicodeDecodeError:
        text = ""
    fits = text.isascii() and text.isprintable() and " " not in text
    if not fits or not MIN_EXISTING <= len(text) <= MAX_EXISTING:
        fail(
            f"A key has {MIN_EXISTING} to {MAX_EXISTING} visible ASCII characters, without spaces; "
            f"a shorter one can be guessed: replace it by one that is made here.",
            USAGE,
        )
    return text


def _audited(event: str, key_id: str) -> AuditEvent:
    from authgate.app import now
    from authgate.protocol.records import AuditEvent

    return AuditEvent(
        at=now(), event=event, outcome="done", actor="operator", detail={"key_id": key_id}
    )


def _state(key: ApiKey) -> str:
    from authgate.app import now

    if key.revoked_at is not None:
        return f"revoked {moment(key.revoked_at)}"
    if key.expires_at is None:
        return "works"
    return f"{'works until' if key.expires_at > now() else 'expired'} {moment(key.expires_at)}"


def _facts(key: ApiKey) -> dict[str, object]:
    """A key for programs: these names stay. The key itself is not kept, so it is not here."""
    return {
        "key_id": key.key_id,
        "name": key.name,
        "sub": key.sub,
        "scope": " ".join(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
