"""`authgate people …`: the operator's side of the embedded directory.

A password comes from the terminal (asked twice) or from standard input, never from an argument,
which every process of the machine could read. Never here: what makes an address or a password good
(`directories.people`). A running server sees every change with its next request.
"""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from authgate.cli import people_ties
from authgate.cli.common import USAGE, confirm, fail, moment, print_json, print_table, with_core
from authgate.cli.options import AsJson, EnvFile, PasswordStdin, Yes

if TYPE_CHECKING:
    from authgate.app import Core
    from authgate.protocol.records import Account

commands = typer.Typer(
    help="Add, list, disable, enable and remove people; set passwords, end connections, link.",
    no_args_is_help=True,
)

Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help="The person's e-mail address.", show_default=False)
]


@commands.command("add")
def add(
    email: Email,
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Add a person who signs in with EMAIL and a password.

    \b
    Examples:
      authgate people add ada@example.com
      pass show authgate/ada | authgate people add ada@example.com --password-stdin
    """

    async def work(core: Core) -> Account:
        from authgate.app import now
        from authgate.directories.people import add_person, check_email

        password = _password(check_email(email), from_stdin=password_stdin)
        return await add_person(core.store, core.passwords, email, password, now())

    _tell("Added", with_core(env_file, work), as_json=as_json)


@commands.command("list")
def list_(as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """List everybody.

    \b
    Examples:
      authgate people list
      authgate people list --json
    """

    async def work(core: Core) -> list[Account]:
        from authgate.directories.people import list_people

        return list(await list_people(core.store))

    people = with_core(env_file, work)
    if as_json:
        print_json([_facts(person) for person in people])
    elif not people:
        typer.echo("There are no people yet. Add one: authgate people add name@example.com")
    else:
        rows = [(p.email, _status(p), moment(p.created_at), p.sub) for p in people]
        print_table(("e-mail", "status", "added", "sub"), rows)


@commands.command("disable")
def disable(email: Email, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Shut a person out: no more sign-ins, and all their tokens end at once.

    \b
    Example:
      authgate people disable ada@example.com
    """

    async def work(core: Core) -> Account:
        from authgate.app import now
        from authgate.directories.people import disable_person, find_person

        await disable_person(core.store, email, now())
        return await find_person(core.store, email)

    _tell("Disabled", with_core(env_file, work), as_json=as_json)


@commands.command("enable")
def enable(email: Email, as_json: AsJson = False, env_file: EnvFile = None) -> None:
    """Let a disabled person in again. Their clients have to ask anew.

    \b
    Example:
      authgate people enable ada@example.com
    """

    async def work(core: Core) -> Account:
        from authgate.app import now
        from authgate.directories.people import enable_person, find_person

        await enable_person(core.store, email, now())
        return await find_person(core.store, email)

    _tell("Enabled", with_core(env_file, work), as_json=as_json)


@commands.command("remove")
def remove(
    email: Email, yes: Yes = False, as_json: AsJson = False, env_file: EnvFile = None
) -> None:
    """Remove a person with everything they granted.

    \b
    Examples:
      authgate people remove ada@example.com
      authgate people remove ada@example.com --yes
    """

    async def work(core: Core) -> Account:
        from authgate.app import now
        from authgate.directories.people import find_person, remove_person

        person = await find_person(core.store, email)
        confirm(f"Remove {person.email} and end all their tokens?", yes=yes)
        return await remove_person(core.store, email, now())

    _tell("Removed", with_core(env_file, work), as_json=as_json)


@commands.command("set-password")
def set_password(
    email: Email,
    password_stdin: PasswordStdin = False,
    disconnect: Annotated[
        bool, typer.Option("--disconnect", help="End the person's connections too.")
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
) -> None:
    """Replace a person's password; their browser sessions end.

    Their clients stay connected unless --disconnect ends them: a password that was only forgotten
    is no reason to connect everything anew, and one that leaked is.

    \b
    Examples:
      authgate people set-password ada@example.com
      authgate people set-password ada@example.com --disconnect
      openssl rand -base64 18 | authgate people set-password ada@example.com --password-stdin
    """

    async def work(core: Core) -> tuple[Account, int]:
        from authgate.app import now
        from authgate.directories import by_hand, people

        person = await people.find_person(core.store, email)
        password = _password(person.email, from_stdin=password_stdin)
        person = await people.set_password(core.store, core.passwords, email, password, now())
        # After the password, so that whoever signs in with the old one meanwhile is ended as well.
        if disconnect:
            return person, await by_hand.disconnect(core.store, person.sub, now())
        return person, await by_hand.connections_of(core.store, person.sub, now())

    person, count = with_core(env_file, work)
    if as_json:
        print_json(_facts(person) | {"ended" if disconnect else "connections": count})
        return
    _tell("Set a new password for", person, as_json=False)
    told = people_ties.connections(count)
    if disconnect:
        typer.echo(f"Their browser sessions and {told} ended.")
    elif count:
        typer.echo(
            f"Their browser sessions ended; {told} stayed. To end them too: "
            f"authgate people disconnect {person.email}"
        )
    else:
        typer.echo("Their browser sessions ended; no client of theirs is connected.")


# --- how a password gets in, how a person gets out ------------------------------------------------


def _password(email: str, *, from_stdin: bool) -> str:
    from authgate.directories.people import check_password

    if from_stdin:
        return _password_from_stdin()
    if not sys.stdin.isatty():
        fail("There is no terminal to ask for the password; use --password-stdin.", USAGE)
    first = getpass.getpass(f"Password for {email}: ")
    check_password(first, email)
    if getpass.getpass("The same once more: ") != first:
        fail("The two passwords are not the same; nothing was changed.")
    return first


def _password_from_stdin() -> str:
    """Everything up to the one line end that `echo` and password managers put behind it."""
    try:
        text = sys.stdin.buffer.read(65_536).decode()
    except UnicodeDecodeError:
        fail("The password on standard input is not UTF-8 text.")
    password = text.removesuffix("\n").removesuffix("\r")
    if "\n" in password or "\r" in password:
        fail("Standard input has more than one line; give the password alone.")
    return password


def _status(person: Account) -> str:
    return "active" if person.disabled_at is None else "disabled"


def _facts(person: Account) -> dict[str, object]:
    """A person for programs: these names stay. The password's hash is nobody's business."""
    return {
        "sub": person.sub,
        "email": person.email,
        "status": _status(person),
        "created_at": person.created_at,
        "disabled_at": person.disabled_at,
    }


def _tell(done: str, person: Account, *, as_json: bool) -> None:
    if as_json:
        print_json(_facts(person))
    else:
        typer.echo(f"{done} {person.email} ({person.sub}).")


# Last, as `--help` lists them in this order.
commands.command("disconnect")(people_ties.disconnect)
commands.command("link")(people_ties.link)
commands.command("unlink")(people_ties.unlink)
