"""`authgate store …`: the store as a whole, moved to another place.

An address with a password comes from a file or the settings, never from an argument, which every
process of the machine could read. Never here: how rows are read, written and compared
(`store.copying`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from authgate.cli.common import USAGE, fail, load_settings, print_json, print_table
from authgate.cli.copying import end_at, progress
from authgate.cli.options import AsJson, EnvFile

if TYPE_CHECKING:
    from authgate.settings import Settings
    from authgate.store.copying import Copied
    from authgate.store.copying_end import End

commands = typer.Typer(help="Move the store to another place.", no_args_is_help=True)

SecretKey = Literal["opens", "does not open", "missing", "not needed"]

_ADDRESS = (
    "sqlite:///FILE or postgresql://…, or @FILE with the address in it; left out, the store of "
    "the settings."
)


@commands.command("copy")
def copy(  # noqa: PLR0913, PLR0917 (each is an option)
    source: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help=f"Copied from: {_ADDRESS}")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help=f"Copied to: {_ADDRESS}")
    ] = None,
    from_schema: Annotated[
        str | None, typer.Option(metavar="NAME", help="Schema to copy from (PostgreSQL).")
    ] = None,
    to_schema: Annotated[
        str | None, typer.Option(metavar="NAME", help="Schema to copy to (PostgreSQL).")
    ] = None,
    without_nul: Annotated[
        bool,
        typer.Option(
            "--without-nul", help="Leave out rows with a NUL character, which PostgreSQL refuses."
        ),
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Copy a whole store into an empty one, and compare them. Stop the server first.

    The target is made if need be. A copy that was interrupted goes on when the same command runs
    again. Nothing is decrypted: the secret key has to go along.

    \b
    Examples:
      authgate store copy --to @/etc/authgate/new-store
      authgate store copy --from sqlite:///data/authgate.db --to postgresql://db.internal/authgate
      authgate store copy --from sqlite:///data/authgate.db
    """
    if source is None and target is None:
        fail("Name --from or --to: the other is the store of the settings then.", USAGE)
    settings = load_settings(env_file)
    from_ = end_at(source, "--from", from_schema, settings)
    to = end_at(target, "--to", to_schema, settings)
    if from_.name == to.name:
        fail(f"Source and target are the same: {from_.name}.", USAGE)
    copied, secret = _run(from_, to, settings, without_nul=without_nul)
    if as_json:
        print_json(_facts(from_, to, copied, secret))
    else:
        _tell(from_, to, copied)
    _warn(copied, secret)


def _run(
    source: End, target: End, settings: Settings, *, without_nul: bool
) -> tuple[Copied, SecretKey]:
    from authgate.store.copying import CopyDiffers, copy
    from authgate.store.copying_end import CopyRefused

    try:
        with progress() as tell:
            copied = copy(source, target, tell, without_nul=without_nul)
        return copied, _secret_key(source, settings)
    except (CopyRefused, CopyDiffers) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("Interrupted. The same command goes on where it ended.")
    finally:
        source.close()
        target.close()


# --- the secret key -------------------------------------------------------------------------------


def _secret_key(source: End, settings: Settings) -> SecretKey:
    """Whether the secret key of these settings opens the signing keys that were copied."""
    from authgate.app import now
    from authgate.security.secret_file import SecretKeyUnusable
    from authgate.security.vault import SealedValueUnreadable, Vault

    asked = "SELECT sealed_private FROM {} WHERE retires_at IS NULL OR retires_at > ?"
    sealed = source.run(asked.format(source.table("signing_keys")), (now(),))
    if not sealed:
        return "not needed"
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    # Only looked for: a key that is made now would open nothing.
    if key is None and not (settings.data_folder / "secret.key").is_file():
        return "missing"
    try:
        vault = Vault.load(key, settings.data_folder)
        for (private,) in sealed:
            vault.open(private, purpose="signing key")
    except (SecretKeyUnusable, SealedValueUnreadable):
        return "does not open"
    return "opens"


# --- what is said ---------------------------------------------------------------------------------


def _tell(source: End, target: End, copied: Copied) -> None:
    rows = [(name, f"{c.rows:,}", c.sha256) for name, c in copied.tables.items()]
    print_table(("table", "rows", "SHA-256, the same on both sides"), rows)
    again = " (after an interruption)" if copied.resumed else ""
    typer.echo(
        f"Copied {copied.rows:,} rows from {source.name} to {target.name}{again}: "
        f"every count and digest is the same. Set AUTHGATE_DATABASE_URL to the new store, take the "
        "secret key along, and start the server."
    )


def _warn(copied: Copied, secret: SecretKey) -> None:
    """What an operator has to know, on standard error."""
    for table, count in copied.left_out.items():
        rows = "1 row" if count == 1 else f"{count} rows"
        typer.echo(f"Left out: {rows} of {table} with a NUL character.", err=True)
    if copied.others:
        told = "a connection" if copied.others == 1 else f"{copied.others} connections"
        typer.echo(
            f"Warning: servers have {told} to the database that was copied. What one of them "
            "writes to the old store from now on is lost: stop it.",
            err=True,
        )
    found = {"missing": "there is none here", "does not open": "these settings have another"}
    if secret in found:
        typer.echo(
            f"Warning: the signing keys need the secret key that sealed them, and {found[secret]}. "
            "Bring AUTHGATE_SECRET_KEY or the file secret.key of the old installation along, or "
            "the server will not start.",
            err=True,
        )


def _facts(source: End, target: End, copied: Copied, secret: SecretKey) -> dict[str, object]:
    """A copy for programs: these names stay."""
    return {
        "source": source.name,
        "target": target.name,
        "rows": copied.rows,
        "copied": copied.copied,
        "seconds": round(copied.copy_seconds, 3),
        "resumed": copied.resumed,
        "left_out": dict(copied.left_out),
        "servers_connected": copied.others,
        "secret_key": secret,
        "tables": {
            name: {"rows": content.rows, "sha256": content.sha256}
            for name, content in copied.tables.items()
        },
    }
