"""`authgate keys …`: the keys that sign access tokens.

Private keys stay sealed in the store; nothing here prints one. A running server sees a new key
within seconds and publishes it before it signs. Neighbour: `security.keys` decides all of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authgate.cli.common import confirm, fail, moment, print_json, print_table, with_core
from authgate.cli.options import AsJson, EnvFile, Yes

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.protocol.records import SigningKey
    from authgate.security.keys import KeyState

    States = list[tuple[SigningKey, KeyState]]

commands = typer.Typer(help="List, rotate, revoke and import signing keys.", no_args_is_help=True)

MAX_PEM = 65_536


@commands.command("list")
def list_(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """List the signing keys, oldest first, and what each one does now.

    \b
    Examples:
      authgate keys list
      authgate keys list --json
    """
    states = with_core(env_file, _states)
    if as_json:
        print_json([_facts(key, state) for key, state in states])
        return
    rows = [
        (key.kid, key.algorithm, state, moment(key.signs_from), moment(key.retires_at))
        for key, state in states
    ]
    print_table(("kid", "algorithm", "state", "signs from", "leaves the JWKS"), rows)


@commands.command("rotate")
def rotate(
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="For a leaked or lost key: sign with the new one, believe no other."
        ),
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Make a new signing key. It is published now and signs in ten minutes.

    The old key stays published until its last token has expired.

    \b
    Examples:
      authgate keys rotate
      authgate keys rotate --at-once
    """

    async def work(core: Core) -> SigningKey:
        from authgate.app import now

        if not at_once:
            # Makes the first key of an empty store, and refuses when the one that signs cannot be
            # opened: waiting ten minutes would not mend that, and --at-once does.
            await core.keys.load(now())
        return await core.keys.rotate(now(), at_once=at_once)

    _tell("Made", with_core(env_file, work), env_file, as_json=as_json)


# A name of a key may begin with a dash: one in 64 does.
@commands.command("revoke", context_settings={"ignore_unknown_options": True})
def revoke(
    kid: Annotated[
        str, typer.Argument(metavar="KID", show_default=False, help="As `keys list` shows it.")
    ],
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Believe a key no more: it leaves the JWKS, and its tokens are refused, within seconds.

    Only this key. If it signs now or next, a new one that signs at once takes its place. After a
    break-in, where no key can be trusted, `authgate keys rotate --at-once` ends all of them.

    \b
    Examples:
      authgate keys revoke KID
      authgate keys revoke --yes -- -KID
    """
    confirm(f"Refuse every access token that {kid} signed? Clients have to refresh.", yes=yes)

    async def work(core: Core) -> SigningKey | None:
        from authgate.app import now

        return await core.keys.revoke(kid, now())

    made = with_core(env_file, work)
    if as_json:
        print_json({"revoked": kid, "replacement": made.kid if made else None})
        return
    typer.echo(f"Revoked {kid}. Running servers refuse its tokens within seconds.")
    typer.echo("Clients get 401 for them and refresh by themselves; nobody signs in again.")
    if made is not None:
        typer.echo(f"Made the {made.algorithm} key {made.kid} in its place: it signs now.")


@commands.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.pem",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
            help="An unencrypted private key: EC P-256, or RSA of 2048 bits or more.",
        ),
    ],
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Take over a private key. It decides the algorithm and signs at once.

    After AUTHGATE_KEY_ROTATION_DAYS it is followed by a key that is made here, like any other.

    \b
    Example:
      openssl ecparam -name prime256v1 -genkey -noout -out key.pem
      authgate keys import key.pem
    """
    if file.stat().st_size > MAX_PEM:
        fail(f"{file} is too large to be a private key in PEM form.")

    async def work(core: Core) -> SigningKey:
        from authgate.app import now

        return await core.keys.import_pem(file.read_bytes(), now())

    _tell("Imported", with_core(env_file, work), env_file, as_json=as_json)


async def _states(core: Core) -> States:
    from authgate.app import now
    from authgate.security.keys import key_states

    if not await core.store.signing_keys():
        await core.keys.load(now())  # the first key, as the server would make it
    return key_states(await core.store.signing_keys(), now())


def _facts(key: SigningKey, state: KeyState) -> dict[str, object]:
    """A key for programs: these names stay, and the private half is never among them."""
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": state,
        "created_at": key.created_at,
        "signs_from": key.signs_from,
        "retires_at": key.retires_at,
    }


def _tell(done: str, key: SigningKey, env_file: Path | None, *, as_json: bool) -> None:
    if as_json:
        states = with_core(env_file, _states)
        print_json(next(_facts(found, state) for found, state in states if found.kid == key.kid))
    else:
        starts = (
            "signs now"
            if key.signs_from <= key.created_at
            else (f"is published now and signs from {moment(key.signs_from)}")
        )
        typer.echo(f"{done} the {key.algorithm} key {key.kid}: it {starts}.")
